using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>What follows from commits and from time: activities, timers, children, messages, and all of them again after a restart.</summary>
internal sealed partial class WorkflowHub
{
    private const int RecoveredAtATime = 256;

    /// <summary>Whether an action is another app's to do.</summary>
    public bool IsElsewhere(HistoryEvent action, out string app)
    {
        app = action.Router is { HasTargetAppID: true } router ? router.TargetAppID : "";
        return app.Length > 0 && app != AppId;
    }

    /// <summary>An instance whose history has outgrown what a worker can be sent.</summary>
    public void Stall(WorkflowInstance instance) => Background(() => OnAsync(instance.Id, async i =>
    {
        if (i.Turn is null && !i.IsIdle)
            await StallAsync(i, "the history").ConfigureAwait(false);
        return true;
    }, _stopping.Token));

    /// <summary>Starts a child for a workflow of another app, unless it is there already, and waits for its end: the event for the parent.</summary>
    public async Task<HistoryEvent> RunChildAsync(HistoryEvent start, PropagatedHistory? propagated, CancellationToken cancellationToken)
    {
        var child = start.ExecutionStarted;
        await WorkerConnectedAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            HistoryEvent? end = null;
            var durable = Task.CompletedTask;
            var ended = Task.CompletedTask;
            await OnAsync(child.WorkflowInstance.InstanceId, instance =>
            {
                var isOurs = instance.ExecutionId == child.WorkflowInstance.ExecutionId || IsChildOf(instance, child.ParentInstance);
                if (instance.Exists && isOurs && instance.History.Completed is { } completed)
                {
                    end = TurnActions.ChildEnd(this, child.ParentInstance, completed);
                    return Task.FromResult(true);
                }

                if (!instance.Exists || instance.History.Completed is not null)
                    durable = instance.StartAsync(start, propagated);
                else if (!isOurs)
                    end = Taken(child);
                if (end is null)
                    ended = instance.WaitAsync(WorkflowClient.IsTerminal);
                return Task.FromResult(true);
            }, cancellationToken).ConfigureAwait(false);
            if (end is not null)
                return end;
            await durable.WaitAsync(cancellationToken).ConfigureAwait(false);
            using var closing = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
            await ended.WaitAsync(closing.Token).ConfigureAwait(false);
        }
    }

    // What follows from a commit. Nothing here is lost by a crash: RecoverAsync finds it again in the history.
    private void Follow(string id, ExecutionStartedEvent start, TurnEffects effects)
    {
        var executionId = start.WorkflowInstance?.ExecutionId ?? "";
        foreach (var task in effects.Tasks)
            Dispatch(id, start, task, effects.Propagated?.GetValueOrDefault(task.EventId));
        foreach (var timer in effects.Timers)
            _timers.Add((id, executionId, timer), DueAt(timer));
        foreach (var child in effects.Children)
        {
            var propagated = effects.Propagated?.GetValueOrDefault(child.ExecutionStarted.ParentInstance.TaskScheduledId);
            Background(() => StartChildAsync(id, executionId, child, propagated));
        }

        if (effects.Completed is { } completed && effects.Continuation is null && Settings.RetentionOf(completed.WorkflowStatus) is { } retention)
            _expiries.Add((id, executionId), Time.GetUtcNow() + retention);
        // Another app waits for the end of its children itself.
        if (effects.ForParent is { } end && (!end.Parent.HasAppID || end.Parent.AppID.Length == 0 || end.Parent.AppID == AppId))
            Background(() => TellParentAsync(end.Parent, end.Event));
    }

    // Only the execution that made the child: ids of actions begin anew with each, so that another would take its end for that of a child of its own.
    private async Task TellParentAsync(ParentInstanceInfo parent, HistoryEvent end)
    {
        var (id, execution) = (parent.WorkflowInstance.InstanceId, parent.WorkflowInstance.ExecutionId ?? "");
        if (execution.Length == 0)
            await PostAsync(id, end, _stopping.Token).ConfigureAwait(false);
        else if (await ResolveAsync(id, execution, end, _stopping.Token).ConfigureAwait(false) is { } durable)
            await durable.WaitAsync(_stopping.Token).ConfigureAwait(false);
    }

    private Task StallAsync(WorkflowInstance instance, string what) =>
        instance.StallAsync(TurnActions.Stall(this, StalledReason.PayloadSizeExceeded, $"{what} exceeds {LargestTurn} bytes"), _stopping.Token);

    private void Dispatch(string id, ExecutionStartedEvent start, HistoryEvent scheduled, PropagatedHistory? propagated)
    {
        var executionId = start.WorkflowInstance?.ExecutionId ?? "";
        var size = (long)scheduled.CalculateSize() + (propagated?.CalculateSize() ?? 0);
        Telemetry.Sized(start.Name, scheduled.TaskScheduled.Name, size, Settings.MaxMessageSize);
        if (size > LargestTurn)
        {
            // It stays open, and is tried again after a restart, which may allow larger messages.
            Background(() => OnAsync(id, async i =>
            {
                if (i.ExecutionId == executionId && i.Turn is null && i.History.OpenTasks.ContainsKey(scheduled.EventId))
                    await StallAsync(i, $"what activity '{scheduled.TaskScheduled.Name}' is given").ConfigureAwait(false);
                return true;
            }, _stopping.Token));
            return;
        }

        if (propagated is not null)
            LogUnsigned("activity", scheduled.TaskScheduled.Name);
        if (IsElsewhere(scheduled, out var app))
        {
            Background(() => RunElsewhereAsync(id, executionId, app, scheduled, propagated));
            return;
        }

        var asked = Time.GetTimestamp();
        Enter(new ActivityTask(id, executionId, scheduled) { Propagated = propagated });
        Telemetry.Requested(scheduled, success: true, Time.GetElapsedTime(asked));
    }

    private HistoryEvent ActivityEnd(HistoryEvent scheduled, ActivityResponse response, string app)
    {
        var e = Event(new HistoryEvent { Router = new TaskRouter { SourceAppID = app } });
        var executionId = scheduled.TaskScheduled.TaskExecutionId;
        if (response.FailureDetails is { } failure)
            e.TaskFailed = new TaskFailedEvent { TaskScheduledId = scheduled.EventId, FailureDetails = failure, TaskExecutionId = executionId };
        else
            e.TaskCompleted = new TaskCompletedEvent { TaskScheduledId = scheduled.EventId, Result = response.Result, TaskExecutionId = executionId };
        return e;
    }

    // Posts what resolves an action to the execution that took it; null when that is over.
    private async Task<Task?> ResolveAsync(string id, string executionId, HistoryEvent e, CancellationToken cancellationToken)
    {
        Task? durable = null;
        await OnAsync(id, instance =>
        {
            if (instance.ExecutionId == executionId)
                durable = instance.PostAsync(e);
            return Task.FromResult(true);
        }, cancellationToken).ConfigureAwait(false);
        return durable;
    }

    private async Task RunElsewhereAsync(string id, string executionId, string app, HistoryEvent scheduled, PropagatedHistory? propagated)
    {
        var task = scheduled.TaskScheduled;
        var request = new ActivityRequest
        {
            Name = task.Name,
            Version = task.Version,
            Input = task.Input,
            TaskId = scheduled.EventId,
            TaskExecutionId = task.TaskExecutionId,
            ParentTraceContext = task.ParentTraceContext,
            PropagatedHistory = propagated,
            WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = id, ExecutionId = executionId },
        };
        var start = Time.GetTimestamp();
        var response = await ElsewhereAsync(id, executionId, app, history => history.OpenTasks.ContainsKey(scheduled.EventId), peer => peer.RunActivityAsync(request, _stopping.Token)).ConfigureAwait(false);
        Telemetry.Requested(scheduled, response is not null, Time.GetElapsedTime(start));
        if (response is not null)
            await ResolveAsync(id, executionId, ActivityEnd(scheduled, response, app), _stopping.Token).ConfigureAwait(false);
    }

    // Asks another app until it has answered, or nobody is interested any more: then null.
    private async Task<T?> ElsewhereAsync<T>(string id, string executionId, string app, Func<WorkflowHistory, bool> isOpen, Func<IWorkflowEngine, Task<T>> ask)
        where T : class
    {
        for (var isFirst = true; ; isFirst = false)
        {
            if (!isFirst && !await OnAsync(id, i => Task.FromResult(i.ExecutionId == executionId && i.History.Completed is null && isOpen(i.History)), _stopping.Token).ConfigureAwait(false))
                return null;
            try
            {
                if (await Peers.FindAsync(app, _stopping.Token).ConfigureAwait(false) is { } peer)
                    return await ask(peer).ConfigureAwait(false);
                if (isFirst)
                    LogElsewhereFailed(id, app, "the app is not there");
            }
            catch (HubMovedException e)
            {
                LogElsewhereFailed(id, app, e.InnerException?.Message ?? e.Message);
            }

            await Task.Delay(RetryAfterFailure, Time, _stopping.Token).ConfigureAwait(false);
        }
    }

    // What one workflow sends to another. A message to nobody is dropped, and one that is refused.
    private async Task SendAsync(string app, string id, HistoryEvent e)
    {
        try
        {
            await TrySendAsync(app, id, e).ConfigureAwait(false);
        }
        catch (WorkflowException refused)
        {
            LogDropped(id, refused.Message);
        }
    }

    private async Task TrySendAsync(string app, string id, HistoryEvent e)
    {
        IWorkflowEngine? peer = null;
        if (app.Length > 0 && app != AppId)
        {
            peer = await Peers.FindAsync(app, _stopping.Token).ConfigureAwait(false);
            if (peer is null)
            {
                LogDropped(id, $"the app {app} is not there");
                return;
            }
        }

        var found = true;
        if (e.ExecutionStarted is { } start)
        {
            if (peer is not null)
                await peer.StartAsync(id, start.Name, start.Input, start.ScheduledStartTimestamp, start.ParentTraceContext, _stopping.Token).ConfigureAwait(false);
            else
                found = await StartDetachedAsync(id, e).ConfigureAwait(false);
        }
        else
        {
            found = await (peer is not null ? peer.PostAsync(id, e, _stopping.Token) : PostAsync(id, e, _stopping.Token)).ConfigureAwait(false);
        }

        if (!found)
            LogDropped(id, e.ExecutionStarted is null ? "there is no such instance" : "an active instance has the id");
    }

    private async Task<bool> StartDetachedAsync(string id, HistoryEvent start)
    {
        Task? durable = null;
        await OnAsync(id, instance =>
        {
            if (!instance.Exists || instance.History.Completed is not null)
                durable = instance.StartAsync(start);
            return Task.FromResult(true);
        }, _stopping.Token).ConfigureAwait(false);
        if (durable is null)
            return false;
        await durable.ConfigureAwait(false);
        return true;
    }

    private async Task StartChildAsync(string parentId, string parentExecution, HistoryEvent start, PropagatedHistory? propagated)
    {
        var child = start.ExecutionStarted;
        if (propagated is not null)
            LogUnsigned("child workflow", child.WorkflowInstance.InstanceId);
        if (IsElsewhere(start, out var app))
        {
            var id = child.ParentInstance.TaskScheduledId;
            if (await ElsewhereAsync(parentId, parentExecution, app, history => history.OpenChildren.ContainsKey(id), peer => peer.RunChildAsync(start, propagated, _stopping.Token)).ConfigureAwait(false) is { } end)
                await ResolveAsync(parentId, parentExecution, end, _stopping.Token).ConfigureAwait(false);
            return;
        }

        var taken = false;
        await OnAsync(child.WorkflowInstance.InstanceId, instance =>
        {
            if (!instance.Exists || instance.History.Completed is not null)
                _ = instance.StartAsync(start, propagated);
            else
                taken = instance.ExecutionId != child.WorkflowInstance.ExecutionId && !IsChildOf(instance, child.ParentInstance);
            return Task.FromResult(true);
        }, _stopping.Token).ConfigureAwait(false);
        if (taken)
            await TellParentAsync(child.ParentInstance, Taken(child)).ConfigureAwait(false);
    }

    private HistoryEvent Taken(ExecutionStartedEvent child) => Event(new HistoryEvent
    {
        Router = new TaskRouter { SourceAppID = AppId, TargetAppID = child.ParentInstance is { HasAppID: true } parent ? parent.AppID : AppId },
        ChildWorkflowInstanceFailed = new ChildWorkflowInstanceFailedEvent
        {
            TaskScheduledId = child.ParentInstance.TaskScheduledId,
            FailureDetails = new TaskFailureDetails
            {
                ErrorType = "WorkflowInstanceAlreadyExists",
                ErrorMessage = $"an active workflow with ID '{child.WorkflowInstance.InstanceId}' already exists",
            },
        },
    });

    private static bool IsChildOf(WorkflowInstance instance, ParentInstanceInfo parent) =>
        (instance.Started ?? instance.StartInInbox?.ExecutionStarted)?.ParentInstance is { } own && own.TaskScheduledId == parent.TaskScheduledId
        && own.WorkflowInstance.InstanceId == parent.WorkflowInstance.InstanceId && own.WorkflowInstance.ExecutionId == parent.WorkflowInstance.ExecutionId;

    // Children are told before the parent's end is committed: afterwards nobody would remember to.
    private async Task TerminateChildrenFirstAsync(WorkflowInstance instance, WorkflowTurn turn)
    {
        if (turn.Items.Select(i => i.Event.ExecutionTerminated).LastOrDefault(t => t is not null) is not { Recurse: true } terminated)
            return;
        foreach (var created in instance.History.OpenChildren.Values.ToArray())
        {
            var child = created.ChildWorkflowInstanceCreated.InstanceId;
            var e = Event(new HistoryEvent { ExecutionTerminated = new ExecutionTerminatedEvent { Input = terminated.Input, Recurse = true } });
            if (IsElsewhere(created, out var app))
            {
                await SendAsync(app, child, e).ConfigureAwait(false);
                continue;
            }

            await OnAsync(child, async c =>
            {
                if (c.Exists)
                {
                    _ = c.PostAsync(e);
                    await c.PersistInboxAsync(_stopping.Token).ConfigureAwait(false);
                }

                return true;
            }, _stopping.Token).ConfigureAwait(false);
        }
    }

    private Task FireAsync(string id, string executionId, HistoryEvent timer) => OnAsync(id, instance =>
    {
        if (instance.ExecutionId != executionId || !instance.History.OpenTimers.ContainsKey(timer.EventId))
            return Task.FromResult(false);
        _ = instance.PostAsync(Event(new HistoryEvent { TimerFired = new TimerFiredEvent { FireAt = timer.TimerCreated.FireAt, TimerId = timer.EventId } }));
        Telemetry.Fired(id, instance.Started, timer);
        return Task.FromResult(true);
    }, _stopping.Token);

    private Task WakeAsync(string id, bool recover) => recover ? RecoverAsync(id, _stopping.Token) : OnAsync(id, instance =>
    {
        instance.TryBeginTurn();
        return Task.FromResult(true);
    }, _stopping.Token);

    private async Task PersistAsync(WorkflowInstance instance)
    {
        try
        {
            await OnAsync(instance.Id, async i =>
            {
                await i.PersistInboxAsync(_stopping.Token).ConfigureAwait(false);
                return true;
            }, _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogTurnFailed(instance.Id, e);
            await OnAsync(instance.Id, i =>
            {
                i.Invalidate(e);
                return Task.FromResult(true);
            }, _stopping.Token).ConfigureAwait(false);
            _wakeUps.Add((instance.Id, true), Time.GetUtcNow() + RetryAfterFailure);
        }
    }

    // At the first worker after a start: everything that had not ended goes on from its history.
    private async Task RecoverAsync(CancellationToken cancellationToken)
    {
        string? page = null;
        while (true)
        {
            try
            {
                var (ids, next) = await Storage.OpenAsync(page, RecoveredAtATime, cancellationToken).ConfigureAwait(false);
                foreach (var id in ids)
                    await RecoverAsync(id, cancellationToken).ConfigureAwait(false);
                if ((page = next) is null)
                    return;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogRecoveryFailed(e);
                await Task.Delay(RetryAfterFailure, Time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // One that cannot be read keeps no other from going on.
    private async Task RecoverAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            await OnAsync(id, RecoverAsync, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            LogDamaged(id, e.Message);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogTurnFailed(id, e);
            _wakeUps.Add((id, true), Time.GetUtcNow() + RetryAfterFailure);
        }
    }

    private Task<bool> RecoverAsync(WorkflowInstance instance)
    {
        if (instance.LacksRecovery)
            Resume(instance);
        return Task.FromResult(true);
    }

    private Task ExpireAsync(string id, string executionId) => OnAsync(id, async instance =>
    {
        if (instance.ExecutionId != executionId || instance.History.Completed is null)
            return false;
        var start = Time.GetTimestamp();
        await instance.PurgeAsync(_stopping.Token).ConfigureAwait(false);
        Telemetry.Expired(Time.GetElapsedTime(start));
        return true;
    }, _stopping.Token);

    // A child that was never made is made; the end of one that its parent was not told is told.
    private async Task RecoverChildAsync(string parentId, ExecutionStartedEvent parent, HistoryEvent created, PropagatedHistory? propagated)
    {
        var child = created.ChildWorkflowInstanceCreated;
        var start = TurnActions.ChildStart(this, parentId, parent, created.EventId, child.InstanceId, child.Name, child.Version, child.Input, created.Router ?? OwnRouter());
        if (IsElsewhere(created, out _))
        {
            await StartChildAsync(parentId, parent.WorkflowInstance?.ExecutionId ?? "", start, propagated).ConfigureAwait(false);
            return;
        }

        HistoryEvent? end = null;
        await OnAsync(child.InstanceId, instance =>
        {
            if (instance.History.Completed is { } completed && IsChildOf(instance, start.ExecutionStarted.ParentInstance))
                end = TurnActions.ChildEnd(this, start.ExecutionStarted.ParentInstance, completed);
            return Task.FromResult(true);
        }, _stopping.Token).ConfigureAwait(false);
        if (end is not null)
            await TellParentAsync(start.ExecutionStarted.ParentInstance, end).ConfigureAwait(false);
        else
            await StartChildAsync(parentId, parent.WorkflowInstance?.ExecutionId ?? "", start, propagated).ConfigureAwait(false);
    }

    private static DateTimeOffset DueAt(HistoryEvent timer)
    {
        var fireAt = timer.TimerCreated.FireAt;
        // Beyond what a DateTimeOffset holds is never; to the next tick, so that it is never early.
        return fireAt.Seconds >= DateTimeOffset.MaxValue.ToUnixTimeSeconds() ? DateTimeOffset.MaxValue
            : fireAt.Seconds <= 0 ? DateTimeOffset.UnixEpoch
            : DateTimeOffset.FromUnixTimeSeconds(fireAt.Seconds).AddTicks((fireAt.Nanos + 99) / 100);
    }

    private sealed class NoPeers : IWorkflowPeers
    {
        public static NoPeers Instance { get; } = new();

        public ValueTask<IWorkflowEngine?> FindAsync(string appId, CancellationToken cancellationToken) => new((IWorkflowEngine?)null);
    }
}
