using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>Reads what the sidecar passes on of other workflows' histories.</summary>
internal static class PropagatedHistories
{
    /// <summary>Null if nothing was propagated.</summary>
    /// <exception cref="Google.Protobuf.InvalidProtocolBufferException">An event is no event: what cannot be read must not pass for a history without it.</exception>
    public static PropagatedHistory? Read(P.PropagatedHistory? wire) =>
        wire is null || wire.Scope == P.HistoryPropagationScope.None ? null : new PropagatedHistory([.. wire.Chunks.Select(Read)]);

    private static PropagatedHistoryEvent Read(P.PropagatedHistoryChunk chunk)
    {
        var activities = new Tasks<PropagatedHistoryActivityResult>();
        var workflows = new Tasks<PropagatedHistoryWorkflowResult>();
        foreach (var raw in chunk.RawEvents)
        {
            var entry = P.HistoryEvent.Parser.ParseFrom(raw);
            switch (entry.EventTypeCase)
            {
                case P.HistoryEvent.EventTypeOneofCase.TaskScheduled:
                    var scheduled = entry.TaskScheduled;
                    activities.Add(entry.EventId, new(scheduled.Name, PropagatedHistoryStatus.Pending, TextOf(scheduled.Input), null, null));
                    break;
                case P.HistoryEvent.EventTypeOneofCase.TaskCompleted:
                    activities.Change(entry.TaskCompleted.TaskScheduledId, a => a with { Status = PropagatedHistoryStatus.Completed, Output = TextOf(entry.TaskCompleted.Result) });
                    break;
                case P.HistoryEvent.EventTypeOneofCase.TaskFailed:
                    activities.Change(entry.TaskFailed.TaskScheduledId, a => a with { Status = PropagatedHistoryStatus.Failed, FailureDetails = DetailsOf(entry.TaskFailed.FailureDetails) });
                    break;
                case P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceCreated:
                    workflows.Add(entry.EventId, new(entry.ChildWorkflowInstanceCreated.Name, PropagatedHistoryStatus.Pending, null, null));
                    break;
                case P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceCompleted:
                    var completed = entry.ChildWorkflowInstanceCompleted;
                    workflows.Change(completed.TaskScheduledId, w => w with { Status = PropagatedHistoryStatus.Completed, Output = TextOf(completed.Result) });
                    break;
                case P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceFailed:
                    var failed = entry.ChildWorkflowInstanceFailed;
                    workflows.Change(failed.TaskScheduledId, w => w with { Status = PropagatedHistoryStatus.Failed, FailureDetails = DetailsOf(failed.FailureDetails) });
                    break;
            }
        }

        return new PropagatedHistoryEvent(chunk.AppId, chunk.InstanceId, chunk.WorkflowName, activities.All, workflows.All);
    }

    // No value crosses the wire as an empty text.
    private static string? TextOf(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static WorkflowTaskFailureDetails? DetailsOf(P.TaskFailureDetails? details) => details is null ? null : Failures.FromWire(details);

    private sealed class Tasks<T>
    {
        private readonly Dictionary<int, int> _places = [];

        public List<T> All { get; } = [];

        public void Add(int id, T task)
        {
            _places[id] = All.Count;
            All.Add(task);
        }

        public void Change(int id, Func<T, T> change)
        {
            if (_places.TryGetValue(id, out var place))
                All[place] = change(All[place]);
        }
    }
}
