using DaprPlatform.Sidecar.Introspection;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>
/// The jobs of one scheduler that are in memory: the next few thousand of each scope that is consumed, so that its size does not depend on how many there are. One
/// timer, set to the next of them. What is here changes after the commit that made it durable, in the order of the commits: that is also why jobs are read on the
/// writer thread, between two writes.
/// </summary>
internal sealed partial class JobQueue : IAsyncDisposable
{
    /// <summary>Jobs with one consumer at a time.</summary>
    private const int MostRunning = 1024;

    /// <summary>Jobs read at a time.</summary>
    private const int Batch = 1024;

    /// <summary>Below this many in memory more are read.</summary>
    private const int Low = 2048;

    /// <summary>Above this many in memory the later half is left to the disk.</summary>
    private const int High = 8192;

    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(1);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<JobScope, JobGroup> _groups = [];
    private readonly ITimer _timer;
    private readonly JobTable _table;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RuntimeChanges? _changes;
    private PriorityQueue<JobEntry, (long FireAt, long Id)> _heap = new();
    private int _dead;
    private long _timerAt = JobTimes.Never;
    private bool _isDisposed;

    /// <param name="table">Loaded.</param>
    /// <param name="server">The scheduler's address.</param>
    /// <param name="changes">Told of every commit; null: nobody is.</param>
    public JobQueue(JobTable table, string server, TimeProvider time, ILogger logger, RuntimeChanges? changes = null)
    {
        _changes = changes;
        _table = table;
        Server = server;
        _time = time;
        _logger = logger;
        _timer = time.CreateTimer(static s => ((JobQueue)s!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The jobs of a server are apart from those of others in the table.</summary>
    public string Server { get; }

    /// <summary>How many jobs are in memory.</summary>
    public int InMemory
    {
        get
        {
            lock (_lock)
                return _groups.Values.Sum(g => g.Entries.Count);
        }
    }

    /// <summary>How many jobs are with consumers.</summary>
    public int Running
    {
        get
        {
            lock (_lock)
                return _groups.Values.Sum(g => g.Entries.Values.Count(e => e.State == JobState.Running));
        }
    }

    /// <summary>From now on jobs of the scope go to this consumer too, until what is returned is disposed of.</summary>
    public IAsyncDisposable Consume(JobScope scope, JobHandler handler)
    {
        var consumer = new JobConsumer(handler);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var group = Group(scope);
            group.Consumers.Add(consumer);
            Feed(group);
        }

        return new Consumption(this, scope, consumer);
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _isDisposed = true;
            foreach (var group in _groups.Values)
                Drop(group);
        }

        await _timer.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>A job was put in.</summary>
    public void Scheduled(JobKey key, JobRow row, long replaced)
    {
        Tell(key.Scope);
        lock (_lock)
        {
            if (!_groups.TryGetValue(key.Scope, out var group))
                return;
            if (replaced != 0 && group.Entries.TryGetValue(replaced, out var old))
                Forget(old);
            if (group.Holds(row.Due, row.Id))
                Add(group, row);
            Sweep();
        }
    }

    /// <summary>Jobs were taken out.</summary>
    public void Deleted(JobScope scope, List<long> ids)
    {
        if (ids.Count > 0)
            Tell(scope);
        lock (_lock)
        {
            if (!_groups.TryGetValue(scope, out var group))
                return;
            foreach (var id in ids)
            {
                if (group.Entries.TryGetValue(id, out var entry))
                    Forget(entry);
            }

            Sweep();
            Feed(group);
        }
    }

    /// <summary>The progress of a job was written.</summary>
    public void Advanced(JobEntry entry, JobProgress progress)
    {
        Tell(entry.Key.Scope);
        lock (_lock)
        {
            if (entry.State != JobState.Advancing)
                return;
            if (progress.Due is { } due && entry.Group.Holds(due, entry.Id))
            {
                entry.Due = entry.FireAt = due;
                entry.Fired = progress.Fired;
                entry.Attempts = 0;
                entry.Unwritten = null;
                Await(entry);
            }
            else
            {
                Forget(entry);
            }

            Feed(entry.Group);
        }
    }

    /// <summary>It could not be written.</summary>
    public void NotAdvanced(JobEntry entry, JobProgress progress, Exception error)
    {
        LogNotWritten(entry.Key.ToString(), error);
        lock (_lock)
        {
            if (entry.State != JobState.Advancing || _isDisposed)
                return;
            entry.Unwritten = progress;
            entry.FireAt = (_time.GetUtcNow() + Pause).UtcTicks;
            Await(entry);
        }
    }

    /// <summary>Jobs were read; null: they could not be.</summary>
    public void Read(JobGroup group, List<JobRow>? rows, int epoch)
    {
        lock (_lock)
        {
            if (group.Epoch != epoch)
                return;
            if (rows is not null)
            {
                foreach (var row in rows)
                    Add(group, row);
                group.Loaded = rows.Count < Batch ? JobGroup.End : (rows[^1].Due, rows[^1].Id);
            }

            group.IsLoading = false;
            if (rows is not null)
                Feed(group);
            else
                _ = FeedLaterAsync(group);
        }
    }

    private void Tell(JobScope scope) => _changes?.Tell(scope.Owner == JobOwner.App ? RuntimeAreas.Jobs : RuntimeAreas.Reminders);

    // The store may serve again.
    private async Task FeedLaterAsync(JobGroup group)
    {
        await Task.Delay(Pause, _time).ConfigureAwait(false);
        lock (_lock)
        {
            if (!_isDisposed)
                Feed(group);
        }
    }

    private JobGroup Group(JobScope scope)
    {
        if (!_groups.TryGetValue(scope, out var group))
            _groups[scope] = group = new JobGroup(scope);
        return group;
    }

    // The rest is called under the lock, unless it says otherwise.

    // Gives what is ready to consumers, and reads more where little is left.
    private void Feed(JobGroup group)
    {
        Drain(group);
        if (group.Consumers.Count > 0 && !group.IsLoading && group.Entries.Count < Low && group.Loaded != JobGroup.End)
        {
            group.IsLoading = true;
            _table.Store.Enqueue(new LoadWork(this, group, group.Loaded, group.Epoch, Batch));
        }
    }

    private void Drain(JobGroup group)
    {
        while (group.Ready.TryPeek(out var next))
        {
            if (next.State != JobState.Ready)
            {
                group.Ready.Dequeue();
                continue;
            }

            if (group.Pick(MostRunning) is not { } consumer)
                return;
            group.Ready.Dequeue();
            Run(next, consumer);
        }
    }

    private void Add(JobGroup group, JobRow row)
    {
        if (group.Entries.ContainsKey(row.Id))
            return;
        var entry = new JobEntry(group, row);
        group.Entries.Add(row.Id, entry);
        Await(entry);
        if (group.Entries.Count > High && !group.IsLoading)
            Shed(group);
    }

    // Into the heap, or at once to a consumer.
    private void Await(JobEntry entry)
    {
        if (entry.FireAt <= _time.GetUtcNow().UtcTicks)
        {
            Fire(entry);
            return;
        }

        entry.State = JobState.Waiting;
        _heap.Enqueue(entry, (entry.FireAt, entry.Id));
        SetTimer(entry.FireAt);
    }

    private void Fire(JobEntry entry)
    {
        if (entry.Unwritten is { } progress)
        {
            Write(entry, progress);
        }
        else if (entry.Expires < entry.Due)
        {
            Write(entry, new JobProgress(null, entry.Fired));
        }
        else
        {
            entry.State = JobState.Ready;
            entry.Group.Ready.Enqueue(entry);
            Drain(entry.Group);
        }
    }

    private void Write(JobEntry entry, JobProgress progress)
    {
        entry.State = JobState.Advancing;
        _table.Store.Enqueue(new ProgressWork(this, entry, progress));
    }

    // It stays in the store.
    private void Forget(JobEntry entry)
    {
        if (entry.State == JobState.Waiting)
            _dead++;
        entry.State = JobState.Dropped;
        entry.Group.Entries.Remove(entry.Id);
    }

    // Nobody consumes the scope any more. What is with a consumer that leaves, or being written, ends by itself.
    private void Drop(JobGroup group)
    {
        foreach (var entry in group.Entries.Values.Where(e => e.State is JobState.Waiting or JobState.Ready).ToArray())
            Forget(entry);
        group.Ready.Clear();
        group.Loaded = JobGroup.Beginning;
        group.IsLoading = false;
        group.Epoch++;
        Sweep();
    }

    // Leaves the later jobs to the disk, ready ones too: what comes faster than it is taken must not fill the memory.
    private void Shed(JobGroup group)
    {
        var untouched = group.Entries.Values.Where(e => e is { State: JobState.Waiting or JobState.Ready, Attempts: 0, Unwritten: null } && e.FireAt == e.Due).OrderBy(e => (e.Due, e.Id)).ToArray();
        if (untouched.Length == 0)
            return;
        var shed = untouched.AsSpan(Math.Min(Low, untouched.Length / 2));
        foreach (var entry in shed)
            Forget(entry);
        group.Loaded = (shed[0].Due, shed[0].Id - 1);
        var ready = group.Ready.Where(e => e.State == JobState.Ready).ToArray();
        group.Ready.Clear();
        foreach (var entry in ready)
            group.Ready.Enqueue(entry);
        Sweep();
    }

    private void Sweep()
    {
        if (_dead < Batch || _dead * 2 < _heap.Count)
            return;
        _heap = new PriorityQueue<JobEntry, (long, long)>(_heap.UnorderedItems.Where(i => i.Element.State == JobState.Waiting));
        _dead = 0;
    }

    private void SetTimer(long at)
    {
        if (at >= _timerAt || _isDisposed)
            return;
        _timerAt = at;

        // A timer counts whole milliseconds; a fraction too early would be one wake-up in vain.
        var wait = TimeSpan.FromMilliseconds(Math.Ceiling(TimeSpan.FromTicks(Math.Max(0, at - _time.GetUtcNow().UtcTicks)).TotalMilliseconds));
        _timer.Change(wait < LongestTimer ? wait : LongestTimer, Timeout.InfiniteTimeSpan);
    }

    // Not under the lock.
    private void Tick()
    {
        lock (_lock)
        {
            _timerAt = JobTimes.Never;
            var now = _time.GetUtcNow().UtcTicks;
            while (_heap.TryPeek(out var entry, out var place) && (entry.State != JobState.Waiting || place.FireAt <= now))
            {
                _heap.Dequeue();
                if (entry.State == JobState.Waiting)
                    Fire(entry);
                else
                    _dead--;
            }

            if (_heap.TryPeek(out var next, out _))
                SetTimer(next.FireAt);
        }
    }

    private async ValueTask LeaveAsync(JobScope scope, JobConsumer consumer)
    {
        TaskCompletionSource left = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (consumer.Left is not null)
            {
                left = consumer.Left;
            }
            else
            {
                consumer.Left = left;
                var group = Group(scope);
                group.Consumers.Remove(consumer);
                if (group.Consumers.Count == 0)
                    Drop(group);
                if (consumer.Running == 0)
                    left.TrySetResult();
            }
        }

        await left.Task.ConfigureAwait(false);
        consumer.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "the progress of job {Key} cannot be written; it will be tried again")]
    private partial void LogNotWritten(string key, Exception error);

    private sealed class Consumption(JobQueue queue, JobScope scope, JobConsumer consumer) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => queue.LeaveAsync(scope, consumer);
    }
}
