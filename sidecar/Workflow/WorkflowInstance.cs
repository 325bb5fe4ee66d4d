using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// One workflow instance in memory. Everything here runs under <see cref="Gate"/>, one operation at a time.
/// <para>
/// Events enter the inbox and go to a worker at once, before they are durable; the turn that took them commits them with its history and its new work in one
/// transaction, and only then is whoever posted them answered. An event that no turn commits soon is written to the inbox's rows on its own
/// (<see cref="PersistInboxAsync"/>), so a slow worker holds nobody up.
/// </para>
/// </summary>
internal sealed class WorkflowInstance(WorkflowHub hub, string id)
{
    private readonly List<InboxItem> _inbox = [];
    private readonly List<(Func<OrchestrationStatus, bool> Reached, TaskCompletionSource Done)> _waiters = [];
    private StoredShape _stored = new();
    private int _propagatedSize;
    private bool _loaded;
    private long _awaitsCommitSince;
    private int _watched;

    public string Id { get; } = id;

    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>Operations under way; guarded by the hub's lock.</summary>
    public int References { get; set; }

    /// <summary>Its place among the idle ones; guarded by the hub's lock.</summary>
    public LinkedListNode<WorkflowInstance>? IdleNode { get; set; }

    public WorkflowHistory History { get; private set; } = new();

    public ulong Generation { get; private set; }

    public string? CustomStatus { get; private set; }

    /// <summary>What its parent showed it of its history; null: nothing. Stays through all executions.</summary>
    public PropagatedHistory? Propagated { get; private set; }

    /// <summary>The turn that a worker has or will get; null between turns.</summary>
    public WorkflowTurn? Turn { get; private set; }

    /// <summary>The next turn opens an execution that continues an earlier one.</summary>
    public bool IsContinued { get; private set; }

    /// <summary>It came from the store: nobody may be doing what is open in it. What an execution begun here leads to follows from its commits.</summary>
    public bool LacksRecovery { get; set; }

    /// <summary>Since when an event waits for its commit, in ticks of UTC; 0 when none does. Read without the gate.</summary>
    public long AwaitsCommitSince => Volatile.Read(ref _awaitsCommitSince);

    /// <summary>True for the first that asks, until <see cref="Unwatch"/>: one look at a time is enough.</summary>
    public bool TryWatch() => Interlocked.Exchange(ref _watched, 1) == 0;

    public void Unwatch() => Volatile.Write(ref _watched, 0);

    public bool Exists => History.Started is not null || StartInInbox is not null;

    /// <summary>Nothing is under way: it can be forgotten and loaded again.</summary>
    public bool IsIdle => Turn is null && _inbox.Count == 0 && _waiters.Count == 0;

    public OrchestrationStatus Status => IsContinued && !History.IsStalled ? OrchestrationStatus.Running : History.Status;

    public ExecutionStartedEvent? Started => History.Started ?? (IsContinued ? StartInInbox?.ExecutionStarted : null);

    public string ExecutionId => Started?.WorkflowInstance?.ExecutionId ?? "";

    public HistoryEvent? StartInInbox => _inbox.Count > 0 && _inbox[0].Event.EventTypeCase == Kind.ExecutionStarted ? _inbox[0].Event : null;

    public async ValueTask EnsureLoadedAsync(CancellationToken cancellationToken)
    {
        if (_loaded)
            return;
        if (await hub.Storage.LoadAsync(Id, cancellationToken).ConfigureAwait(false) is { } stored)
        {
            _stored = stored.Shape;
            History = stored.History;
            Generation = stored.Shape.Generation;
            CustomStatus = stored.Shape.CustomStatus;
            Receive(stored.Shape.Propagated);
            _inbox.AddRange(stored.Inbox.Select((e, i) => new InboxItem(e) { Row = i }));
            LacksRecovery = true;
        }

        _loaded = true;
    }

    /// <summary>Begins a new life of this id; the caller has checked that there is none, or that it has ended.</summary>
    public Task StartAsync(HistoryEvent executionStarted, PropagatedHistory? propagated = null)
    {
        History = new WorkflowHistory();
        LacksRecovery = false;
        Generation++;
        CustomStatus = null;
        IsContinued = false;
        Receive(propagated);
        _inbox.Clear();
        return PostAsync(executionStarted);
    }

    /// <summary>Takes an event in. The task ends when the event is durable; at once when it has no effect (resolved already, ended).</summary>
    public Task PostAsync(HistoryEvent e)
    {
        if (History.Completed is not null)
            return Task.CompletedTask;
        if (History.Resolves(e) is { } resolved && (!resolved.Open.ContainsKey(resolved.Id) || Awaits(resolved.Open, resolved.Id)))
            return Task.CompletedTask;
        var item = new InboxItem(e);
        var durable = item.Durable;
        _inbox.Add(item);
        if (_awaitsCommitSince == 0)
            Volatile.Write(ref _awaitsCommitSince, hub.Time.GetUtcNow().UtcTicks);
        TryBeginTurn();
        hub.PersistSoon(this);
        return durable;
    }

    /// <summary>Whether what resolves an open action is here already and waits for its turn: the action must not be done again.</summary>
    public bool Awaits(Dictionary<int, HistoryEvent> open, int id) => _inbox.Exists(i => History.Resolves(i.Event) is { } resolved && resolved.Open == open && resolved.Id == id);

    /// <summary>Hands the inbox to a worker, unless a turn is under way, there is no worker, or only a start that is not yet due waits.</summary>
    public void TryBeginTurn()
    {
        if (Turn is not null || _inbox.Count == 0 || !hub.HasWorkers)
            return;
        // A worker of any version can end an instance that is stalled.
        if (History.IsStalled && !_inbox.Exists(i => i.Event.EventTypeCase == Kind.ExecutionTerminated) && !hub.RetriesStalled(this))
            return;
        if (StartInInbox?.ExecutionStarted.ScheduledStartTimestamp is { } due && _inbox.Count == 1 && due.ToDateTimeOffset() > hub.Time.GetUtcNow())
        {
            hub.ScheduleStart(this, due.ToDateTimeOffset());
            return;
        }

        var taken = _inbox.Where(i => History.Resolves(i.Event) is not { } resolved || resolved.Open.ContainsKey(resolved.Id)).ToArray();
        if (taken.Length == 0)
            return;
        var size = _propagatedSize + History.Size + taken.Sum(i => (long)i.Event.CalculateSize());
        hub.Telemetry.Sized((Started ?? StartInInbox?.ExecutionStarted)?.Name ?? "", size, hub.Settings.MaxMessageSize);
        if (size > hub.LargestTurn)
        {
            hub.Stall(this);
            return;
        }

        var opening = hub.Event(new HistoryEvent { WorkflowStarted = new WorkflowStartedEvent() });
        if (IsContinued)
            opening.Router = hub.OwnRouter();
        Turn = new WorkflowTurn(this, opening, taken, hub.NextToken());
        hub.Hand(Turn);
    }

    /// <summary>Gives up a turn whose events shall go into a new one.</summary>
    public void AbandonTurn() => Turn = null;

    /// <summary>Applies a worker's answer: history, new work and metadata in one transaction, then what follows from it.</summary>
    public async Task<TurnEffects> CompleteTurnAsync(WorkflowResponse response, CancellationToken cancellationToken)
    {
        var turn = Turn!;
        var effects = TurnActions.Apply(hub, this, turn, response);
        if (effects.Stalled is { } stalled)
        {
            await StallAsync(stalled, cancellationToken).ConfigureAwait(false);
            return effects;
        }

        var remaining = _inbox.Except(turn.Items).ToList();
        if (effects.Continuation is { } continuation)
            remaining.InsertRange(0, continuation.Select(e => new InboxItem(e)));
        var next = effects.Continuation is null ? null : new WorkflowHistory();
        var generation = effects.Continuation is null ? Generation : Generation + 1;

        var ended = effects.Completed is not null && next is null;
        var change = new InstanceChange(Id, _stored)
        {
            Kept = next is null ? History.Events.Count : 0,
            Appended = next is null ? effects.Appended : [],
            Inbox = ended ? [] : remaining,
            CustomStatus = effects.CustomStatus,
            Generation = generation,
            IsOpen = !ended || hub.Settings.RetentionOf(effects.Completed!.WorkflowStatus) is not null,
            Propagated = Propagated,
            Summary = next is null ? History.Summary(effects.Appended, null, IsContinued) : next.Summary([], remaining.Count > 0 ? remaining[0].Event.ExecutionStarted : null, isContinued: true),
        };
        await hub.Storage.CommitAsync(change, cancellationToken).ConfigureAwait(false);

        Turn = null;
        Generation = generation;
        CustomStatus = effects.CustomStatus;
        IsContinued = next is not null;
        if (next is not null)
            History = next;
        else
            effects.Appended.ForEach(History.Append);
        Committed(change, remaining);
        foreach (var item in turn.Items)
            item.SetDurable();

        SignalWaiters();
        TryBeginTurn();
        return effects;
    }

    /// <summary>No worker can take it further: the turn's events wait on for one that can.</summary>
    public async Task StallAsync(HistoryEvent stalled, CancellationToken cancellationToken)
    {
        Turn = null;
        var inbox = _inbox.ToList();
        var isNew = !(History.Events.Count > 0 && History.Events[^1].ExecutionStalled?.Reason == stalled.ExecutionStalled.Reason);
        var change = Standing(inbox);
        if (isNew)
            change = change with { Appended = [stalled], Summary = History.Summary([stalled], StartInInbox?.ExecutionStarted, IsContinued) };
        await hub.Storage.CommitAsync(change, cancellationToken).ConfigureAwait(false);
        if (isNew)
            History.Append(stalled);
        Committed(change, inbox);
        SignalWaiters();
    }

    /// <summary>Writes to the store what the inbox holds and no turn has committed.</summary>
    public async Task PersistInboxAsync(CancellationToken cancellationToken)
    {
        if (History.Completed is not null || _inbox.TrueForAll(i => i.Persisted))
            return;
        var inbox = _inbox.ToList();
        var change = Standing(inbox);
        await hub.Storage.CommitAsync(change, cancellationToken).ConfigureAwait(false);
        Committed(change, inbox);
    }

    /// <summary>Replaces the whole instance by a forked history; nothing has run yet.</summary>
    public async Task ForkAsync(WorkflowHistory history, PropagatedHistory? propagated, CancellationToken cancellationToken)
    {
        Generation++;
        Receive(propagated);
        var change = new InstanceChange(Id, _stored) { Appended = history.Events, Generation = Generation, IsOpen = true, Propagated = propagated, Summary = history.Summary([], null, isContinued: false) };
        await hub.Storage.CommitAsync(change, cancellationToken).ConfigureAwait(false);
        History = history;
        CustomStatus = null;
        Committed(change, []);
    }

    /// <summary>Removes every row of the instance.</summary>
    public async Task PurgeAsync(CancellationToken cancellationToken)
    {
        var change = new InstanceChange(Id, _stored) { IsRemoved = true };
        await hub.Storage.CommitAsync(change, cancellationToken).ConfigureAwait(false);
        foreach (var item in _inbox)
            item.SetDurable();
        _inbox.Clear();
        _stored.Take(change);
        Turn = null;
        History = new WorkflowHistory();
        CustomStatus = null;
        Receive(null);
        IsContinued = false;
        _waiters.ForEach(w => w.Done.TrySetResult());
        _waiters.Clear();
    }

    /// <summary>The store failed: what is in memory may not be what is stored. Whoever waits is told, and the instance is read again.</summary>
    public void Invalidate(Exception error)
    {
        foreach (var item in _inbox)
            item.Fail(error);
        _inbox.Clear();
        _stored = new StoredShape();
        History = new WorkflowHistory();
        Turn = null;
        Receive(null);
        IsContinued = false;
        _loaded = false;
    }

    /// <summary>Ends when the status satisfies the condition, or the instance is purged. One that does not exist yet is waited for, as in daprd.</summary>
    public Task WaitAsync(Func<OrchestrationStatus, bool> reached)
    {
        if (Exists && reached(Status))
            return Task.CompletedTask;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiters.Add((reached, done));
        return done.Task;
    }

    public void Forget(Task wait) => _waiters.RemoveAll(w => w.Done.Task == wait);

    // The instance as it is, with this inbox.
    private InstanceChange Standing(List<InboxItem> inbox) => new(Id, _stored)
    {
        Kept = History.Events.Count,
        Inbox = inbox,
        CustomStatus = CustomStatus,
        Generation = Generation,
        IsOpen = true,
        Propagated = Propagated,
        Summary = History.Summary([], inbox.Count > 0 ? inbox[0].Event.ExecutionStarted : null, IsContinued),
    };

    private void Receive(PropagatedHistory? propagated)
    {
        Propagated = propagated;
        _propagatedSize = propagated?.CalculateSize() ?? 0;
    }

    private void Committed(InstanceChange change, List<InboxItem> inbox)
    {
        _stored.Take(change);
        Volatile.Write(ref _awaitsCommitSince, 0);
        if (History.Completed is not null)
        {
            foreach (var item in _inbox)
                item.SetDurable();
            _inbox.Clear();
            return;
        }

        _inbox.Clear();
        _inbox.AddRange(inbox);
        for (var i = 0; i < inbox.Count; i++)
        {
            inbox[i].Row = i;
            inbox[i].SetDurable();
        }
    }

    private void SignalWaiters()
    {
        if (_waiters.Count == 0)
            return;
        var status = Status;
        foreach (var (_, done) in _waiters.Where(w => w.Reached(status)).ToArray())
        {
            done.TrySetResult();
            _waiters.RemoveAll(w => w.Done == done);
        }
    }
}

/// <summary>An event that waits for its turn.</summary>
internal sealed class InboxItem(HistoryEvent e)
{
    private TaskCompletionSource? _durable;

    public HistoryEvent Event => e;

    /// <summary>Its place in the stored inbox; -1 when it is not there.</summary>
    public int Row { get; set; } = -1;

    public bool Persisted => Row >= 0;

    /// <summary>Ends when the event is durable; for whoever posts it.</summary>
    public Task Durable => (_durable ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    public void SetDurable() => _durable?.TrySetResult();

    public void Fail(Exception error) => _durable?.TrySetException(error);
}

/// <summary>One turn: the events it brings to the worker beside the committed history, as they stood when it began.</summary>
internal sealed class WorkflowTurn : IWorkerTask
{
    private readonly WorkItem _item;
    private readonly string _execution;

    public WorkflowTurn(WorkflowInstance instance, HistoryEvent opening, InboxItem[] items, string token)
    {
        Instance = instance;
        Opening = opening;
        Items = items;
        Token = token;
        _execution = instance.ExecutionId;
        Name = instance.Started?.Name ?? instance.StartInInbox?.ExecutionStarted.Name ?? "";
        var request = new WorkflowRequest { InstanceId = instance.Id, PropagatedHistory = instance.Propagated };
        request.PastEvents.AddRange(instance.History.Events);
        request.NewEvents.Add(opening);
        foreach (var item in items)
            request.NewEvents.Add(item.Event);
        _item = new WorkItem { WorkflowRequest = request };
    }

    public WorkflowInstance Instance { get; }

    public HistoryEvent Opening { get; }

    public InboxItem[] Items { get; }

    /// <summary>Tells this turn from all others, those before a restart too.</summary>
    public string Token { get; }

    public bool IsTurn => true;

    public string Name { get; }

    public WorkerStream? Stream { get; set; }

    public WorkItem ToWorkItem(WorkerStream stream)
    {
        _item.CompletionToken = stream.Worker.TakesTokens ? Token : "";
        var whole = _item.WorkflowRequest;
        if (stream.Keep(whole.InstanceId, _execution, whole.PastEvents.Count) is not (> 0 and var kept))
            return _item;
        var rest = new WorkflowRequest { InstanceId = whole.InstanceId, KeptEvents = kept, PropagatedHistory = whole.PropagatedHistory };
        for (var i = kept; i < whole.PastEvents.Count; i++)
            rest.PastEvents.Add(whole.PastEvents[i]);
        rest.NewEvents.AddRange(whole.NewEvents);
        return new WorkItem { WorkflowRequest = rest, CompletionToken = _item.CompletionToken };
    }
}
