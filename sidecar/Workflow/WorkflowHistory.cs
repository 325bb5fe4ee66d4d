using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// The committed history of one execution and what follows from it: status, what is open, start and end. Not thread-safe; its instance guards it.
/// </summary>
internal sealed class WorkflowHistory
{
    // Tag and length of an event in its message.
    private const int FrameSize = 4;

    private readonly List<HistoryEvent> _events = [];

    public IReadOnlyList<HistoryEvent> Events => _events;

    /// <summary>Null until the first turn is committed.</summary>
    public ExecutionStartedEvent? Started { get; private set; }

    public ExecutionCompletedEvent? Completed { get; private set; }

    public Timestamp? CreatedAt { get; private set; }

    public Timestamp? StartedAt { get; private set; }

    public Timestamp? CompletedAt { get; private set; }

    public bool IsSuspended { get; private set; }

    public bool IsStalled { get; private set; }

    /// <summary>Activities scheduled and not resolved, by the id of their action.</summary>
    public Dictionary<int, HistoryEvent> OpenTasks { get; } = [];

    public Dictionary<int, HistoryEvent> OpenTimers { get; } = [];

    public Dictionary<int, HistoryEvent> OpenChildren { get; } = [];

    /// <summary>Patches that earlier turns of this execution took.</summary>
    public List<string> Patches { get; } = [];

    /// <summary>The version of the workflow that a worker said it runs; null where none did.</summary>
    public string? VersionName { get; private set; }

    /// <summary>Bytes that the events take in a message, roughly.</summary>
    public long Size { get; private set; }

    /// <summary>The highest id of an action so far; -1 before the first.</summary>
    public int LastAction { get; private set; } = -1;

    public Timestamp? LastUpdatedAt => _events.Count == 0 ? null : _events[^1].Timestamp;

    public OrchestrationStatus Status => this switch
    {
        { Completed: { } completed } => completed.WorkflowStatus,
        { IsStalled: true } => OrchestrationStatus.Stalled,
        { Started: null } => OrchestrationStatus.Pending,
        { IsSuspended: true } => OrchestrationStatus.Suspended,
        _ => OrchestrationStatus.Running,
    };

    /// <summary>What a list shows of the instance once these events are committed behind the others.</summary>
    /// <param name="start">Of an execution that no turn has opened yet.</param>
    /// <param name="isContinued">That execution goes on with an earlier one.</param>
    public InstanceSummary Summary(IReadOnlyList<HistoryEvent> appended, ExecutionStartedEvent? start, bool isContinued)
    {
        var (started, completed, created, suspended, stalled) = (Started, Completed, CreatedAt, IsSuspended, IsStalled);
        foreach (var e in appended)
        {
            stalled = e.EventTypeCase == Kind.ExecutionStalled || (stalled && e.EventTypeCase == Kind.None);
            switch (e.EventTypeCase)
            {
                case Kind.ExecutionStarted:
                    (started, created) = (e.ExecutionStarted, e.Timestamp);
                    break;
                case Kind.ExecutionCompleted:
                    completed = e.ExecutionCompleted;
                    break;
                case Kind.ExecutionSuspended:
                    suspended = true;
                    break;
                case Kind.ExecutionResumed:
                    suspended = false;
                    break;
            }
        }

        var status = completed?.WorkflowStatus ?? (stalled ? OrchestrationStatus.Stalled
            : started is null ? isContinued ? OrchestrationStatus.Running : OrchestrationStatus.Pending
            : suspended ? OrchestrationStatus.Suspended : OrchestrationStatus.Running);
        return new InstanceSummary((started ?? start)?.Name ?? "", status, created, appended.Count > 0 ? appended[^1].Timestamp : LastUpdatedAt);
    }

    public void Append(HistoryEvent e)
    {
        _events.Add(e);
        Size += e.CalculateSize() + FrameSize;
        LastAction = Math.Max(LastAction, e.EventId);
        if (e.EventTypeCase is not (Kind.ExecutionStalled or Kind.None))
            IsStalled = false;
        switch (e.EventTypeCase)
        {
            case Kind.ExecutionStarted:
                Started = e.ExecutionStarted;
                CreatedAt = e.Timestamp;
                break;
            case Kind.WorkflowStarted:
                StartedAt ??= e.Timestamp;
                Patches.AddRange(e.WorkflowStarted.Version?.Patches ?? []);
                if (e.WorkflowStarted.Version is { HasName: true } version)
                    VersionName = version.Name;
                break;
            case Kind.ExecutionCompleted:
                Completed = e.ExecutionCompleted;
                CompletedAt = e.Timestamp;
                break;
            case Kind.ExecutionSuspended:
                IsSuspended = true;
                break;
            case Kind.ExecutionResumed:
                IsSuspended = false;
                break;
            case Kind.ExecutionStalled:
                IsStalled = true;
                break;
            case Kind.TaskScheduled:
                OpenTasks[e.EventId] = e;
                break;
            case Kind.TimerCreated:
                OpenTimers[e.EventId] = e;
                break;
            case Kind.ChildWorkflowInstanceCreated:
                OpenChildren[e.EventId] = e;
                break;
            case Kind.EventRaised:
                EndWait(e.EventRaised.Name);
                break;
            default:
                if (Resolves(e) is { } resolved)
                    resolved.Open.Remove(resolved.Id);
                break;
        }
    }

    // What the event was waited for is over: the timer that would have ended the wait must not wake the workflow later. Waits for events of one name end in their order.
    private void EndWait(string name)
    {
        HistoryEvent? first = null;
        foreach (var timer in OpenTimers.Values)
        {
            if (timer.TimerCreated.ExternalEvent is { } awaited && awaited.Name.Equals(name, StringComparison.OrdinalIgnoreCase) && timer.EventId < (first?.EventId ?? int.MaxValue))
                first = timer;
        }

        if (first is not null)
            OpenTimers.Remove(first.EventId);
    }

    /// <summary>Whether an action of this id was taken.</summary>
    public bool HasAction(int id) => id <= LastAction && _events.Exists(e => e.EventId == id
        && e.EventTypeCase is Kind.TaskScheduled or Kind.TimerCreated or Kind.ChildWorkflowInstanceCreated or Kind.EventSent or Kind.DetachedWorkflowInstanceCreated or Kind.ExecutionCompleted);

    /// <summary>The open action that an event resolves, or null when it is no resolution. The id may be open no longer.</summary>
    public (Dictionary<int, HistoryEvent> Open, int Id)? Resolves(HistoryEvent e) => e.EventTypeCase switch
    {
        Kind.TaskCompleted => (OpenTasks, e.TaskCompleted.TaskScheduledId),
        Kind.TaskFailed => (OpenTasks, e.TaskFailed.TaskScheduledId),
        Kind.TimerFired => (OpenTimers, e.TimerFired.TimerId),
        Kind.ChildWorkflowInstanceCompleted => (OpenChildren, e.ChildWorkflowInstanceCompleted.TaskScheduledId),
        Kind.ChildWorkflowInstanceFailed => (OpenChildren, e.ChildWorkflowInstanceFailed.TaskScheduledId),
        _ => null,
    };
}
