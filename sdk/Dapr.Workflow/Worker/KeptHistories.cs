using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>
/// The past events that came on one stream of work items. A sidecar that knows of this leaves out of a long history what it has sent before; others send everything each time.
/// Thread-safe; the turns of one instance come one after the other.
/// </summary>
internal sealed class KeptHistories
{
    // As the sidecar does it; one that thinks otherwise is asked for the whole history.
    private const int LongHistory = 32;
    private const int KeptInstances = 1024;
    private readonly Dictionary<string, P.HistoryEvent[]> _histories = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Puts back what was left out. False if it is no longer here.</summary>
    public bool Complete(P.WorkflowRequest request)
    {
        if (request.KeptEvents == 0)
            return true;
        P.HistoryEvent[]? kept;
        lock (_lock)
            _histories.TryGetValue(request.InstanceId, out kept);
        if (kept is null || kept.Length < request.KeptEvents)
            return false;
        P.HistoryEvent[] rest = [.. request.PastEvents];
        request.PastEvents.Clear();
        request.PastEvents.AddRange(new ArraySegment<P.HistoryEvent>(kept, 0, request.KeptEvents));
        request.PastEvents.AddRange(rest);
        request.KeptEvents = 0;
        return true;
    }

    /// <summary>Keeps the past of a turn for the next one.</summary>
    public void Keep(P.WorkflowRequest request)
    {
        if (request.PastEvents.Count < LongHistory)
            return;
        P.HistoryEvent[] past = [.. request.PastEvents];
        lock (_lock)
        {
            if (_histories.Count >= KeptInstances && !_histories.ContainsKey(request.InstanceId))
                _histories.Clear();
            _histories[request.InstanceId] = past;
        }
    }

    /// <summary>The instance has ended, or begins anew.</summary>
    public void Forget(string instanceId)
    {
        lock (_lock)
            _histories.Remove(instanceId);
    }
}
