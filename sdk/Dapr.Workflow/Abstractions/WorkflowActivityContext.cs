using Dapr.Workflow.Abstractions;

namespace Dapr.Workflow;

public abstract class WorkflowActivityContext
{
    public abstract TaskIdentifier Identifier { get; }

    /// <summary>Stays the same when the same scheduled activity is delivered again, differs between retries: the natural idempotency key of one attempt.</summary>
    public abstract string TaskExecutionKey { get; }

    public abstract string InstanceId { get; }

    /// <summary>What the workflow, and with <see cref="HistoryPropagationScope.Lineage"/> those above it, had done when it scheduled this activity; null if it asked for no propagation.</summary>
    public virtual PropagatedHistory? GetPropagatedHistory() => null;
}
