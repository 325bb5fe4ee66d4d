using System.Globalization;
using Dapr.Workflow.Serialization;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;
using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>What the code of one workflow sees in one turn. The calls that come from the code; what the history does to them is in the other part.</summary>
internal sealed partial class TurnContext(
    string name,
    string instanceId,
    string seed,
    string? appId,
    TurnHistory history,
    TurnPump pump,
    IWorkflowSerializer serializer,
    ILoggerFactory loggers,
    P.PropagatedHistory? propagated = null) : WorkflowContext
{
    // Taken by every call: code that left the turn's thread must not corrupt the turn, even if its order is no longer sure.
    private readonly Lock _gate = new();
    private readonly Guid _space = DeterministicGuid.NamespaceOf(seed);
    private readonly List<P.WorkflowAction> _actions = [];
    private readonly Dictionary<int, OpenTask> _open = [];
    private Dictionary<string, bool>? _patches;
    private List<string>? _patchesHit;
    private P.CompleteWorkflowAction? _continueAsNew;
    private bool _preserveEvents;
    private string? _customStatus;
    private PropagatedHistory? _propagated;
    private string? _violation;
    private bool _ended;
    private int _next;
    private int _guids;
    private DateTime _now;
    private bool _replaying;

    public override string Name => name;

    public override string InstanceId => instanceId;

    public override DateTime CurrentUtcDateTime => _now;

    public override bool IsReplaying => _replaying;

    public override Task CallActivityAsync(string name, object? input = null, WorkflowTaskOptions? options = null) =>
        CallActivityAsync<Discarded>(name, input, options);

    public override Task<T> CallActivityAsync<T>(string name, object? input = null, WorkflowTaskOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return options?.RetryPolicy is { } policy
            ? RetryActivityAsync<T>(name, input, options, policy)
            : StartActivity<T>(name, input, options, out _);
    }

    public override Task CallChildWorkflowAsync(string workflowName, object? input = null, ChildWorkflowTaskOptions? options = null) =>
        CallChildWorkflowAsync<Discarded>(workflowName, input, options);

    public override Task<TResult> CallChildWorkflowAsync<TResult>(string workflowName, object? input = null, ChildWorkflowTaskOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(workflowName);
        return options?.RetryPolicy is { } policy
            ? RetryChildAsync<TResult>(workflowName, input, options, policy)
            : StartChild<TResult>(workflowName, input, options, out _);
    }

    public override Task CreateTimer(TimeSpan delay, CancellationToken cancellationToken = default) => CreateTimer(After(delay), cancellationToken);

    public override Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken)
    {
        if (fireAt.Kind != DateTimeKind.Utc)
            throw new ArgumentException("The time of a workflow timer must be UTC.", nameof(fireAt));
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled(cancellationToken);
        var timer = new OpenTask<Discarded>(ActionKind.Timer, string.Empty);
        var action = new P.CreateTimerAction { FireAt = Timestamp.FromDateTime(fireAt), CreateTimer = new() };
        if (StartTimer(action, timer, out var id))
            CancelWith(cancellationToken, id, timer);
        return timer.Task;
    }

    public override Task<T> WaitForExternalEventAsync<T>(string eventName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(eventName);
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled<T>(cancellationToken);
        var waiter = new OpenTask<T>(ActionKind.Event, eventName);
        if (!Receive(waiter))
            CancelWith(cancellationToken, -1, waiter);
        return waiter.Task;
    }

    public override Task<T> WaitForExternalEventAsync<T>(string eventName, TimeSpan timeout)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(eventName);
        if (timeout == TimeSpan.Zero)
            return Task.FromCanceled<T>(new CancellationToken(canceled: true));
        var waiter = new OpenTask<T>(ActionKind.Event, eventName);
        var action = new P.CreateTimerAction { ExternalEvent = new() { Name = eventName } };
        if (timeout < TimeSpan.Zero)
        {
            StartEndlessTimer(action, eventName);
        }
        else
        {
            // The timer takes its id even if the event is already here: another worker's history has it there.
            action.FireAt = Timestamp.FromDateTime(After(timeout));
            if (StartTimer(action, new EventTimeout(waiter, GiveUp), out var id))
                waiter.TimeoutId = id;
        }

        if (!waiter.Task.IsCompleted)
            Receive(waiter);
        return waiter.Task;
    }

    public override void SendEvent(string instanceId, string eventName, object payload)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(instanceId);
        ArgumentException.ThrowIfNullOrWhiteSpace(eventName);
        lock (_gate)
        {
            if (!Claim(ActionKind.Event, eventName, out var id, out var repeats) || repeats)
                return;
            _actions.Add(new P.WorkflowAction
            {
                Id = id,
                SendEvent = new() { Instance = new() { InstanceId = instanceId }, Name = eventName, Data = serializer.Serialize(payload) },
            });
        }
    }

    public override void SetCustomStatus(object? customStatus)
    {
        var text = serializer.Serialize(customStatus);
        lock (_gate)
            _customStatus = text;
    }

    public override void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true)
    {
        var input = serializer.Serialize(newInput);
        lock (_gate)
        {
            if (_ended || _violation is not null)
                return;
            if (_continueAsNew is null)
            {
                if ((_violation = history.Contradicts(_next, "to continue as new")) is not null)
                    return;
                _continueAsNew = new P.CompleteWorkflowAction { WorkflowStatus = P.OrchestrationStatus.ContinuedAsNew };
                _actions.Add(new P.WorkflowAction { Id = _next++, CompleteWorkflow = _continueAsNew });
            }

            _continueAsNew.Result = input;
            _preserveEvents = preserveUnprocessedEvents;
        }
    }

    public override bool IsPatched(string patchName)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(patchName);
        lock (_gate)
        {
            _patches ??= new(StringComparer.Ordinal);
            if (_patches.TryGetValue(patchName, out var patched))
                return patched;
            patched = history.Patches?.Contains(patchName) == true || !_replaying;
            _patches.Add(patchName, patched);
            if (patched)
                (_patchesHit ??= []).Add(patchName);
            return patched;
        }
    }

    public override Guid NewGuid()
    {
        int number;
        lock (_gate)
            number = _guids++;
        return DeterministicGuid.Create(_space, string.Create(CultureInfo.InvariantCulture, $"{instanceId}_{number}"));
    }

    public override PropagatedHistory? GetPropagatedHistory() => _propagated ??= PropagatedHistories.Read(propagated);

    public override ILogger CreateReplaySafeLogger(string categoryName) => new ReplaySafeLogger(loggers.CreateLogger(categoryName), this);

    public override ILogger CreateReplaySafeLogger(System.Type type) => new ReplaySafeLogger(loggers.CreateLogger(type), this);

    public override ILogger CreateReplaySafeLogger<T>() => new ReplaySafeLogger(loggers.CreateLogger<T>(), this);

    private DateTime After(TimeSpan delay)
    {
        var end = DateTime.SpecifyKind(DateTime.MaxValue, DateTimeKind.Utc);
        return delay > end - _now ? end : _now + delay;
    }

    private Task<T> StartActivity<T>(string name, object? input, WorkflowTaskOptions? options, out string executionId)
    {
        lock (_gate)
        {
            executionId = string.Empty;
            var data = Serialize(input);
            if (!Claim(ActionKind.Activity, name, out var id, out var repeats))
                return Never<T>();
            executionId = repeats ? history.Find(id)!.TaskScheduled.TaskExecutionId : string.Empty;
            if (executionId.Length == 0)
                executionId = DeterministicGuid.Create(_space, string.Create(CultureInfo.InvariantCulture, $"{instanceId}|activity|{id}|{name}")).ToString("N");
            if (!repeats)
            {
                var action = new P.WorkflowAction
                {
                    Id = id,
                    ScheduleTask = new()
                    {
                        Name = name,
                        Input = data,
                        TaskExecutionId = executionId,
                        HistoryPropagationScope = (P.HistoryPropagationScope)(options?.PropagationScope ?? 0),
                    },
                };
                if (RouterTo(options) is { } router)
                {
                    action.Router = router;
                    action.ScheduleTask.Router = router.Clone();
                }

                _actions.Add(action);
            }

            var task = new OpenTask<T>(ActionKind.Activity, name, executionId);
            Open(id, task);
            return task.Task;
        }
    }

    private Task<T> StartChild<T>(string name, object? input, ChildWorkflowTaskOptions? options, out string childId)
    {
        childId = string.IsNullOrEmpty(options?.InstanceId) ? NewGuid().ToString() : options.InstanceId;
        lock (_gate)
        {
            var data = Serialize(input);
            if (!Claim(ActionKind.ChildWorkflow, name, out var id, out var repeats))
                return Never<T>();
            if (!repeats)
            {
                var action = new P.WorkflowAction
                {
                    Id = id,
                    CreateChildWorkflow = new()
                    {
                        InstanceId = childId,
                        Name = name,
                        Input = data,
                        HistoryPropagationScope = (P.HistoryPropagationScope)(options?.PropagationScope ?? 0),
                    },
                };
                if (RouterTo(options) is { } router)
                {
                    action.Router = router;
                    action.CreateChildWorkflow.Router = router.Clone();
                }

                _actions.Add(action);
            }

            var task = new OpenTask<T>(ActionKind.ChildWorkflow, name, childId);
            Open(id, task);
            return task.Task;
        }
    }

    // Awaits in these two do not capture the pump, so that they end where the event ended them and the code's own await decides where it goes on.
    private async Task<T> RetryActivityAsync<T>(string name, object? input, WorkflowTaskOptions options, WorkflowRetryPolicy policy)
    {
        var started = _now;
        string? firstExecutionId = null;
        for (var attempt = 0; ; attempt++)
        {
            TimeSpan delay;
            var task = StartActivity<T>(name, input, options, out var executionId);
            firstExecutionId ??= executionId;
            try
            {
                return await task.ConfigureAwait(false);
            }
            catch (WorkflowTaskFailedException) when (policy.NextDelay(attempt, started, _now) is { } next)
            {
                delay = next;
            }

            await PauseAsync(new P.CreateTimerAction { ActivityRetry = new() { TaskExecutionId = firstExecutionId } }, delay).ConfigureAwait(false);
        }
    }

    private async Task<T> RetryChildAsync<T>(string name, object? input, ChildWorkflowTaskOptions options, WorkflowRetryPolicy policy)
    {
        var started = _now;
        string? firstChildId = null;
        for (var attempt = 0; ; attempt++)
        {
            TimeSpan delay;
            var task = StartChild<T>(name, input, options, out var childId);
            firstChildId ??= childId;
            try
            {
                return await task.ConfigureAwait(false);
            }
            catch (WorkflowTaskFailedException) when (policy.NextDelay(attempt, started, _now) is { } next)
            {
                delay = next;
            }

            await PauseAsync(new P.CreateTimerAction { ChildWorkflowRetry = new() { InstanceId = firstChildId } }, delay).ConfigureAwait(false);
        }
    }

    private Task PauseAsync(P.CreateTimerAction action, TimeSpan delay)
    {
        action.FireAt = Timestamp.FromDateTime(After(delay));
        var timer = new OpenTask<Discarded>(ActionKind.Timer, string.Empty);
        StartTimer(action, timer, out _);
        return timer.Task;
    }

    private bool StartTimer(P.CreateTimerAction action, OpenTask timer, out int id)
    {
        lock (_gate)
        {
            if (!Claim(ActionKind.Timer, timer.Name, out id, out var repeats))
                return false;
            if (!repeats)
                _actions.Add(new P.WorkflowAction { Id = id, CreateTimer = action });
            Open(id, timer);
            return true;
        }
    }

    private void StartEndlessTimer(P.CreateTimerAction action, string eventName)
    {
        lock (_gate)
        {
            if (history.HasOtherThanEndlessWait(_next) || !Claim(ActionKind.Timer, eventName, out var id, out var repeats) || repeats)
                return;
            action.FireAt = new Timestamp { Seconds = TurnHistory.EndOfTimeSeconds, Nanos = 999_999_999 };
            _actions.Add(new P.WorkflowAction { Id = id, CreateTimer = action });
        }
    }

    /// <summary>Serialises the input of the next action, unless the history has it already. Before its id is taken, because it can fail.</summary>
    private string? Serialize(object? input) => history.Find(_next) is null ? serializer.Serialize(input) : null;

    /// <summary>Takes the next id for an action. False if the turn is over or the history disagrees: then nothing the code does counts any more.</summary>
    private bool Claim(ActionKind kind, string name, out int id, out bool repeats)
    {
        id = _next;
        repeats = false;
        if (_ended || _violation is not null)
            return false;
        repeats = history.Repeats(id, kind, name, out _violation);
        if (_violation is not null)
            return false;
        _next++;
        return true;
    }

    private P.TaskRouter? RouterTo(WorkflowTaskOptions? options) =>
        string.IsNullOrEmpty(options?.TargetAppId) ? null : new P.TaskRouter { SourceAppID = appId ?? string.Empty, TargetAppID = options.TargetAppId };

    private static Task<T> Never<T>() => new TaskCompletionSource<T>().Task;
}
