using System.Collections.Concurrent;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Scheduling;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using ActionKind = Dapr.DurableTask.Protobuf.WorkflowAction.WorkflowActionTypeOneofCase;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// The workflow engine of one app: its instances, its workers, its timers. Nothing polls: an event begins a turn, a turn's commit releases its work.
/// Idle instances are forgotten beyond <see cref="IdleLimit"/>, after a burst nearly all of them, and read again when something happens to them.
/// </summary>
internal sealed partial class WorkflowHub : IAsyncDisposable
{
    private const int IdleLimit = 1024;
    private const int KeptWhenQuiet = 64;
    private const double LargestShare = 0.95;

    // An event that no turn has committed for so long is written on its own.
    private static readonly TimeSpan PersistAfter = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryAfterFailure = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, WorkflowInstance> _instances = new(StringComparer.Ordinal);
    private readonly LinkedList<WorkflowInstance> _idle = [];
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, WorkerGroup> _groups = new(StringComparer.Ordinal);
    private readonly Dispatcher _dispatcher;
    private readonly TimerQueue<(string Instance, string Execution, HistoryEvent Timer)> _timers;
    private readonly TimerQueue<(string Instance, bool Recover)> _wakeUps;
    private readonly TimerQueue<WorkflowInstance> _unpersisted;
    private readonly TimerQueue<(string Instance, string Execution)> _expiries;
    private readonly CancellationTokenSource _stopping = new();
    private readonly MemoryRelease _memory;
    private readonly ILogger _logger;
    private readonly HashSet<string> _retried = [];
    // Of this life of the engine: tokens of an earlier one must not be taken for its own.
    private readonly string _epoch = Guid.NewGuid().ToString("N")[..12];
    private long _tokens;
    private TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? _recovery;
    private int _workers;

    public WorkflowHub(IWorkflowStorage storage, string appId, WorkflowSettings settings, TimeProvider time, ILoggerFactory loggers, WorkflowTelemetry? telemetry = null, IWorkflowPeers? peers = null)
    {
        Storage = storage;
        AppId = appId;
        Settings = settings;
        Time = time;
        Telemetry = telemetry ?? WorkflowTelemetry.Off;
        Peers = peers ?? NoPeers.Instance;
        LargestTurn = (long)(settings.MaxMessageSize * LargestShare);
        _dispatcher = new Dispatcher(settings);
        _memory = new MemoryRelease(time, forget: () => Forget(KeptWhenQuiet));
        _expiries = new(time, due => Background(() => ExpireAsync(due.Instance, due.Execution)));
        _logger = loggers.CreateLogger("dapr.runtime.wfengine");
        _timers = new(time, due => Background(() => FireAsync(due.Instance, due.Execution, due.Timer)));
        _wakeUps = new(time, due => Background(() => WakeAsync(due.Instance, due.Recover)));
        _unpersisted = new(time, Look);
    }

    public IWorkflowStorage Storage { get; }

    public string AppId { get; }

    public WorkflowSettings Settings { get; }

    public TimeProvider Time { get; }

    public WorkflowTelemetry Telemetry { get; }

    public IWorkflowPeers Peers { get; }

    /// <summary>What other apps may do here.</summary>
    public WorkflowAccess Access { get; init; } = new(static () => [], Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

    /// <summary>Bytes of history and new events that a worker is still given.</summary>
    public long LargestTurn { get; }

    /// <summary>Something was done that takes memory for a while.</summary>
    public void Worked() => _memory.Worked();

    /// <summary>True once the hub has ended.</summary>
    public bool IsClosed => _stopping.IsCancellationRequested;

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

    /// <summary>What the workers of a sidecar of another process share.</summary>
    public WorkerGroup GroupOf(string key, int? maxTurns, int? maxActivities) => _groups.GetOrAdd(key, k => new WorkerGroup(k, maxTurns, maxActivities));

    /// <summary>Serves one GetWorkItems call until the worker leaves.</summary>
    /// <exception cref="HubMovedException">The hub has ended.</exception>
    public async Task ServeWorkerAsync(WorkerProfile worker, IServerStreamWriter<WorkItem> writer, CancellationToken cancellationToken)
    {
        if (IsClosed)
            throw new HubMovedException();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        var stream = new WorkerStream(worker, Time);
        LogConnected();
        WorkerArrived(stream);
        try
        {
            await stream.RunAsync(Take, writer, ended.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The worker has left, or the hub ends.
        }
        catch (TimeoutException)
        {
            LogStuck();
            throw new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "the worker does not take its work items"));
        }
        finally
        {
            WorkerLeft(stream);
            LogDisconnected();
        }

        if (IsClosed && !cancellationToken.IsCancellationRequested)
            throw new HubMovedException();
    }

    /// <summary>A worker's answer to a turn. One that matches no turn under way is ignored, as in daprd.</summary>
    public async Task CompleteTurnAsync(WorkflowResponse response, CancellationToken cancellationToken)
    {
        var messages = TurnActions.Messages(this, response);
        if (messages.Count > 0)
        {
            // Before the commit, since nobody would remember them after it, and without holding the instance: two may write to each other.
            if (!await OnAsync(response.InstanceId, instance => Task.FromResult(IsAnswer(instance, response)), cancellationToken).ConfigureAwait(false))
                return;
            foreach (var (app, id, e) in messages)
                await SendAsync(app, id, e).ConfigureAwait(false);
        }

        TurnEffects? effects = null;
        ExecutionStartedEvent? start = null;
        HistoryEvent? opening = null;
        var isFirst = false;
        await OnAsync(response.InstanceId, async instance =>
        {
            if (!IsAnswer(instance, response))
                return false;
            var turn = instance.Turn!;
            _dispatcher.Leave(turn);
            await TerminateChildrenFirstAsync(instance, turn).ConfigureAwait(false);
            try
            {
                isFirst = instance.Started is null;
                var started = isFirst ? turn.Items.FirstOrDefault(i => i.Event.ExecutionStarted is not null)?.Event : null;
                start = instance.Started ?? started?.ExecutionStarted;
                opening = started is null ? null : turn.Opening;
                effects = await instance.CompleteTurnAsync(response, _stopping.Token).ConfigureAwait(false);
                if (effects.Stalled is null && opening is not null)
                    Telemetry.Started(start!, started!.Timestamp.ToDateTimeOffset(), opening.Timestamp.ToDateTimeOffset());
                if (effects.Completed is { } completed && effects.Continuation is null)
                    Telemetry.Ended(instance.Id, start!, completed, (instance.History.StartedAt ?? turn.Opening.Timestamp).ToDateTimeOffset(), Time.GetUtcNow());
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
            Follow(response.InstanceId, start!, effects);
    }

    public void Hand(WorkflowTurn turn) => _dispatcher.Enter(turn);

    public string NextToken() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{_epoch}-{Interlocked.Increment(ref _tokens)}");

    /// <summary>Lets everything that is open in an instance's history go on.</summary>
    public void Resume(WorkflowInstance instance)
    {
        var history = instance.History;
        foreach (var task in history.OpenTasks.Values)
        {
            if (!IsUnderWay(instance.Id, task.EventId) && !instance.Awaits(history.OpenTasks, task.EventId))
                Dispatch(instance.Id, instance.Started!, task, Propagation.Again(this, instance, task));
        }

        foreach (var timer in history.OpenTimers.Values)
        {
            if (!instance.Awaits(history.OpenTimers, timer.EventId))
                _timers.Add((instance.Id, instance.ExecutionId, timer), DueAt(timer));
        }

        if (history.Completed is { } completed)
        {
            if (Settings.RetentionOf(completed.WorkflowStatus) is { } retention && history.CompletedAt is { } at)
                _expiries.Add((instance.Id, instance.ExecutionId), at.ToDateTimeOffset() + retention);
        }
        else
        {
            foreach (var child in history.OpenChildren.Values)
            {
                if (!instance.Awaits(history.OpenChildren, child.EventId))
                {
                    var (start, propagated) = (instance.Started!, Propagation.Again(this, instance, child));
                    Background(() => RecoverChildAsync(instance.Id, start, child, propagated));
                }
            }
        }

        instance.TryBeginTurn();
        instance.LacksRecovery = false;
    }

    public void PersistSoon(WorkflowInstance instance)
    {
        if (instance.TryWatch())
            _unpersisted.Add(instance, Time.GetUtcNow() + PersistAfter);
    }

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
        _memory.Dispose();
        if (_recovery is not null)
            await _recovery.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Look(WorkflowInstance instance)
    {
        instance.Unwatch();
        if (instance.AwaitsCommitSince is not (> 0 and var since))
            return;
        var due = new DateTimeOffset(since, TimeSpan.Zero) + PersistAfter;
        if (due <= Time.GetUtcNow())
            Background(() => PersistAsync(instance));
        else if (instance.TryWatch())
            _unpersisted.Add(instance, due);
    }

    // Work whose instance has moved on is not handed out: a turn that was given up, an activity of an execution that is gone.
    private bool Take(IWorkerTask task)
    {
        if (task is WorkflowTurn turn)
        {
            if (turn.Instance.Turn == turn)
                return true;
        }
        else if (task is ActivityTask activity)
        {
            if (TakeActivity(activity))
            {
                WorkflowTelemetry.Begin(activity, Time.GetUtcNow());
                return true;
            }
        }

        _dispatcher.Leave(task);
        return false;
    }

    private static bool IsAnswer(WorkflowInstance instance, WorkflowResponse response) => instance.Turn is { Stream: not null } turn
        && (response.CompletionToken.Length == 0 || response.CompletionToken == turn.Token)
        && !TurnActions.IsStale(instance, response);

    private void WorkerArrived(WorkerStream stream)
    {
        lock (_lock)
        {
            _workers++;
            _retried.Clear();
            _connected.TrySetResult();
            _recovery ??= Task.Run(() => RecoverAsync(_stopping.Token));
        }

        _dispatcher.Add(stream);
        foreach (var instance in Loaded())
            Background(() => WakeAsync(instance.Id, recover: false));
    }

    private void WorkerLeft(WorkerStream stream)
    {
        lock (_lock)
        {
            if (--_workers == 0)
                _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _dispatcher.Remove(stream);
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
            _memory.Worked();
        }
    }

    private void Forget(int kept)
    {
        lock (_lock)
        {
            while (_idle.Count > kept)
            {
                _instances.Remove(_idle.First!.Value.Id);
                _idle.RemoveFirst();
            }
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "a worker did not take its work items in time and was disconnected")]
    private partial void LogStuck();

    [LoggerMessage(Level = LogLevel.Warning, Message = "workflow instance '{InstanceId}': a message from a workflow was dropped: {Reason}")]
    private partial void LogDropped(string instanceId, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "workflow instance '{InstanceId}': work at app '{App}' is tried again: {Reason}")]
    private partial void LogElsewhereFailed(string instanceId, string app, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "workflow instance '{InstanceId}': action {Kind} is not supported and was dropped")]
    public partial void LogUnsupportedAction(string instanceId, ActionKind kind);

    [LoggerMessage(Level = LogLevel.Error, Message = "workflow instance '{InstanceId}': the store refused a change; trying again")]
    private partial void LogTurnFailed(string instanceId, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "workflow instance '{InstanceId}' cannot go on: {Reason}")]
    private partial void LogDamaged(string instanceId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "workflows under way before the start could not be read; trying again")]
    private partial void LogRecoveryFailed(Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "propagating unsigned workflow history to {Kind} '{Name}' (signing is not configured; context cannot be cryptographically verified by the receiver)")]
    private partial void LogUnsigned(string kind, string name);

    [LoggerMessage(Level = LogLevel.Error, Message = "workflow work failed")]
    private partial void LogBackgroundFailed(Exception error);
}
