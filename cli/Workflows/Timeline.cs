using System.Globalization;
using Dapr.DurableTask.Protobuf;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Cli.Workflows;

internal enum StepState
{
    /// <summary>Something that happened, without a duration.</summary>
    Happened,
    Open,
    Succeeded,
    Failed,
}

/// <summary>One line of a workflow's life: an action from its beginning to its end, or something that happened to the instance.</summary>
/// <param name="Id">Of the action, as <c>rerun</c> takes it; null for what happened from outside.</param>
/// <param name="Kind">Such as <c>activity</c>, <c>child</c>, <c>timer</c>, <c>event</c>, <c>start</c>, <c>end</c>.</param>
/// <param name="What">Name of the activity, the child, the event.</param>
/// <param name="Start">When it began, seen from the start of the instance.</param>
/// <param name="Duration">Null while it is open, and for what has none.</param>
internal sealed record TimelineStep(int? Id, string Kind, string What, DateTimeOffset At, TimeSpan Start, TimeSpan? Duration, StepState State, string? Input, string? Outcome)
{
    /// <summary>The event of the history that it began with.</summary>
    public HistoryEvent? Source { get; init; }

    /// <summary>Of the activity, the child or the event alone.</summary>
    public string? Name { get; init; }

    /// <summary>Counts from 1 through the retries of an activity or a child; null for what is not tried again.</summary>
    public int? Attempt { get; init; }

    /// <summary>It takes back what an earlier step did, as its name says.</summary>
    public bool IsCompensation { get; init; }

    /// <summary>Instance id of a child.</summary>
    public string? ChildId { get; init; }

    /// <summary>When a timer fires; null for other steps and for waits without a limit.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Why it failed; <see cref="Outcome"/> says it in a line.</summary>
    public TaskFailureDetails? Failure { get; init; }
}

/// <summary>Puts the events of a history together: what an action began with and what it ended with become one step.</summary>
internal static class Timeline
{
    // Waits without a limit are recorded as a timer at the end of time.
    private const int Endless = 9999;

    // Dapr does not know compensations; the verbs of those that are named as such.
    private static readonly string[] CompensationVerbs = ["Compensate", "Refund", "Release", "Restock", "Cancel", "Undo", "Revert", "Rollback", "Void", "Abandon"];

    public static IReadOnlyList<TimelineStep> Of(IReadOnlyList<HistoryEvent> history)
    {
        var ends = new Dictionary<int, HistoryEvent>();
        foreach (var e in history)
        {
            if (Resolves(e) is { } id)
                ends.TryAdd(id, e);
        }

        var began = history.FirstOrDefault(e => e.EventTypeCase == Kind.ExecutionStarted)?.Timestamp?.ToDateTimeOffset() ?? (history.Count > 0 ? history[0].Timestamp.ToDateTimeOffset() : default);
        var steps = new List<TimelineStep>();
        var attempts = new Attempts();
        foreach (var e in history)
        {
            var attempt = attempts.Next(e);
            if (Step(e, began, ends) is { } step)
                steps.Add(step with { Attempt = attempt, Source = e });
        }

        // An action stands where it began; what has one time keeps the order of the history.
        return [.. steps.OrderBy(s => s.Start)];
    }

    private static int? Resolves(HistoryEvent e) => e.EventTypeCase switch
    {
        Kind.TaskCompleted => e.TaskCompleted.TaskScheduledId,
        Kind.TaskFailed => e.TaskFailed.TaskScheduledId,
        Kind.TimerFired => e.TimerFired.TimerId,
        Kind.ChildWorkflowInstanceCompleted => e.ChildWorkflowInstanceCompleted.TaskScheduledId,
        Kind.ChildWorkflowInstanceFailed => e.ChildWorkflowInstanceFailed.TaskScheduledId,
        _ => null,
    };

    private static TimelineStep? Step(HistoryEvent e, DateTimeOffset began, Dictionary<int, HistoryEvent> ends)
    {
        switch (e.EventTypeCase)
        {
            case Kind.ExecutionStarted:
                return Happened("start", e.ExecutionStarted.Name, e.ExecutionStarted.Input, e.ExecutionStarted.ParentInstance is { } parent ? $"child of {parent.WorkflowInstance?.InstanceId}" : null);
            case Kind.ExecutionCompleted:
                var end = e.ExecutionCompleted;
                return Happened("end", Words.Status(end.WorkflowStatus), null, end.FailureDetails is { } failure ? Words.Failure(failure) : end.Result, end.WorkflowStatus == OrchestrationStatus.Completed ? StepState.Succeeded : StepState.Failed);
            case Kind.TaskScheduled:
                return Action("activity", Elsewhere(e.TaskScheduled.Name, e), e.TaskScheduled.Input) with { Name = e.TaskScheduled.Name, IsCompensation = IsCompensation(e.TaskScheduled.Name) };
            case Kind.ChildWorkflowInstanceCreated:
                return Action("child", Elsewhere(e.ChildWorkflowInstanceCreated.Name, e), e.ChildWorkflowInstanceCreated.Input) is var child
                    ? child with { What = $"{child.What} ({e.ChildWorkflowInstanceCreated.InstanceId})", Name = e.ChildWorkflowInstanceCreated.Name, ChildId = e.ChildWorkflowInstanceCreated.InstanceId } : null;
            case Kind.TimerCreated:
                return Action(e.TimerCreated.ExternalEvent is null ? "timer" : "wait", TimerName(e.TimerCreated), null) with
                {
                    Name = e.TimerCreated.ExternalEvent?.Name ?? (e.TimerCreated.HasName && e.TimerCreated.Name.Length > 0 ? e.TimerCreated.Name : null),
                    Until = e.TimerCreated.FireAt.ToDateTime().Year >= Endless ? null : e.TimerCreated.FireAt.ToDateTimeOffset(),
                };
            case Kind.EventRaised:
                return Happened("event", e.EventRaised.Name, e.EventRaised.Input, null) with { Name = e.EventRaised.Name };
            case Kind.EventSent:
                return Happened("send", $"{e.EventSent.Name} to {e.EventSent.InstanceId}", e.EventSent.Input, null);
            case Kind.DetachedWorkflowInstanceCreated:
                return Happened("start of", e.DetachedWorkflowInstanceCreated.InstanceId, null, null);
            case Kind.ExecutionTerminated:
                return Happened("terminate", e.ExecutionTerminated.Recurse ? "with its children" : "alone", null, e.ExecutionTerminated.Input, StepState.Failed);
            case Kind.ExecutionSuspended:
                return Happened("suspend", "", null, e.ExecutionSuspended.Input);
            case Kind.ExecutionResumed:
                return Happened("resume", "", null, e.ExecutionResumed.Input);
            case Kind.ExecutionStalled:
                return Happened("stalled", e.ExecutionStalled.Reason.ToString(), null, e.ExecutionStalled.Description, StepState.Failed);
            default:
                return null;
        }

        TimelineStep Happened(string kind, string what, string? input, string? outcome, StepState state = StepState.Happened)
        {
            var at = e.Timestamp.ToDateTimeOffset();
            return new TimelineStep(null, kind, what, at, at - began, null, state, Given(input), Given(outcome));
        }

        TimelineStep Action(string kind, string what, string? input)
        {
            var at = e.Timestamp.ToDateTimeOffset();
            if (!ends.TryGetValue(e.EventId, out var end))
                return new TimelineStep(e.EventId, kind, what, at, at - began, null, StepState.Open, Given(input), null);
            var failure = end.TaskFailed?.FailureDetails ?? end.ChildWorkflowInstanceFailed?.FailureDetails;
            var failed = end.EventTypeCase is Kind.TaskFailed or Kind.ChildWorkflowInstanceFailed;
            var outcome = failed ? failure is null ? "terminated" : Words.Failure(failure) : end.TaskCompleted?.Result ?? end.ChildWorkflowInstanceCompleted?.Result;
            return new TimelineStep(e.EventId, kind, what, at, at - began, end.Timestamp.ToDateTimeOffset() - at, failed ? StepState.Failed : StepState.Succeeded, Given(input), Given(outcome)) { Failure = failure };
        }
    }

    private static bool IsCompensation(string name) =>
        Array.Exists(CompensationVerbs, v => name.StartsWith(v, StringComparison.Ordinal) && (name.Length == v.Length || !char.IsLower(name[v.Length])));

    private static string? Given(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static string Elsewhere(string name, HistoryEvent e) =>
        e.Router is { HasTargetAppID: true } router && router.TargetAppID.Length > 0 && router.TargetAppID != router.SourceAppID ? $"{name} at {router.TargetAppID}" : name;

    private static string TimerName(TimerCreatedEvent timer)
    {
        var isEndless = timer.FireAt.ToDateTime().Year >= Endless;
        var until = isEndless ? "without limit" : $"until {timer.FireAt.ToDateTime().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture)}";
        return timer.OriginCase switch
        {
            TimerCreatedEvent.OriginOneofCase.ExternalEvent => $"for event {timer.ExternalEvent.Name} {until}",
            TimerCreatedEvent.OriginOneofCase.ActivityRetry or TimerCreatedEvent.OriginOneofCase.ChildWorkflowRetry => $"before a retry, {until}",
            _ => until,
        };
    }
}

/// <summary>Counts attempts through a history: a retry is a timer that names the first attempt, then an action of the same name.</summary>
internal sealed class Attempts
{
    private readonly Dictionary<string, (string Name, int Count)> _first = new(StringComparer.Ordinal);
    private readonly List<(string Name, int Attempt)> _awaited = [];

    public int? Next(HistoryEvent e)
    {
        switch (e.EventTypeCase)
        {
            case Kind.TaskScheduled:
                return Begun(e.TaskScheduled.Name, e.TaskScheduled.TaskExecutionId);
            case Kind.ChildWorkflowInstanceCreated:
                return Begun(e.ChildWorkflowInstanceCreated.Name, e.ChildWorkflowInstanceCreated.InstanceId);
            case Kind.TimerCreated:
                if ((e.TimerCreated.ActivityRetry?.TaskExecutionId ?? e.TimerCreated.ChildWorkflowRetry?.InstanceId) is { } id && _first.TryGetValue(id, out var first))
                {
                    _first[id] = (first.Name, first.Count + 1);
                    _awaited.Add((first.Name, first.Count + 1));
                }

                return null;
            default:
                return null;
        }
    }

    private int Begun(string name, string id)
    {
        var retry = _awaited.FindIndex(a => a.Name == name);
        if (retry >= 0)
        {
            var attempt = _awaited[retry].Attempt;
            _awaited.RemoveAt(retry);
            return attempt;
        }

        _first[id] = (name, 1);
        return 1;
    }
}

internal static class Words
{
    /// <summary>As the management API names them.</summary>
    public static string Status(OrchestrationStatus status) => status switch
    {
        OrchestrationStatus.ContinuedAsNew => "CONTINUED_AS_NEW",
        _ => status.ToString().ToUpperInvariant(),
    };

    public static string Failure(TaskFailureDetails failure) => failure.ErrorType.Length > 0 ? $"{failure.ErrorType}: {failure.ErrorMessage}" : failure.ErrorMessage;
}
