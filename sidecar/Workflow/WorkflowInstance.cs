using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.State;
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
    private int _storedInbox;
    private int _storedHistory;
    private bool _storedCustomStatus;
    private bool _storedPending;
    private bool _loaded;

    public string Id { get; } = id;

    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>Operations under way; guarded by the hub's lock.</summary>
    public int References { get; set; }

    /// <summary>Its place among the idle ones; guarded by the hub's lock.</summary>
    public LinkedListNode<WorkflowInstance>? IdleNode { get; set; }

    public WorkflowHistory History { get; private set; } = new();

    public ulong Generation { get; private set; }

    public string? CustomStatus { get; private set; }

    /// <summary>The turn that a worker has or will get; null between turns.</summary>
    public WorkflowTurn? Turn { get; private set; }

    /// <summary>The next turn opens an execution that continues an earlier one.</summary>
    public bool IsContinued { get; private set; }

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
            History = stored.History;
            Generation = stored.Generation;
            CustomStatus = stored.CustomStatus;
            _inbox.AddRange(stored.Inbox.Select(e => new InboxItem(e, persisted: true)));
            _storedInbox = stored.Inbox.Count;
            _storedHistory = stored.History.Events.Count;
            _storedCustomStatus = stored.CustomStatus is not null;
            _storedPending = stored.History.Completed is not { } end || hub.Settings.RetentionOf(end.WorkflowStatus) is not null;
        }

        _loaded = true;
    }

    /// <summary>Begins a new life of this id; the caller has checked that there is none, or that it has ended.</summary>
    public Task StartAsync(HistoryEvent executionStarted)
    {
        History = new WorkflowHistory();
        Generation++;
        CustomStatus = null;
        IsContinued = false;
        _inbox.Clear();
        return PostAsync(executionStarted);
    }

    /// <summary>Takes an event in. The task ends when the event is durable; at once when it has no effect (resolved already, ended).</summary>
    public Task PostAsync(HistoryEvent e)
    {
        if (History.Completed is not null)
            return Task.CompletedTask;
        if (History.Resolves(e) is { } resolved && (!resolved.Open.ContainsKey(resolved.Id) || _inbox.Exists(i => History.Resolves(i.Event) is { } other && other.Open == resolved.Open && other.Id == resolved.Id)))
            return Task.CompletedTask;
        var item = new InboxItem(e, persisted: false);
        _inbox.Add(item);
        TryBeginTurn();
        hub.PersistSoon(this);
        return item.Durable.Task;
    }

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
        if (History.Size + taken.Sum(i => (long)i.Event.CalculateSize()) > hub.LargestTurn)
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
            remaining.InsertRange(0, continuation.Select(e => new InboxItem(e, persisted: false)));
        var next = effects.Continuation is null ? null : new WorkflowHistory();
        var generation = effects.Continuation is null ? Generation : Generation + 1;

        var writes = new List<StateWrite>(effects.Appended.Count + 4);
        var first = next is null ? History.Events.Count : 0;
        var historyLength = first + (next is null ? effects.Appended.Count : 0);
        if (next is null)
        {
            for (var i = 0; i < effects.Appended.Count; i++)
                writes.Add(hub.Storage.History(Id, first + i, effects.Appended[i]));
        }

        var retained = effects.Completed is { } end && hub.Settings.RetentionOf(end.WorkflowStatus) is not null;
        AddOtherWrites(writes, remaining, historyLength, generation, effects.CustomStatus, ended: effects.Completed is not null && next is null, retained);
        await hub.Storage.CommitAsync(writes, cancellationToken).ConfigureAwait(false);

        Turn = null;
        Generation = generation;
        CustomStatus = effects.CustomStatus;
        IsContinued = next is not null;
        if (next is not null)
            History = next;
        else
            effects.Appended.ForEach(History.Append);
        Committed(remaining, historyLength);
        foreach (var item in turn.Items)
            item.Durable.TrySetResult();
        if (History.Completed is not null)
        {
            foreach (var item in _inbox)
                item.Durable.TrySetResult();
        }

        SignalWaiters();
        TryBeginTurn();
        return effects;
    }

    /// <summary>No worker can take it further: the turn's events wait on for one that can.</summary>
    public async Task StallAsync(HistoryEvent stalled, CancellationToken cancellationToken)
    {
        Turn = null;
        var inbox = _inbox.ToList();
        var length = History.Events.Count;
        var writes = new List<StateWrite>();
        var isNew = !(length > 0 && History.Events[^1].ExecutionStalled?.Reason == stalled.ExecutionStalled.Reason);
        if (isNew)
            writes.Add(hub.Storage.History(Id, length++, stalled));
        AddOtherWrites(writes, inbox, length, Generation, CustomStatus, ended: false);
        await hub.Storage.CommitAsync(writes, cancellationToken).ConfigureAwait(false);
        if (isNew)
            History.Append(stalled);
        Committed(inbox, length);
        SignalWaiters();
    }

    /// <summary>Writes to the store what the inbox holds and no turn has committed.</summary>
    public async Task PersistInboxAsync(CancellationToken cancellationToken)
    {
        if (History.Completed is not null || _inbox.TrueForAll(i => i.Persisted))
            return;
        var writes = new List<StateWrite>();
        var inbox = _inbox.ToList();
        AddOtherWrites(writes, inbox, History.Events.Count, Generation, CustomStatus, ended: false);
        await hub.Storage.CommitAsync(writes, cancellationToken).ConfigureAwait(false);
        Committed(inbox, History.Events.Count);
    }

    /// <summary>Replaces the whole instance by a forked history; nothing has run yet.</summary>
    public async Task ForkAsync(WorkflowHistory history, CancellationToken cancellationToken)
    {
        Generation++;
        var writes = history.Events.Select((e, i) => hub.Storage.History(Id, i, e)).ToList();
        AddOtherWrites(writes, [], history.Events.Count, Generation, null, ended: false);
        await hub.Storage.CommitAsync(writes, cancellationToken).ConfigureAwait(false);
        History = history;
        CustomStatus = null;
        Committed([], history.Events.Count);
    }

    /// <summary>Removes every row of the instance.</summary>
    public async Task PurgeAsync(CancellationToken cancellationToken)
    {
        var writes = new List<StateWrite>();
        for (var i = 0; i < _storedHistory; i++)
            writes.Add(hub.Storage.NoHistory(Id, i));
        for (var i = 0; i < _storedInbox; i++)
            writes.Add(hub.Storage.NoInbox(Id, i));
        writes.Add(hub.Storage.CustomStatus(Id, null));
        writes.Add(hub.Storage.NoMetadataRow(Id));
        writes.Add(hub.Storage.NotPending(Id));
        await hub.Storage.CommitAsync(writes, cancellationToken).ConfigureAwait(false);
        foreach (var item in _inbox)
            item.Durable.TrySetResult();
        _inbox.Clear();
        _storedHistory = _storedInbox = 0;
        _storedCustomStatus = _storedPending = false;
        Turn = null;
        History = new WorkflowHistory();
        CustomStatus = null;
        IsContinued = false;
        _waiters.ForEach(w => w.Done.TrySetResult());
        _waiters.Clear();
    }

    /// <summary>The store failed: what is in memory may not be what is stored. Whoever waits is told, and the instance is read again.</summary>
    public void Invalidate(Exception error)
    {
        foreach (var item in _inbox)
            item.Durable.TrySetException(error);
        _inbox.Clear();
        History = new WorkflowHistory();
        Turn = null;
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

    private void AddOtherWrites(List<StateWrite> writes, List<InboxItem> inbox, int historyLength, ulong generation, string? customStatus, bool ended, bool retained = false)
    {
        for (var i = historyLength; i < _storedHistory; i++)
            writes.Add(hub.Storage.NoHistory(Id, i));
        if (ended)
            inbox = [];
        for (var i = 0; i < inbox.Count; i++)
        {
            if (inbox[i].Row != i)
                writes.Add(hub.Storage.Inbox(Id, i, inbox[i].Event));
        }

        for (var i = inbox.Count; i < _storedInbox; i++)
            writes.Add(hub.Storage.NoInbox(Id, i));
        if (customStatus != CustomStatus || (customStatus is null && _storedCustomStatus))
            writes.Add(hub.Storage.CustomStatus(Id, customStatus));
        _storedCustomStatus = customStatus is not null;
        writes.Add(hub.Storage.Metadata(Id, inbox.Count, historyLength, generation));
        // An instance that is to be purged later stays marked, so that a start finds it.
        var marked = !ended || retained;
        if (!marked && _storedPending)
            writes.Add(hub.Storage.NotPending(Id));
        else if (marked && !_storedPending)
            writes.Add(hub.Storage.Pending(Id));
        _storedPending = marked;
    }

    private void Committed(List<InboxItem> inbox, int historyLength)
    {
        _storedHistory = historyLength;
        if (History.Completed is not null)
        {
            _storedInbox = 0;
            foreach (var item in _inbox)
                item.Durable.TrySetResult();
            _inbox.Clear();
            return;
        }

        _storedInbox = inbox.Count;
        _inbox.Clear();
        _inbox.AddRange(inbox);
        for (var i = 0; i < inbox.Count; i++)
        {
            inbox[i].Row = i;
            inbox[i].Durable.TrySetResult();
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
internal sealed class InboxItem
{
    public InboxItem(HistoryEvent e, bool persisted)
    {
        Event = e;
        Row = persisted ? int.MaxValue : -1;
        if (persisted)
            Durable.TrySetResult();
    }

    public HistoryEvent Event { get; }

    /// <summary>Its row in the store; -1 when it has none. Rows read at a load are numbered anew at the next write.</summary>
    public int Row { get; set; }

    public bool Persisted => Row >= 0;

    public TaskCompletionSource Durable { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>One turn: the events it brings to the worker beside the committed history, as they stood when it began.</summary>
internal sealed class WorkflowTurn : IWorkerTask
{
    private readonly WorkItem _item;

    public WorkflowTurn(WorkflowInstance instance, HistoryEvent opening, InboxItem[] items, string token)
    {
        Instance = instance;
        Opening = opening;
        Items = items;
        Token = token;
        Name = instance.Started?.Name ?? instance.StartInInbox?.ExecutionStarted.Name ?? "";
        var request = new WorkflowRequest { InstanceId = instance.Id };
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

    public WorkItem ToWorkItem(WorkerProfile worker)
    {
        _item.CompletionToken = worker.TakesTokens ? Token : "";
        return _item;
    }
}
