namespace Dapr.Workflow;

/// <param name="RetryPolicy">Retries by durable timers; null: none.</param>
/// <param name="TargetAppId">App that runs the task; null: this one.</param>
/// <param name="PropagationScope">How much of this workflow's history the task can read.</param>
public record WorkflowTaskOptions(
    WorkflowRetryPolicy? RetryPolicy = null,
    string? TargetAppId = null,
    HistoryPropagationScope PropagationScope = HistoryPropagationScope.None);

/// <param name="InstanceId">Id of the child; null: a new one that is the same on every replay.</param>
/// <param name="RetryPolicy">Retries by durable timers; null: none.</param>
/// <param name="TargetAppId">App that runs the child; null: this one.</param>
/// <param name="PropagationScope">How much of this workflow's history the child can read.</param>
public record ChildWorkflowTaskOptions(
    string? InstanceId = null,
    WorkflowRetryPolicy? RetryPolicy = null,
    string? TargetAppId = null,
    HistoryPropagationScope PropagationScope = HistoryPropagationScope.None) : WorkflowTaskOptions(RetryPolicy, TargetAppId, PropagationScope);

public enum HistoryPropagationScope
{
    None,

    /// <summary>The history of the calling workflow.</summary>
    OwnHistory,

    /// <summary>The history of the calling workflow and what it was given itself.</summary>
    Lineage,
}
