using System.Collections.Concurrent;
using System.Threading.Channels;
using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using ActionKind = Dapr.DurableTask.Protobuf.WorkflowAction.WorkflowActionTypeOneofCase;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// The workflow engine of one app: its instances, its workers, its timers. Nothing polls: an event begins a turn, a turn's commit releases its work.
/// Idle instances are forgotten beyond <see cref="IdleLimit"/> and read again when something happens to them.
/// </summary>
internal sealed partial class WorkflowHub : IAsyncDisposable
{
    private const int IdleLimit = 2048;

    // An event that no turn has committed for so long is written on its own.
    private static readonly TimeSpan PersistAfter = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryAfterFailure = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, WorkflowInstance> _instances = new(StringComparer.Ordinal);
    private readonly LinkedList<WorkflowInstance> _idle = [];
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<(string Instance, int Task), ActivityTask> _activities = new();
    private readonly Channel<IWorkerTask> _work = Channel.CreateUnbounded<IWorkerTask>();
    private readonly TimerQueue<(string Instance, string Execution, HistoryEvent Timer)> _timers;
    private readonly TimerQueue<(string Instance, bool Recover)> _wakeUps;
    private readonly TimerQueue<WorkflowInstance> _unpersisted;
    private readonly TimerQueue<(string Instance, string Execution)> _expiries;
    private readonly ConcurrencyLimit _turnLimit;
    private readonly ConcurrencyLimit _activityLimit;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ILogger _logger;
    private readonly HashSet<string> _retried = [];
    private TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? _recovery;
    private int _workers;

    public WorkflowHub(WorkflowStorage storage, string appId, WorkflowSettings settings, TimeProvider time, ILoggerFactory loggers)
    {
        Storage = storage;
        AppId = appId;
        Settings = settings;
        Time = time;
        _turnLimit = new ConcurrencyLimit(settings.MaxWorkflows, task => _work.Writer.TryWrite(task));
        _activityLimit = new ConcurrencyLimit(settings.MaxActivities, task => _work.Writer.TryWrite(task));
        _expiries = new(time, due => Background(() => ExpireAsync(due.Instance, due.Execution)));
        _logger = loggers.CreateLogger("dapr.runtime.wfengine");
        _timers = new(time, due => Background(() => FireAsync(due.Instance, due.Execution, due.Timer)));
        _wakeUps = new(time, due => Background(() => WakeAsync(due.Instance, due.Recover)));
        _unpersisted = new(time, instance => Background(() => PersistAsync(instance)));
    }

    public WorkflowStorage Storage { get; }

    public string AppId { get; }

    public WorkflowSettings Settings { get; }

    public TimeProvider Time { get; }

    public int Workers => Volatile.Read(ref _workers);

    public bool HasWorkers => Workers > 0;

    /// <summary>Ends once a worker is connected: writes wait for that, as in daprd.</summary>
    public Task WorkerConnectedAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
            return HasWorkers ? Task.CompletedTask : _connected.Task.WaitAsync(cancellationToken);
    }

    public TaskRouter OwnRouter() => new() { SourceAppID = AppId };

    public TaskRouter RouterOf(WorkflowAction action)
    {
        var router = OwnRouter();
        var given = action.Router ?? action.ScheduleTask?.Router ?? action.CreateChildWorkflow?.Router;
        if (given is { HasTargetAppID: true } && given.TargetAppID.Length > 0)
            router.TargetAppID = given.TargetAppID;
        return router;
    }

    /// <summary>An event from outside, stamped with the time.</summary>
    public HistoryEvent Event(HistoryEvent e)
    {
        e.EventId = -1;
        e.Timestamp = Timestamp.FromDateTimeOffset(Time.GetUtcNow());
        return e;
    }

    /// <summary>Runs an operation on an instance, alone with it.</summary>
    public async Task<T> OnAsync<T>(string id, Func<WorkflowInstance, Task<T>> work, CancellationToken cancellationToken)
    {
        var instance = Acquire(id);
        try
        {
            await instance.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await instance.EnsureLoadedAsync(cancellationToken).ConfigureAwait(false);
                return await work(instance).ConfigureAwait(false);
            }
            finally
            {
                instance.Gate.Release();
            }
        }
        finally
        {
            Release(instance);
        }
    }

    /// <summary>Posts an event to an instance that exists; ends when it is durable. False when there is no such instance.</summary>
    public async Task<bool> PostAsync(string id, HistoryEvent e, CancellationToken cancellationToken)
    {
        Task? durable = null;
        await OnAsync(id, instance =>
        {
            durable = instance.Exists ? instance.PostAsync(e) : null;
            return Task.FromResult(true);
        }, cancellationToken).ConfigureAwait(false);
        if (durable is null)
            return false;
        await durable.WaitAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Serves one GetWorkItems call until the worker leaves.</summary>
    public async Task ServeWorkerAsync(IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        var stream = new WorkerStream();
        LogConnected();
        WorkerArrived();
        try
        {
            await stream.RunAsync(_work.Reader, IsWanted, writer, ended.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The worker has left, or the sidecar ends.
        }
        finally
        {
            WorkerLeft();
            foreach (var task in stream.TakeBack())
                _work.Writer.TryWrite(task);
            LogDisconnected();
        }

        if (_stopping.IsCancellationRequested)
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "the sidecar is shutting down"));
    }

    /// <summary>A worker's answer to a turn. One that matches no turn under way is ignored, as in daprd.</summary>
    public async Task CompleteTurnAsync(WorkflowResponse response, CancellationToken cancellationToken)
    {
        TurnEffects? effects = null;
        string executionId = "";
        await OnAsync(response.InstanceId, async instance =>
        {
            if (instance.Turn is not { Stream: not null } turn)
                return false;
            turn.Stream.Answered(turn);
            _turnLimit.Leave();
            await TerminateChildrenFirstAsync(instance, turn).ConfigureAwait(false);
            try
            {
                executionId = instance.Started?.WorkflowInstance?.ExecutionId ?? turn.Items[0].Event.ExecutionStarted?.WorkflowInstance?.ExecutionId ?? "";
                effects = await instance.CompleteTurnAsync(response, _stopping.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogTurnFailed(response.InstanceId, e);
                instance.Invalidate(e);
                _wakeUps.Add((response.InstanceId, true), Time.GetUtcNow() + RetryAfterFailure);
            }

            return true;
        }, cancellationToken).ConfigureAwait(false);
        if (effects is not null)
            Follow(response.InstanceId, executionId, effects);
    }

    /// <summary>A worker's answer to an activity. The first one counts.</summary>
    public async Task CompleteActivityAsync(ActivityResponse response, CancellationToken cancellationToken)
    {
        if (!_activities.TryRemove((response.InstanceId, response.TaskId), out var activity))
            return;
        activity.Stream?.Answered(activity);
        _activityLimit.Leave();
        var e = Event(new HistoryEvent { Router = OwnRouter() });
        if (response.FailureDetails is { } failure)
            e.TaskFailed = new TaskFailedEvent { TaskScheduledId = response.TaskId, FailureDetails = failure, TaskExecutionId = activity.Scheduled.TaskScheduled.TaskExecutionId };
        else
            e.TaskCompleted = new TaskCompletedEvent { TaskScheduledId = response.TaskId, Result = response.Result, TaskExecutionId = activity.Scheduled.TaskScheduled.TaskExecutionId };
        Task? durable = null;
        await OnAsync(response.InstanceId, instance =>
        {
            if (instance.ExecutionId == activity.ExecutionId)
                durable = instance.PostAsync(e);
            return Task.FromResult(true);
        }, cancellationToken).ConfigureAwait(false);
        if (durable is not null)
            await durable.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Hand(WorkflowTurn turn) => _turnLimit.Enter(turn);

    /// <summary>Lets everything that is open in an instance's history go on.</summary>
    public void Resume(WorkflowInstance instance)
    {
        var history = instance.History;
        foreach (var task in history.OpenTasks.Values)
        {
            if (!_activities.ContainsKey((instance.Id, task.EventId)))
                Dispatch(instance.Id, instance.ExecutionId, task);
        }

        foreach (var timer in history.OpenTimers.Values)
            _timers.Add((instance.Id, instance.ExecutionId, timer), DueAt(timer));
        if (history.Completed is { } completed)
        {
            if (Settings.RetentionOf(completed.WorkflowStatus) is { } retention && history.CompletedAt is { } at)
                _expiries.Add((instance.Id, instance.ExecutionId), at.ToDateTimeOffset() + retention);
        }
        else
        {
            foreach (var child in history.OpenChildren.Values)
                Background(() => RecoverChildAsync(instance.Id, instance.Started!, child));
        }

        instance.TryBeginTurn();
    }

    public void PersistSoon(WorkflowInstance instance) => _unpersisted.Add(instance, Time.GetUtcNow() + PersistAfter);

    public void ScheduleStart(WorkflowInstance instance, DateTimeOffset due) => _wakeUps.Add((instance.Id, false), due);

    /// <summary>A stalled instance is tried again when a worker connects.</summary>
    public bool RetriesStalled(WorkflowInstance instance)
    {
        lock (_lock)
            return _retried.Add(instance.Id);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _timers.Dispose();
        _wakeUps.Dispose();
        _unpersisted.Dispose();
        _expiries.Dispose();
        if (_recovery is not null)
            await _recovery.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // Work whose instance has moved on is not handed out: a turn that was given up, an activity of an execution that is gone.
    private bool IsWanted(IWorkerTask task)
    {
        if (task is not WorkflowTurn turn || turn.Instance.Turn == turn)
            return true;
        _turnLimit.Leave();
        return false;
    }

    private void WorkerArrived()
    {
        lock (_lock)
        {
            _workers++;
            _retried.Clear();
            _connected.TrySetResult();
            _recovery ??= Task.Run(() => RecoverAsync(_stopping.Token));
        }

        foreach (var instance in Loaded())
            Background(() => WakeAsync(instance.Id, recover: false));
    }

    private void WorkerLeft()
    {
        lock (_lock)
        {
            if (--_workers == 0)
                _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    // What follows from a commit. Nothing here is lost by a crash: RecoverAsync finds it again in the history.
    private void Follow(string id, string executionId, TurnEffects effects)
    {
        foreach (var task in effects.Tasks)
            Dispatch(id, executionId, task);
        foreach (var timer in effects.Timers)
            _timers.Add((id, executionId, timer), DueAt(timer));
        foreach (var child in effects.Children)
            Background(() => StartChildAsync(id, child));
        if (effects.Completed is { } completed && effects.Continuation is null && Settings.RetentionOf(completed.WorkflowStatus) is { } retention)
            _expiries.Add((id, executionId), Time.GetUtcNow() + retention);
        if (effects.ForParent is { } end)
            Background(() => PostAsync(end.ParentId, end.Event, _stopping.Token));
    }

    private void Dispatch(string id, string executionId, HistoryEvent scheduled)
    {
        var activity = new ActivityTask(id, executionId, scheduled);
        _activities[(id, scheduled.EventId)] = activity;
        _activityLimit.Enter(activity);
    }

    private async Task StartChildAsync(string parentId, HistoryEvent start)
    {
        var child = start.ExecutionStarted;
        var taken = false;
        await OnAsync(child.WorkflowInstance.InstanceId, instance =>
        {
            if (!instance.Exists || instance.History.Completed is not null)
                _ = instance.StartAsync(start);
            else
                taken = instance.ExecutionId != child.WorkflowInstance.ExecutionId && !IsChildOf(instance, child.ParentInstance);
            return Task.FromResult(true);
        }, _stopping.Token).ConfigureAwait(false);
        if (!taken)
            return;
        var failed = Event(new HistoryEvent
        {
            Router = new TaskRouter { SourceAppID = AppId, TargetAppID = AppId },
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
        await PostAsync(parentId, failed, _stopping.Token).ConfigureAwait(false);
    }

    private static bool IsChildOf(WorkflowInstance instance, ParentInstanceInfo parent) =>
        instance.Started?.ParentInstance is { } own && own.TaskScheduledId == parent.TaskScheduledId
        && own.WorkflowInstance.InstanceId == parent.WorkflowInstance.InstanceId && own.WorkflowInstance.ExecutionId == parent.WorkflowInstance.ExecutionId;

    // Children are told before the parent's end is committed: afterwards nobody would remember to.
    private async Task TerminateChildrenFirstAsync(WorkflowInstance instance, WorkflowTurn turn)
    {
        if (turn.Items.Select(i => i.Event.ExecutionTerminated).LastOrDefault(t => t is not null) is not { Recurse: true } terminated)
            return;
        foreach (var child in instance.History.OpenChildren.Values.Select(c => c.ChildWorkflowInstanceCreated.InstanceId).ToArray())
        {
            var e = Event(new HistoryEvent { ExecutionTerminated = new ExecutionTerminatedEvent { Input = terminated.Input, Recurse = true } });
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
        if (instance.ExecutionId == executionId && instance.History.OpenTimers.ContainsKey(timer.EventId))
            _ = instance.PostAsync(Event(new HistoryEvent { TimerFired = new TimerFiredEvent { FireAt = timer.TimerCreated.FireAt, TimerId = timer.EventId } }));
        return Task.FromResult(true);
    }, _stopping.Token);

    private Task WakeAsync(string id, bool recover) => OnAsync(id, instance =>
    {
        if (recover)
            return RecoverAsync(instance);
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
        try
        {
            string? after = null;
            while (true)
            {
                var ids = await Storage.PendingAsync(after, 256, cancellationToken).ConfigureAwait(false);
                foreach (var id in ids)
                    await OnAsync(id, RecoverAsync, cancellationToken).ConfigureAwait(false);
                if (ids.Count < 256)
                    return;
                after = ids[^1];
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogRecoveryFailed(e);
        }
    }

    private Task<bool> RecoverAsync(WorkflowInstance instance)
    {
        Resume(instance);
        return Task.FromResult(true);
    }

    private Task ExpireAsync(string id, string executionId) => OnAsync(id, async instance =>
    {
        if (instance.ExecutionId == executionId && instance.History.Completed is not null)
            await instance.PurgeAsync(_stopping.Token).ConfigureAwait(false);
        return true;
    }, _stopping.Token);

    // A child that was never made is made; the end of one that its parent was not told is told.
    private async Task RecoverChildAsync(string parentId, ExecutionStartedEvent parent, HistoryEvent created)
    {
        var child = created.ChildWorkflowInstanceCreated;
        var start = TurnActions.ChildStart(this, parentId, parent, created.EventId, child.InstanceId, child.Name, child.Version, child.Input, created.Router ?? OwnRouter());
        HistoryEvent? end = null;
        await OnAsync(child.InstanceId, instance =>
        {
            if (instance.History.Completed is { } completed && IsChildOf(instance, start.ExecutionStarted.ParentInstance))
                end = TurnActions.ChildEnd(this, start.ExecutionStarted.ParentInstance, completed);
            return Task.FromResult(true);
        }, _stopping.Token).ConfigureAwait(false);
        if (end is not null)
            await PostAsync(parentId, end, _stopping.Token).ConfigureAwait(false);
        else
            await StartChildAsync(parentId, start).ConfigureAwait(false);
    }

    private DateTimeOffset DueAt(HistoryEvent timer)
    {
        var fireAt = timer.TimerCreated.FireAt;
        // Beyond what a DateTimeOffset holds is never; to the next tick, so that it is never early.
        return fireAt.Seconds >= DateTimeOffset.MaxValue.ToUnixTimeSeconds() ? DateTimeOffset.MaxValue
            : fireAt.Seconds <= 0 ? DateTimeOffset.UnixEpoch
            : DateTimeOffset.FromUnixTimeSeconds(fireAt.Seconds).AddTicks((fireAt.Nanos + 99) / 100);
    }

    private WorkflowInstance Acquire(string id)
    {
        lock (_lock)
        {
            if (!_instances.TryGetValue(id, out var instance))
                _instances[id] = instance = new WorkflowInstance(this, id);
            else if (instance.IdleNode is { } node)
                _idle.Remove(node);
            instance.IdleNode = null;
            instance.References++;
            return instance;
        }
    }

    private void Release(WorkflowInstance instance)
    {
        lock (_lock)
        {
            if (--instance.References > 0 || !instance.IsIdle)
                return;
            if (!instance.Exists)
            {
                _instances.Remove(instance.Id);
                return;
            }

            instance.IdleNode = _idle.AddLast(instance);
            if (_idle.Count <= IdleLimit)
                return;
            _instances.Remove(_idle.First!.Value.Id);
            _idle.RemoveFirst();
        }
    }

    private WorkflowInstance[] Loaded()
    {
        lock (_lock)
            return [.. _instances.Values];
    }

    private void Background(Func<Task> work) => _ = Task.Run(async () =>
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The history remembers.
        }
        catch (Exception e)
        {
            LogBackgroundFailed(e);
        }
    });

    [LoggerMessage(Level = LogLevel.Information, Message = "work item stream established by a worker")]
    private partial void LogConnected();

    [LoggerMessage(Level = LogLevel.Information, Message = "work item stream closed")]
    private partial void LogDisconnected();

    [LoggerMessage(Level = LogLevel.Warning, Message = "workflow instance '{InstanceId}': action {Kind} is not supported and was dropped")]
    public partial void LogUnsupportedAction(string instanceId, ActionKind kind);

    [LoggerMessage(Level = LogLevel.Error, Message = "workflow instance '{InstanceId}': the store refused a change; trying again")]
    private partial void LogTurnFailed(string instanceId, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "workflows under way before the start could not be read")]
    private partial void LogRecoveryFailed(Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "workflow work failed")]
    private partial void LogBackgroundFailed(Exception error);
}
