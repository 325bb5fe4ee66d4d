namespace Dapr.Workflow;

/// <summary>What code shared between workflows may read of the instance it runs in.</summary>
public interface IWorkflowContext
{
    string Name { get; }

    string InstanceId { get; }

    /// <inheritdoc cref="WorkflowContext.CurrentUtcDateTime"/>
    DateTime CurrentUtcDateTime { get; }

    /// <inheritdoc cref="WorkflowContext.IsReplaying"/>
    bool IsReplaying { get; }
}
