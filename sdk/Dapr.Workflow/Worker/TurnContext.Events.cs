using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>The other part: what the history does to the code.</summary>
internal sealed partial class TurnContext
{
    private readonly Dictionary<string, List<OpenTask>> _waiters = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Queue<(int Order, P.HistoryEvent Event)>> _unclaimed = new(StringComparer.OrdinalIgnoreCase);
    private Dictionary<int, P.HistoryEvent>? _early;
    private int _waiting;
    private int _eventOrder;

    /// <summary>Why the code does not fit the history; null while it does.</summary>
    public string? Violation => _violation;

    public bool IsContinuedAsNew => _continueAsNew is not null;

    public string? CustomStatus => _customStatus;

    public IReadOnlyList<string>? PatchesHit => _patchesHit;

    /// <summary>In the order of their ids.</summary>
    public IReadOnlyList<P.WorkflowAction> Actions => _actions;

    /// <summary>Whether the code waits for nothing that an event could bring.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate)
                return _open.Count + _waiting == 0;
        }
    }

    public void SetClock(DateTime now) => _now = now;

    public void SetReplaying(bool replaying) => _replaying = replaying;

    /// <summary>Checks that the code took every action that the history has. To be called when the past has been replayed.</summary>
    public void CheckReplayed()
    {
        lock (_gate)
            _violation ??= _continueAsNew is null ? history.Unrepeated(_next) : null;
    }

    /// <summary>Ends the turn: whatever the code still does has no effect.</summary>
    public void End()
    {
        lock (_gate)
        {
            _ended = true;
            if (_continueAsNew is not null && _preserveEvents)
                _continueAsNew.CarryoverEvents.AddRange(_unclaimed.Values.SelectMany(queue => queue).OrderBy(entry => entry.Order).Select(entry => entry.Event));
        }
    }

    /// <summary>Lets an event happen. Runs the code that waited for it, as far as that does not ask for the pump.</summary>
    public void Apply(P.HistoryEvent entry)
    {
        switch (entry.EventTypeCase)
        {
            case P.HistoryEvent.EventTypeOneofCase.WorkflowStarted when entry.Timestamp is { } timestamp:
                _now = timestamp.ToDateTime();
                break;
            case P.HistoryEvent.EventTypeOneofCase.TaskCompleted:
                Resolve(entry, ActionKind.Activity, entry.TaskCompleted.TaskScheduledId, entry.TaskCompleted.TaskExecutionId);
                break;
            case P.HistoryEvent.EventTypeOneofCase.TaskFailed:
                Resolve(entry, ActionKind.Activity, entry.TaskFailed.TaskScheduledId, entry.TaskFailed.TaskExecutionId);
                break;
            case P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceCompleted:
                Resolve(entry, ActionKind.ChildWorkflow, entry.ChildWorkflowInstanceCompleted.TaskScheduledId, null);
                break;
            case P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceFailed:
                Resolve(entry, ActionKind.ChildWorkflow, entry.ChildWorkflowInstanceFailed.TaskScheduledId, null);
                break;
            case P.HistoryEvent.EventTypeOneofCase.TimerFired:
                Resolve(entry, ActionKind.Timer, entry.TimerFired.TimerId, null);
                break;
            case P.HistoryEvent.EventTypeOneofCase.EventRaised:
                Raise(entry);
                break;
        }
    }

    private void Resolve(P.HistoryEvent entry, ActionKind kind, int id, string? key)
    {
        OpenTask? task;
        lock (_gate)
        {
            if (!_open.TryGetValue(id, out task) || task.Kind != kind)
            {
                // Only histories forked by a rerun or written by another worker get here.
                if (kind == ActionKind.ChildWorkflow)
                    key = history.Find(id)?.ChildWorkflowInstanceCreated?.InstanceId;
                (id, task) = FindByKey(id, kind, key);
            }

            if (task is null)
            {
                // Nobody waits for it yet, or no longer.
                (_early ??= []).TryAdd(id, entry);
                return;
            }

            _open.Remove(id);
        }

        Settle(task, entry);
    }

    private (int Id, OpenTask? Task) FindByKey(int id, ActionKind kind, string? key)
    {
        if (!string.IsNullOrEmpty(key))
        {
            foreach (var (openId, task) in _open)
            {
                if (task.Kind == kind && task.Key == key)
                    return (openId, task);
            }
        }

        return (id, null);
    }

    private void Raise(P.HistoryEvent entry)
    {
        OpenTask waiter;
        lock (_gate)
        {
            var name = entry.EventRaised.Name;
            // After ContinueAsNew a wait that the code left behind must not take what belongs to the next run.
            if (_continueAsNew is not null || !_waiters.TryGetValue(name, out var waiters) || waiters.Count == 0)
            {
                if (!_unclaimed.TryGetValue(name, out var queue))
                    _unclaimed.Add(name, queue = new());
                queue.Enqueue((_eventOrder++, entry));
                return;
            }

            waiter = waiters[0];
            waiters.RemoveAt(0);
            _waiting--;
            _open.Remove(waiter.TimeoutId);
        }

        Settle(waiter, entry);
    }

    /// <summary>Gives the task the oldest event of its name, or lets it wait (then false).</summary>
    private bool Receive(OpenTask waiter)
    {
        P.HistoryEvent entry;
        lock (_gate)
        {
            if (_ended || _violation is not null)
                return false;
            if (!_unclaimed.TryGetValue(waiter.Name, out var queue) || queue.Count == 0)
            {
                if (!_waiters.TryGetValue(waiter.Name, out var waiters))
                    _waiters.Add(waiter.Name, waiters = []);
                waiters.Add(waiter);
                _waiting++;
                SignalIfElsewhere();
                return false;
            }

            entry = queue.Dequeue().Event;
            _open.Remove(waiter.TimeoutId);
        }

        Settle(waiter, entry);
        return true;
    }

    /// <summary>The time for an event has passed.</summary>
    private void GiveUp(OpenTask waiter)
    {
        lock (_gate)
        {
            if (_waiters.TryGetValue(waiter.Name, out var waiters) && waiters.Remove(waiter))
                _waiting--;
        }

        waiter.SetCanceled(new CancellationToken(canceled: true));
    }

    private void Open(int id, OpenTask task)
    {
        if (_early is not null && _early.Remove(id, out var entry))
        {
            Settle(task, entry);
            return;
        }

        _open.Add(id, task);
        SignalIfElsewhere();
    }

    private void SignalIfElsewhere()
    {
        if (!pump.OnTurnThread)
            pump.Signal();
    }

    private void CancelWith(CancellationToken cancellationToken, int id, OpenTask task)
    {
        if (cancellationToken.CanBeCanceled)
            task.Cancellation = cancellationToken.UnsafeRegister(_ => Cancel(cancellationToken, id, task), null);
    }

    private void Cancel(CancellationToken cancellationToken, int id, OpenTask task)
    {
        lock (_gate)
        {
            if (task.Kind == ActionKind.Event)
            {
                if (!_waiters.TryGetValue(task.Name, out var waiters) || !waiters.Remove(task))
                    return;
                _waiting--;
            }
            else if (!_open.TryGetValue(id, out var open) || open != task || !_open.Remove(id))
            {
                return;
            }
        }

        WithoutContext(task, cancellationToken, static (task, token) => task.SetCanceled(token));
    }

    private void Settle(OpenTask task, P.HistoryEvent entry)
    {
        task.Cancellation.Unregister();
        WithoutContext(task, (entry, serializer), static (task, args) =>
        {
            switch (args.entry.EventTypeCase)
            {
                case P.HistoryEvent.EventTypeOneofCase.TaskCompleted:
                    task.SetResult(args.entry.TaskCompleted.Result, args.serializer);
                    break;
                case P.HistoryEvent.EventTypeOneofCase.TaskFailed:
                    task.SetException(Failures.ActivityFailed(args.entry.TaskFailed.FailureDetails));
                    break;
                case P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceCompleted:
                    task.SetResult(args.entry.ChildWorkflowInstanceCompleted.Result, args.serializer);
                    break;
                case P.HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceFailed:
                    task.SetException(Failures.ChildFailed(task.Name, args.entry.ChildWorkflowInstanceFailed.FailureDetails));
                    break;
                case P.HistoryEvent.EventTypeOneofCase.EventRaised:
                    task.SetResult(args.entry.EventRaised.Input, args.serializer);
                    break;
                default:
                    task.SetResult(null, args.serializer);
                    break;
            }
        });
    }

    /// <summary>
    /// Completes a task with no current context: code that awaits it with ConfigureAwait(false) then goes on here and now. With the pump as the
    /// current context it would be sent to the thread pool, out of the turn.
    /// </summary>
    private static void WithoutContext<TState>(OpenTask task, TState state, Action<OpenTask, TState> complete)
    {
        var current = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            complete(task, state);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(current);
        }
    }
}
