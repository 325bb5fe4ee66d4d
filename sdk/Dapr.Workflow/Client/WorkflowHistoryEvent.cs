namespace Dapr.Workflow.Client;

/// <param name="EventId">Id of the action that the event records; -1 if it came from outside.</param>
/// <param name="EventType">What happened.</param>
/// <param name="Timestamp">When, UTC.</param>
public sealed record WorkflowHistoryEvent(int EventId, WorkflowHistoryEventType EventType, DateTime Timestamp);

public enum WorkflowHistoryEventType
{
    Unknown,
    ExecutionStarted,
    ExecutionCompleted,
    ExecutionTerminated,
    TaskScheduled,
    TaskCompleted,
    TaskFailed,
    ChildWorkflowInstanceCreated,
    ChildWorkflowInstanceCompleted,
    ChildWorkflowInstanceFailed,
    TimerCreated,
    TimerFired,
    WorkflowStarted,
    WorkflowCompleted,
    EventSent,
    EventRaised,
    ContinueAsNew,
    ExecutionSuspended,
    ExecutionResumed,
    ExecutionStalled,
    DetachedWorkflowInstanceCreated,
}
