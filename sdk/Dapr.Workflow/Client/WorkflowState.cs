using Dapr.Workflow.Serialization;
using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow;

/// <summary>An instance as it was when it was asked for.</summary>
public sealed class WorkflowState
{
    private readonly P.WorkflowState? _state;
    private readonly IWorkflowSerializer _serializer;

    internal WorkflowState(P.WorkflowState? state, IWorkflowSerializer serializer)
    {
        _state = state;
        _serializer = serializer;
        if (state is null)
            return;
        CreatedAt = state.CreatedTimestamp?.ToDateTimeOffset() ?? default;
        LastUpdatedAt = state.LastUpdatedTimestamp?.ToDateTimeOffset() ?? default;
        RuntimeStatus = (WorkflowRuntimeStatus)state.WorkflowStatus;
        if (state.FailureDetails is { } failure)
            FailureDetails = new WorkflowTaskFailureDetails(failure.ErrorType, failure.ErrorMessage, failure.StackTrace);
    }

    public string? WorkflowName => _state?.Name;

    public bool Exists => _state is not null;

    public bool IsWorkflowRunning => RuntimeStatus == WorkflowRuntimeStatus.Running;

    public bool IsWorkflowCompleted =>
        RuntimeStatus is WorkflowRuntimeStatus.Completed or WorkflowRuntimeStatus.Failed or WorkflowRuntimeStatus.Terminated;

    public DateTimeOffset CreatedAt { get; }

    public DateTimeOffset LastUpdatedAt { get; }

    public WorkflowRuntimeStatus RuntimeStatus { get; } = WorkflowRuntimeStatus.Unknown;

    /// <summary>Set if the instance failed.</summary>
    public WorkflowTaskFailureDetails? FailureDetails { get; }

    /// <returns>The default value if there is none or if inputs were not asked for.</returns>
    public T? ReadInputAs<T>() => _serializer.Deserialize<T>(_state?.Input);

    /// <returns>The default value if there is none or if outputs were not asked for.</returns>
    public T? ReadOutputAs<T>() => _serializer.Deserialize<T>(_state?.Output);

    /// <returns>The default value if there is none or if outputs were not asked for.</returns>
    public T? ReadCustomStatusAs<T>() => _serializer.Deserialize<T>(_state?.CustomStatus);
}
