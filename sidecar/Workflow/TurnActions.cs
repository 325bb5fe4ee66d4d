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

    /// <summary>By the id of an action: what it is shown of the history. Null where no action is shown anything.</summary>
    public Dictionary<int, PropagatedHistory>? Propagated { get; set; }

    /// <summary>Starts of child workflows, each as the child's ExecutionStarted.</summary>
    public List<HistoryEvent> Children { get; } = [];

    public string? CustomStatus { get; init; }

    /// <summary>Continue-as-new: what the next execution begins with, in place of everything above; null otherwise.</summary>
    public List<HistoryEvent>? Continuation { get; set; }

    /// <summary>The end of a child, for its parent; null otherwise.</summary>
    public (ParentInstanceInfo Parent, HistoryEvent Event)? ForParent { get; set; }

    public ExecutionCompletedEvent? Completed { get; set; }

    /// <summary>The worker cannot take the instance further: only this event is appended, and what the turn brought waits. Null otherwise.</summary>
    public HistoryEvent? Stalled { get; set; }
}

/// <summary>Turns the actions that a worker answers with into history and work, as the Durable Task backend of Dapr does.</summary>
internal static class TurnActions
{
    public static TurnEffects Apply(WorkflowHub hub, WorkflowInstance instance, WorkflowTurn turn, WorkflowResponse response)
    {
        var customStatus = string.IsNullOrEmpty(response.CustomStatus) ? null : response.CustomStatus;
        var effects = new TurnEffects { CustomStatus = customStatus };
        var start = instance.Started ?? turn.Items.Select(i => i.Event.ExecutionStarted).First(s => s is not null);
        var terminated = turn.Items.Select(i => i.Event.ExecutionTerminated).LastOrDefault(t => t is not null);
        if (terminated is null && Obstacle(instance.History, start, response) is { } obstacle)
        {
            effects.Stalled = Stall(hub, obstacle.Reason, obstacle.Description);
            return effects;
        }

        // A new execution would not know that it was to end.
        if (terminated is null && response.Actions.FirstOrDefault(IsAgain) is { } again)
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
        foreach (var action in response.Actions.Where(a => !IsAgain(a)))
        {
            Show(hub, instance, start, action, effects);
            ApplyOne(hub, instance.Id, start, action, effects);
        }

        if (terminated is not null && effects.Completed is null)
        {
            effects.Tasks.Clear();
            effects.Timers.Clear();
            effects.Children.Clear();
            Complete(hub, effects, start, -1, new ExecutionCompletedEvent { WorkflowStatus = OrchestrationStatus.Terminated, Result = terminated.Input });
        }

        return effects;
    }

    private static bool IsAgain(WorkflowAction action) => action.CompleteWorkflow?.WorkflowStatus == OrchestrationStatus.ContinuedAsNew;

    /// <summary>An answer to an earlier turn: it takes actions that the history has. Applying it would take them twice.</summary>
    public static bool IsStale(WorkflowInstance instance, WorkflowResponse response)
    {
        foreach (var action in response.Actions)
        {
            if (action.WorkflowActionTypeCase is ActionKind.ScheduleTask or ActionKind.CreateTimer or ActionKind.CreateChildWorkflow or ActionKind.SendEvent && instance.History.HasAction(action.Id))
                return true;
        }

        return false;
    }

    /// <summary>What the actions send to other instances: target app (empty: this one), id, event. A start of an instance is its ExecutionStarted.</summary>
    public static List<(string App, string Id, HistoryEvent Event)> Messages(WorkflowHub hub, WorkflowResponse response)
    {
        var messages = new List<(string, string, HistoryEvent)>();
        foreach (var action in response.Actions)
        {
            var app = action.Router is { HasTargetAppID: true } router ? router.TargetAppID : "";
            switch (action.WorkflowActionTypeCase)
            {
                case ActionKind.SendEvent:
                    messages.Add((app, action.SendEvent.Instance?.InstanceId ?? "", hub.Event(new HistoryEvent { EventRaised = new EventRaisedEvent { Name = action.SendEvent.Name, Input = action.SendEvent.Data } })));
                    break;
                case ActionKind.TerminateWorkflow:
                    var terminate = action.TerminateWorkflow;
                    messages.Add((app, terminate.InstanceId, hub.Event(new HistoryEvent { ExecutionTerminated = new ExecutionTerminatedEvent { Input = terminate.Reason, Recurse = terminate.Recurse } })));
                    break;
                case ActionKind.CreateDetachedWorkflow:
                    var detached = action.CreateDetachedWorkflow;
                    var start = new ExecutionStartedEvent
                    {
                        Name = detached.Name,
                        Version = detached.Version,
                        Input = detached.Input,
                        ScheduledStartTimestamp = detached.ScheduledStartTimestamp,
                        WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = detached.InstanceId, ExecutionId = detached.ExecutionId ?? Guid.NewGuid().ToString() },
                    };
                    start.Tags.Add(detached.Tags);
                    hub.Telemetry.Create(start);
                    messages.Add((app, detached.InstanceId, hub.Event(new HistoryEvent { ExecutionStarted = start, Router = hub.OwnRouter() })));
                    break;
            }
        }

        return messages;
    }

    public static HistoryEvent Stall(WorkflowHub hub, StalledReason reason, string description) =>
        hub.Event(new HistoryEvent { ExecutionStalled = new ExecutionStalledEvent { Reason = reason, Description = description } });

    // A worker with other code than the history was written by: it says so itself, or it lacks patches that were taken.
    private static (StalledReason Reason, string Description)? Obstacle(WorkflowHistory history, ExecutionStartedEvent start, WorkflowResponse response)
    {
        if (response.Actions.Any(a => a.WorkflowActionTypeCase == ActionKind.WorkflowVersionNotAvailable))
            return (StalledReason.VersionNotAvailable, $"Version not available: {history.VersionName ?? start.Name}");
        var taken = history.Patches;
        if (taken.Count == 0 || (response.Version is null && response.Actions.Count == 0))
            return null;
        var given = response.Version?.Patches;
        for (var i = 0; i < taken.Count; i++)
        {
            if (given is null || i >= given.Count || given[i] != taken[i])
                return (StalledReason.PatchMismatch, $"Patch mismatch. History: [{string.Join(", ", taken)}], worker: [{string.Join(", ", given ?? [])}]");
        }

        return null;
    }

    // As the history stands when the action is taken: what comes after it is not shown.
    private static void Show(WorkflowHub hub, WorkflowInstance instance, ExecutionStartedEvent start, WorkflowAction action, TurnEffects effects)
    {
        var scope = action.ScheduleTask?.HistoryPropagationScope ?? action.CreateChildWorkflow?.HistoryPropagationScope ?? HistoryPropagationScope.None;
        if (scope == HistoryPropagationScope.None)
            return;
        (effects.Propagated ??= [])[action.Id] = Propagation.Of(hub, instance, start, [.. instance.History.Events, .. effects.Appended], scope);
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
                        ParentTraceContext = WorkflowTelemetry.OfWorkflow(start),
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
                        ParentTraceContext = WorkflowTelemetry.OfWorkflow(start),
                    },
                }));
                effects.Children.Add(ChildStart(hub, instanceId, start, action.Id, childId, child.Name, child.Version, child.Input, hub.RouterOf(action)));
                break;
            case ActionKind.CompleteWorkflow when effects.Completed is null:
                var completion = action.CompleteWorkflow;
                Complete(hub, effects, start, action.Id, new ExecutionCompletedEvent { WorkflowStatus = completion.WorkflowStatus, Result = completion.Result, FailureDetails = completion.FailureDetails });
                break;
            case ActionKind.SendEvent:
                effects.Appended.Add(Action(hub, action, new HistoryEvent { EventSent = new EventSentEvent { InstanceId = action.SendEvent.Instance?.InstanceId ?? "", Name = action.SendEvent.Name, Input = action.SendEvent.Data } }));
                break;
            case ActionKind.CreateDetachedWorkflow:
                effects.Appended.Add(Action(hub, action, new HistoryEvent { DetachedWorkflowInstanceCreated = new DetachedWorkflowInstanceCreatedEvent { InstanceId = action.CreateDetachedWorkflow.InstanceId } }));
                break;
            case ActionKind.TerminateWorkflow:
            case ActionKind.CompleteWorkflow:
                // Sent before the commit; a second completion has no effect.
                break;
            default:
                hub.LogUnsupportedAction(instanceId, action.WorkflowActionTypeCase);
                break;
        }
    }

    /// <summary>The first event of a child.</summary>
    public static HistoryEvent ChildStart(WorkflowHub hub, string parentId, ExecutionStartedEvent parent, int taskId, string childId, string name, string? version, string? input, TaskRouter router)
    {
        var e = hub.Event(new HistoryEvent
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
        WorkflowTelemetry.Create(e.ExecutionStarted, parent);
        return e;
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
            effects.ForParent = (parent, ChildEnd(hub, parent, completed));
    }

    private static List<HistoryEvent> Continue(WorkflowHub hub, string instanceId, ExecutionStartedEvent start, CompleteWorkflowAction action)
    {
        var next = start.Clone();
        next.Input = action.Result;
        if (action.NewVersion is { Length: > 0 } version)
            next.Version = version;
        next.ScheduledStartTimestamp = null;
        next.WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = instanceId, ExecutionId = Guid.NewGuid().ToString() };
        WorkflowTelemetry.Again(next);
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
