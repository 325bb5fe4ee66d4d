using System.Globalization;
using Dapr.DurableTask.Protobuf;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// Runs an ended instance again from one of its actions, as a new instance: the history up to that action is copied, what was open there runs again, children
/// as new instances of theirs.
/// The execution id stays that of the source, since workers derive ids from it that the copied history already holds.
/// </summary>
internal static class WorkflowRerun
{
    /// <summary>The new instance's id.</summary>
    /// <exception cref="WorkflowException">The source is unknown, still runs or is a child; there is no such action; the new id is known.</exception>
    public static async Task<string> RunAsync(WorkflowHub hub, RerunWorkflowFromEventRequest request, CancellationToken cancellationToken)
    {
        await hub.WorkerConnectedAsync(cancellationToken).ConfigureAwait(false);
        var newId = request.HasNewInstanceID && request.NewInstanceID.Length > 0 ? request.NewInstanceID : Guid.NewGuid().ToString();
        var (fork, propagated) = await hub.OnAsync(request.SourceInstanceID, source => Task.FromResult((Fork(hub, source, request, newId), source.Propagated)), cancellationToken).ConfigureAwait(false);
        await hub.OnAsync(newId, async instance =>
        {
            if (instance.Exists)
                throw new WorkflowException(WorkflowRefusal.AlreadyExists, $"workflow '{newId}' has already been created");
            await instance.ForkAsync(fork, propagated, cancellationToken).ConfigureAwait(false);
            hub.Resume(instance);
            return true;
        }, cancellationToken).ConfigureAwait(false);
        return newId;
    }

    private static WorkflowHistory Fork(WorkflowHub hub, WorkflowInstance source, RerunWorkflowFromEventRequest request, string newId)
    {
        if (!source.Exists)
            throw new WorkflowException(WorkflowRefusal.NotFound, $"workflow instance does not exist with ID '{source.Id}'");
        if (source.History.Completed is null)
            throw new WorkflowException(WorkflowRefusal.InvalidRequest, $"'{source.Id}' is not in a terminal state");
        if (source.Started?.ParentInstance is not null)
            throw new WorkflowException(WorkflowRefusal.InvalidRequest, $"'{source.Id}': cannot rerun from child-workflows");
        if (newId == source.Id)
            throw new WorkflowException(WorkflowRefusal.InvalidRequest, "rerun workflow instance ID must be different from the original instance ID");

        var events = source.History.Events;
        var at = -1;
        for (var i = 0; i < events.Count && at < 0; i++)
        {
            if (events[i].EventId == request.EventID && events[i].EventId >= 0)
                at = i;
        }

        if (at < 0)
            throw new WorkflowException(WorkflowRefusal.NotFound, $"does not have history event with ID '{request.EventID}'");
        var target = Retarget(hub, source, events[at].Clone(), request, newId);
        var ended = events.Take(at).Select(e => e.ChildWorkflowInstanceCompleted?.TaskScheduledId ?? e.ChildWorkflowInstanceFailed?.TaskScheduledId).OfType<int>().ToHashSet();
        var fork = new WorkflowHistory();
        for (var i = 0; i < at; i++)
        {
            var e = events[i];
            if (e.ChildWorkflowInstanceCreated is not null && !ended.Contains(e.EventId))
            {
                // It runs again too, beside the source's.
                e = e.Clone();
                e.ChildWorkflowInstanceCreated.InstanceId = ChildId(newId, e.EventId);
            }

            fork.Append(e);
        }

        fork.Append(target);
        return fork;
    }

    private static string ChildId(string parentId, int eventId) => string.Create(CultureInfo.InvariantCulture, $"{parentId}:{eventId:x4}");

    private static HistoryEvent Retarget(WorkflowHub hub, WorkflowInstance source, HistoryEvent target, RerunWorkflowFromEventRequest request, string newId)
    {
        var rerunOf = new RerunParentInstanceInfo { InstanceID = source.Id };
        var childId = request.HasNewChildWorkflowInstanceID && request.NewChildWorkflowInstanceID.Length > 0 ? request.NewChildWorkflowInstanceID : null;
        if (childId is not null && (target.EventTypeCase is Kind.TaskScheduled or Kind.TimerCreated))
            throw new WorkflowException(WorkflowRefusal.InvalidRequest, $"cannot set new child workflow instance ID on {(target.EventTypeCase == Kind.TaskScheduled ? "activity" : "timer")} event '{request.EventID}'");
        switch (target.EventTypeCase)
        {
            case Kind.TaskScheduled:
                target.TaskScheduled.RerunParentInstanceInfo = rerunOf;
                if (request.OverwriteInput)
                    target.TaskScheduled.Input = request.Input;
                break;
            case Kind.TimerCreated:
                if (request.OverwriteInput)
                    throw new WorkflowException(WorkflowRefusal.InvalidRequest, $"cannot write input to timer event '{request.EventID}'");
                if (!source.History.Events.Any(e => e.TimerFired?.TimerId == target.EventId))
                    throw new WorkflowException(WorkflowRefusal.NotFound, $"timer event '{request.EventID}' has not fired and cannot be rerun");
                target.TimerCreated.RerunParentInstanceInfo = rerunOf;
                break;
            case Kind.ChildWorkflowInstanceCreated:
                var child = target.ChildWorkflowInstanceCreated;
                child.RerunParentInstanceInfo = rerunOf;
                if (request.OverwriteInput)
                    child.Input = request.Input;
                child.InstanceId = childId ?? ChildId(newId, target.EventId);
                break;
            default:
                throw new WorkflowException(WorkflowRefusal.NotFound, $"target event '*protos.HistoryEvent_{target.EventTypeCase}' with ID '{request.EventID}' is not an event that can be rerun");
        }

        target.Timestamp = hub.Event(new HistoryEvent()).Timestamp;
        return target;
    }
}
