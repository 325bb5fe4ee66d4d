using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>The events of a turn, past and new in one row, and how far the code may go through them.</summary>
internal readonly struct TurnTimeline
{
    private readonly P.WorkflowRequest _request;

    private TurnTimeline(P.WorkflowRequest request, int liveFrom, int suspendedAt, P.ExecutionTerminatedEvent? termination)
    {
        _request = request;
        LiveFrom = liveFrom;
        Termination = termination;
        IsSuspended = suspendedAt >= 0;
        End = IsSuspended ? suspendedAt : request.PastEvents.Count + request.NewEvents.Count;
    }

    /// <summary>The first event that no code has seen yet.</summary>
    public int LiveFrom { get; }

    /// <summary>
    /// Where to stop. A suspended instance stops at its suspension, whatever came since: its code runs for the custom status alone, which the
    /// sidecar drops if an answer lacks it.
    /// </summary>
    public int End { get; }

    public bool IsSuspended { get; }

    /// <summary>Set if the instance is to end in this turn.</summary>
    public P.ExecutionTerminatedEvent? Termination { get; }

    public P.HistoryEvent this[int index] =>
        index < _request.PastEvents.Count ? _request.PastEvents[index] : _request.NewEvents[index - _request.PastEvents.Count];

    public static TurnTimeline Of(P.WorkflowRequest request)
    {
        var past = request.PastEvents.Count;
        int turn = 0, suspendedAt = -1, suspendedTurn = 0, liveFrom = past;
        P.ExecutionTerminatedEvent? termination = null;
        for (var i = 0; i < past + request.NewEvents.Count; i++)
        {
            var entry = i < past ? request.PastEvents[i] : request.NewEvents[i - past];
            switch (entry.EventTypeCase)
            {
                case P.HistoryEvent.EventTypeOneofCase.WorkflowStarted:
                    turn = i;
                    break;
                case P.HistoryEvent.EventTypeOneofCase.ExecutionSuspended when suspendedAt < 0:
                    (suspendedAt, suspendedTurn) = (i, turn);
                    break;
                case P.HistoryEvent.EventTypeOneofCase.ExecutionResumed:
                    // The turns of the suspension are in the past, but they were answered without running the code.
                    if (i >= past && suspendedAt >= 0)
                        liveFrom = Math.Min(liveFrom, suspendedTurn);
                    suspendedAt = -1;
                    break;
                case P.HistoryEvent.EventTypeOneofCase.ExecutionTerminated when i >= past:
                    termination = entry.ExecutionTerminated;
                    break;
            }
        }

        // A suspended instance shows the code nothing new.
        return new TurnTimeline(request, suspendedAt >= 0 ? int.MaxValue : liveFrom, suspendedAt, termination);
    }
}
