using Dapr.DurableTask.Protobuf;
using Google.Protobuf;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// What a workflow shows an activity or a child of its history (https://docs.dapr.io/developing-applications/building-blocks/workflow/workflow-history-propagation/):
/// the events before the action, and with <see cref="HistoryPropagationScope.Lineage"/> before them what its own parent showed it. Unsigned: signing needs the identity that a sidecar has from Sentry.
/// </summary>
internal static class Propagation
{
    /// <param name="start">Of the execution.</param>
    /// <param name="before">The events before the action.</param>
    public static PropagatedHistory Of(WorkflowHub hub, WorkflowInstance instance, ExecutionStartedEvent start, IEnumerable<HistoryEvent> before, HistoryPropagationScope scope)
    {
        var shown = new PropagatedHistory { Scope = scope };
        if (scope == HistoryPropagationScope.Lineage && instance.Propagated is { } received)
            shown.Chunks.AddRange(received.Chunks);
        var own = new PropagatedHistoryChunk { AppId = hub.AppId, InstanceId = instance.Id, WorkflowName = start.Name };
        own.RawEvents.AddRange(before.Select(e => e.ToByteString()));
        shown.Chunks.Add(own);
        return shown;
    }

    /// <summary>Again what an action of the history was shown; null where that was nothing.</summary>
    public static PropagatedHistory? Again(WorkflowHub hub, WorkflowInstance instance, HistoryEvent action)
    {
        var scope = action.TaskScheduled?.HistoryPropagationScope ?? action.ChildWorkflowInstanceCreated?.HistoryPropagationScope ?? HistoryPropagationScope.None;
        return scope == HistoryPropagationScope.None ? null : Of(hub, instance, instance.Started!, instance.History.Events.TakeWhile(e => !ReferenceEquals(e, action)), scope);
    }
}
