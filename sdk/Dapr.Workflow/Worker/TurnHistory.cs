using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>
/// The actions that earlier turns took, by id. The code of a replayed turn must take the same ones; that is checked here.
/// </summary>
internal sealed class TurnHistory
{
    // A wait without limit is recorded as a timer at the end of time.
    internal const long EndOfTimeSeconds = 253402300799;

    private readonly Dictionary<int, P.HistoryEvent> _actions;
    private int _repeated;

    public TurnHistory(IEnumerable<P.HistoryEvent> past, int count)
    {
        _actions = new Dictionary<int, P.HistoryEvent>(count / 3);
        foreach (var entry in past)
        {
            switch (entry.EventTypeCase)
            {
                case P.HistoryEvent.EventTypeOneofCase.TaskScheduled:
                case P.HistoryEvent.EventTypeOneofCase.TimerCreated:
                case P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceCreated:
                case P.HistoryEvent.EventTypeOneofCase.EventSent:
                    _actions.TryAdd(entry.EventId, entry);
                    break;
                case P.HistoryEvent.EventTypeOneofCase.WorkflowStarted when entry.WorkflowStarted.Version is { } version:
                    foreach (var patch in version.Patches)
                        (Patches ??= new(StringComparer.Ordinal)).Add(patch);
                    break;
            }
        }
    }

    /// <summary>Names that earlier turns were patched with.</summary>
    public HashSet<string>? Patches { get; }

    public P.HistoryEvent? Find(int id) => _actions.GetValueOrDefault(id);

    /// <summary>Whether the history has another action where the code waits without limit: it was written before such waits took an id.</summary>
    public bool HasOtherThanEndlessWait(int id) =>
        _actions.TryGetValue(id, out var entry)
        && !(entry.EventTypeCase == P.HistoryEvent.EventTypeOneofCase.TimerCreated && entry.TimerCreated.FireAt?.Seconds >= EndOfTimeSeconds);

    /// <summary>
    /// Whether an earlier turn took action <paramref name="id"/>. <paramref name="violation"/> is set if it was a different one.
    /// </summary>
    public bool Repeats(int id, ActionKind kind, string name, out string? violation)
    {
        violation = null;
        if (!_actions.TryGetValue(id, out var entry))
            return false;
        var (recordedKind, recordedName) = Describe(entry);
        // Recorded timers have a name only where they limit the wait for an event, and only if the sidecar keeps their origin.
        var same = recordedKind == kind
            && (string.Equals(recordedName, name, StringComparison.OrdinalIgnoreCase) || kind == ActionKind.Timer && recordedName is null);
        if (!same)
            violation = $"Action {id} is now {Describe(kind, name)}, but the history of this instance has {Describe(recordedKind, recordedName)} there.";
        else
            _repeated++;
        return true;
    }

    /// <summary>What is wrong if the code does something at <paramref name="id"/> that no history has; null if the history has nothing there.</summary>
    public string? Contradicts(int id, string what)
    {
        if (!_actions.TryGetValue(id, out var entry))
            return null;
        var (kind, name) = Describe(entry);
        return $"Action {id} is now {what}, but the history of this instance has {Describe(kind, name)} there.";
    }

    /// <summary>An action of the history that the replayed code did not take; null if it took all.</summary>
    public string? Unrepeated(int nextId)
    {
        if (_repeated == _actions.Count)
            return null;
        var first = int.MaxValue;
        foreach (var id in _actions.Keys)
        {
            if (id >= nextId && id < first)
                first = id;
        }

        if (first == int.MaxValue)
            return null;
        var (kind, name) = Describe(_actions[first]);
        return $"The history of this instance has {Describe(kind, name)} as action {first}, but the code no longer takes that action.";
    }

    private static (ActionKind Kind, string? Name) Describe(P.HistoryEvent entry) => entry.EventTypeCase switch
    {
        P.HistoryEvent.EventTypeOneofCase.TaskScheduled => (ActionKind.Activity, entry.TaskScheduled.Name),
        P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceCreated => (ActionKind.ChildWorkflow, entry.ChildWorkflowInstanceCreated.Name),
        P.HistoryEvent.EventTypeOneofCase.EventSent => (ActionKind.Event, entry.EventSent.Name),
        _ => (ActionKind.Timer, entry.TimerCreated.ExternalEvent?.Name),
    };

    private static string Describe(ActionKind kind, string? name) => kind switch
    {
        ActionKind.Activity => $"activity '{name}'",
        ActionKind.ChildWorkflow => $"child workflow '{name}'",
        ActionKind.Event => $"an event '{name}' to another instance",
        _ => string.IsNullOrEmpty(name) ? "a timer" : $"a wait for event '{name}'",
    };
}
