using Dapr.DurableTask.Protobuf;
using DaprPlatform.Cli.Workflows;
using DaprPlatform.Sidecar.Introspection;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>Instances and histories as the console shows them.</summary>
internal static class WorkflowViews
{
    // Timers that wait for an event; people wait for the event.
    private const string Wait = "wait";

    public static string Name(OrchestrationStatus status) => Camel(status.ToString());

    public static WorkflowRow Row(WorkflowItem item) => new(item.App, item.Id, item.Name, Name(item.Status), item.CreatedAt, item.UpdatedAt, Given(item.CustomStatus));

    public static WorkflowInstanceView Instance(WorkflowDetail detail)
    {
        var state = detail.State;
        var start = detail.History.Concat(detail.Waiting).FirstOrDefault(e => e.ExecutionStarted is not null)?.ExecutionStarted;
        var parent = start?.ParentInstance;
        return new WorkflowInstanceView(
            detail.App, state.InstanceId, state.Name, Name(state.WorkflowStatus), Time(state.CreatedTimestamp), Time(state.LastUpdatedTimestamp), Given(state.CustomStatus), Given(state.Input), Given(state.Output),
            Failure(state.FailureDetails),
            parent is null ? null : new WorkflowParent(parent.HasAppID && parent.AppID.Length > 0 ? parent.AppID : null, parent.WorkflowInstance?.InstanceId, Given(parent.Name)),
            detail.History.Select(RerunOf).FirstOrDefault(r => r is not null),
            Awaiting(detail.History, state.WorkflowStatus),
            [.. detail.Waiting.Select(e => Given(EventFacts.NameOf(e)) is { } name ? $"{Camel(e.EventTypeCase.ToString())} {name}" : Camel(e.EventTypeCase.ToString()))],
            detail.History.Count,
            TraceId(start?.ParentTraceContext?.TraceParent));
    }

    public static WorkflowHistoryView History(IReadOnlyList<HistoryEvent> history)
    {
        var events = new List<WorkflowEventView>(history.Count);
        var turnOf = new Dictionary<HistoryEvent, int>(ReferenceEqualityComparer.Instance);
        var turn = 0;
        foreach (var e in history)
        {
            if (e.EventTypeCase == Kind.WorkflowStarted)
                turn++;
            turnOf[e] = turn;
            events.Add(new WorkflowEventView(events.Count + 1, turn, Camel(e.EventTypeCase.ToString()), Given(EventFacts.NameOf(e)), e.Timestamp?.ToDateTimeOffset() ?? default, EventFacts.Detail(e),
                Given(EventFacts.InputOf(e)), Given(EventFacts.OutputOf(e)), Failure(EventFacts.FailureOf(e))));
        }

        return new WorkflowHistoryView(events, [.. Timeline.Of(history).Select((s, i) => Step(s, i + 1, s.Source is { } source ? turnOf.GetValueOrDefault(source) : 0))], turn);
    }

    /// <exception cref="ConsoleProblem">One is no status.</exception>
    public static HashSet<OrchestrationStatus>? Statuses(string? list)
    {
        if (string.IsNullOrWhiteSpace(list))
            return null;
        var statuses = new HashSet<OrchestrationStatus>();
        foreach (var name in list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            // As the management API writes them too: CONTINUED_AS_NEW.
            var known = Enum.GetValues<OrchestrationStatus>().Where(s => s.ToString().Equals(name.Replace("_", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase)).ToArray();
            if (known.Length == 0)
                throw ConsoleProblem.BadRequest($"There is no status {name}; there are {string.Join(", ", Enum.GetValues<OrchestrationStatus>().Select(Name))}.");
            statuses.Add(known[0]);
        }

        return statuses;
    }

    public static string Camel(string name) => char.ToLowerInvariant(name[0]) + name[1..];

    private static WorkflowStepView Step(TimelineStep step, int number, int turn)
    {
        var failed = step.State == StepState.Failed;
        return new WorkflowStepView(number, step.Id, turn, step.Kind, step.Kind is "activity" or "child" ? step.Name ?? step.What : step.What, step.At, Math.Round(step.Start.TotalMilliseconds, 3),
            step.Duration is { } duration ? Math.Round(duration.TotalMilliseconds, 3) : null, Camel(step.State.ToString()), step.Attempt, step.IsCompensation ? true : null, step.Input,
            failed ? null : step.Outcome, failed ? Failure(step.Failure) ?? new WorkflowFailure("", step.Outcome ?? "", null) : null, step.ChildId);
    }

    private static List<WorkflowAwait> Awaiting(IReadOnlyList<HistoryEvent> history, OrchestrationStatus status) =>
        status is OrchestrationStatus.Completed or OrchestrationStatus.Failed or OrchestrationStatus.Terminated or OrchestrationStatus.Canceled
            ? []
            : [.. Timeline.Of(history).Where(s => s.State == StepState.Open).Select(s => new WorkflowAwait(s.Kind == Wait ? "event" : s.Kind, s.Name ?? s.What, s.At, s.Until, s.ChildId))];

    private static string? RerunOf(HistoryEvent e) =>
        (e.TaskScheduled?.RerunParentInstanceInfo ?? e.TimerCreated?.RerunParentInstanceInfo ?? e.ChildWorkflowInstanceCreated?.RerunParentInstanceInfo)?.InstanceID;

    private static WorkflowFailure? Failure(TaskFailureDetails? failure) => failure is null ? null : new WorkflowFailure(failure.ErrorType, failure.ErrorMessage, Given(failure.StackTrace));

    // version-traceid-spanid-flags
    private static string? TraceId(string? traceParent) => traceParent?.Split('-') is [_, { Length: 32 } id, ..] ? id : null;

    private static DateTimeOffset? Time(Google.Protobuf.WellKnownTypes.Timestamp? time) => time is null || time.Seconds < 0 ? null : time.ToDateTimeOffset();

    private static string? Given(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
