using System.Globalization;
using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using ActionKind = Dapr.DurableTask.Protobuf.WorkflowAction.WorkflowActionTypeOneofCase;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>What a turn changes: events to append, and the work that follows once they are committed.</summary>
internal sealed class TurnEffects
{
    public List<HistoryEvent> Appended { get; } = [];

    public List<HistoryEvent> Tasks { get; } = [];

    public List<HistoryEvent> Timers { get; } = [];

    /// <summary>Starts of child workflows, each as the child's ExecutionStarted.</summary>
    public List<HistoryEvent> Children { get; } = [];

    public string? CustomStatus { get; init; }

    /// <summary>Continue-as-new: what the next execution begins with, in place of everything above; null otherwise.</summary>
    public List<HistoryEvent>? Continuation { get; set; }

    /// <summary>The end of a child, for its parent; null otherwise.</summary>
    public (string ParentId, HistoryEvent Event)? ForParent { get; set; }

    public ExecutionCompletedEvent? Completed { get; set; }
}

/// <summary>Turns the actions that a worker answers with into history and work, as the Durable Task backend of Dapr does.</summary>
internal static class TurnActions
{
    public static TurnEffects Apply(WorkflowHub hub, WorkflowInstance instance, WorkflowTurn turn, WorkflowResponse response)
    {
        var customStatus = string.IsNullOrEmpty(response.CustomStatus) ? null : response.CustomStatus;
        var effects = new TurnEffects { CustomStatus = customStatus };
        var start = instance.Started ?? turn.Items.Select(i => i.Event.ExecutionStarted).First(s => s is not null);
        if (response.Actions.FirstOrDefault(a => a.CompleteWorkflow?.WorkflowStatus == OrchestrationStatus.ContinuedAsNew) is { } again)
        {
            effects.Continuation = Continue(hub, instance.Id, start, again.CompleteWorkflow);
            return effects;
        }

        var opening = turn.Opening;
        if (response.Version is { } version)
        {
            var fresh = new WorkflowVersion();
            fresh.Patches.AddRange(version.Patches.Where(p => !instance.History.Patches.Contains(p)).Distinct());
            if (version.HasName && version.Patches.Count == 0)
                fresh.Name = version.Name;
            if (fresh.Patches.Count > 0 || fresh.HasName)
                opening.WorkflowStarted.Version = fresh;
        }

        effects.Appended.Add(opening);
        effects.Appended.AddRange(turn.Items.Select(i => i.Event));
        var terminated = turn.Items.Select(i => i.Event.ExecutionTerminated).LastOrDefault(t => t is not null);
        foreach (var action in response.Actions)
            ApplyOne(hub, instance.Id, start, action, effects);

        if (terminated is not null && effects.Completed is null)
        {
            effects.Tasks.Clear();
            effects.Timers.Clear();
            effects.Children.Clear();
            Complete(hub, effects, start, -1, new ExecutionCompletedEvent { WorkflowStatus = OrchestrationStatus.Terminated, Result = terminated.Input });
        }

        return effects;
    }

    private static void ApplyOne(WorkflowHub hub, string instanceId, ExecutionStartedEvent start, WorkflowAction action, TurnEffects effects)
    {
        switch (action.WorkflowActionTypeCase)
        {
            case ActionKind.ScheduleTask:
                var task = action.ScheduleTask;
                var scheduled = Action(hub, action, new HistoryEvent
                {
                    TaskScheduled = new TaskScheduledEvent
                    {
                        Name = task.Name, Version = task.Version, Input = task.Input, TaskExecutionId = task.TaskExecutionId, HistoryPropagationScope = task.HistoryPropagationScope,
                    },
                });
                effects.Appended.Add(scheduled);
                effects.Tasks.Add(scheduled);
                break;
            case ActionKind.CreateTimer:
                var created = Action(hub, action, new HistoryEvent { TimerCreated = Timer(action.CreateTimer) });
                effects.Appended.Add(created);
                effects.Timers.Add(created);
                break;
            case ActionKind.CreateChildWorkflow:
                var child = action.CreateChildWorkflow;
                var childId = child.InstanceId.Length > 0 ? child.InstanceId : string.Create(CultureInfo.InvariantCulture, $"{instanceId}:{action.Id:x4}");
                effects.Appended.Add(Action(hub, action, new HistoryEvent
                {
                    ChildWorkflowInstanceCreated = new ChildWorkflowInstanceCreatedEvent
                    {
                        InstanceId = childId, Name = child.Name, Version = child.Version, Input = child.Input, HistoryPropagationScope = child.HistoryPropagationScope,
                    },
                }));
                effects.Children.Add(ChildStart(hub, instanceId, start, action.Id, childId, child.Name, child.Version, child.Input, hub.RouterOf(action)));
                break;
            case ActionKind.CompleteWorkflow when effects.Completed is null:
                var completion = action.CompleteWorkflow;
                Complete(hub, effects, start, action.Id, new ExecutionCompletedEvent { WorkflowStatus = completion.WorkflowStatus, Result = completion.Result, FailureDetails = completion.FailureDetails });
                break;
            case ActionKind.WorkflowVersionNotAvailable:
                effects.Appended.Add(hub.Event(new HistoryEvent { ExecutionStalled = new ExecutionStalledEvent { Reason = StalledReason.VersionNotAvailable, Description = "the workflow's version is not available" } }));
                break;
            default:
                hub.LogUnsupportedAction(instanceId, action.WorkflowActionTypeCase);
                break;
        }
    }

    /// <summary>The first event of a child.</summary>
    public static HistoryEvent ChildStart(WorkflowHub hub, string parentId, ExecutionStartedEvent parent, int taskId, string childId, string name, string? version, string? input, TaskRouter router)
    {
        return hub.Event(new HistoryEvent
        {
            Router = router,
            ExecutionStarted = new ExecutionStartedEvent
            {
                Name = name,
                Version = version,
                Input = input,
                WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = childId, ExecutionId = Guid.NewGuid().ToString() },
                ParentInstance = new ParentInstanceInfo
                {
                    TaskScheduledId = taskId,
                    Name = parent.Name,
                    AppID = hub.AppId,
                    WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = parentId, ExecutionId = parent.WorkflowInstance?.ExecutionId },
                },
            },
        });
    }

    /// <summary>What a parent is told of a child's end.</summary>
    public static HistoryEvent ChildEnd(WorkflowHub hub, ParentInstanceInfo parent, ExecutionCompletedEvent completed)
    {
        var e = hub.Event(new HistoryEvent { Router = new TaskRouter { SourceAppID = hub.AppId, TargetAppID = parent.HasAppID ? parent.AppID : hub.AppId } });
        if (completed.WorkflowStatus == OrchestrationStatus.Completed)
            e.ChildWorkflowInstanceCompleted = new ChildWorkflowInstanceCompletedEvent { TaskScheduledId = parent.TaskScheduledId, Result = completed.Result };
        else
            e.ChildWorkflowInstanceFailed = new ChildWorkflowInstanceFailedEvent { TaskScheduledId = parent.TaskScheduledId, FailureDetails = completed.FailureDetails };
        return e;
    }

    private static void Complete(WorkflowHub hub, TurnEffects effects, ExecutionStartedEvent start, int id, ExecutionCompletedEvent completed)
    {
        effects.Completed = completed;
        var e = hub.Event(new HistoryEvent { ExecutionCompleted = completed, Router = hub.OwnRouter() });
        e.EventId = id;
        effects.Appended.Add(e);
        if (start.ParentInstance is { } parent)
            effects.ForParent = (parent.WorkflowInstance.InstanceId, ChildEnd(hub, parent, completed));
    }

    private static List<HistoryEvent> Continue(WorkflowHub hub, string instanceId, ExecutionStartedEvent start, CompleteWorkflowAction action)
    {
        var next = start.Clone();
        next.Input = action.Result;
        if (action.NewVersion is { Length: > 0 } version)
            next.Version = version;
        next.ScheduledStartTimestamp = null;
        next.WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = instanceId, ExecutionId = Guid.NewGuid().ToString() };
        return [hub.Event(new HistoryEvent { ExecutionStarted = next, Router = hub.OwnRouter() }), .. action.CarryoverEvents.Where(e => e.EventTypeCase == Kind.EventRaised)];
    }

    private static HistoryEvent Action(WorkflowHub hub, WorkflowAction action, HistoryEvent e)
    {
        e = hub.Event(e);
        e.EventId = action.Id;
        e.Router = hub.RouterOf(action);
        return e;
    }

    private static TimerCreatedEvent Timer(CreateTimerAction action)
    {
        // No time at all is due at once.
        var timer = new TimerCreatedEvent { FireAt = action.FireAt ?? new Timestamp() };
        if (action.HasName)
            timer.Name = action.Name;
        switch (action.OriginCase)
        {
            case CreateTimerAction.OriginOneofCase.CreateTimer:
                timer.CreateTimer = action.CreateTimer;
                break;
            case CreateTimerAction.OriginOneofCase.ExternalEvent:
                timer.ExternalEvent = action.ExternalEvent;
                break;
            case CreateTimerAction.OriginOneofCase.ActivityRetry:
                timer.ActivityRetry = action.ActivityRetry;
                break;
            case CreateTimerAction.OriginOneofCase.ChildWorkflowRetry:
                timer.ChildWorkflowRetry = action.ChildWorkflowRetry;
                break;
        }

        return timer;
    }
}
