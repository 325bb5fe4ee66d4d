using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>
/// The scheduler of one address. All jobs are in the store; in memory are the next few thousand of each scope that is consumed, so that its size does not depend on
/// how many there are. One timer, set to the next of them. What is in memory changes after the commit that made it durable, in the order of the commits: that is also why
/// jobs are read on the writer thread, between two writes.
/// </summary>
internal sealed partial class DurableScheduler : IScheduler, IAsyncDisposable
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
    private static readonly TimeSpan ShortestRetry = TimeSpan.FromMilliseconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<JobScope, JobGroup> _groups = [];
    private readonly ITimer _timer;
    private readonly JobTable _table;
    private readonly string _server;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private PriorityQueue<JobEntry, (long FireAt, long Id)> _heap = new();
    private int _dead;
    private long _timerAt = JobTimes.Never;
    private bool _isDisposed;

    /// <param name="table">Loaded.</param>
    /// <param name="server">The scheduler's address: its jobs are apart from those of others in the table.</param>
    public DurableScheduler(JobTable table, string server, TimeProvider time, ILogger logger)
    {
        _table = table;
        _server = server;
        _time = time;
        _logger = logger;
        _timer = time.CreateTimer(static s => ((DurableScheduler)s!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The scheduler of an address in this process.</summary>
    public static async ValueTask<IScheduler> OpenAsync(StandInPlace place)
    {
        var table = place.Engine.Shared("scheduler", engine => new JobTable(engine.Store));
        await table.LoadAsync().ConfigureAwait(false);
        return new DurableScheduler(table, place.Address, place.Engine.Time, NullLogger.Instance);
    }

    /// <summary>How many jobs are in memory.</summary>
    internal int InMemory
    {
        get
        {
            lock (_lock)
                return _groups.Values.Sum(g => g.Entries.Count);
        }
    }

    /// <summary>How many jobs are with consumers.</summary>
    internal int Running
    {
        get
        {
            lock (_lock)
                return _groups.Values.Sum(g => g.Entries.Values.Count(e => e.State == JobState.Running));
        }
    }

    public async Task ScheduleAsync(JobKey key, Job job, bool overwrite, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var now = _time.GetUtcNow();
        var (due, expires) = JobTimes.Begin(key, job, now);
        var work = new ScheduleWork(this, key, JobTable.Serialize(job), due, expires, overwrite, now.UtcTicks);
        await WriteAsync(work, work.Task).ConfigureAwait(false);
    }

    public async ValueTask<Job?> GetAsync(JobKey key, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow().UtcTicks;
        var spec = await ReadAsync(connection => JobTable.FindScope(connection, _server, key.Scope) is not 0 and var scope
            && JobTable.Find(connection, scope, key.ActorId, key.Name) is { } found && found.Expires > now ? JobTable.Spec(connection, found.Id) : null).ConfigureAwait(false);
        return spec is null ? null : Named(JobTable.Parse(spec), key.Name);
    }

    public async ValueTask<IReadOnlyList<ScheduledJob>> ListAsync(JobScope scope, string? actorId, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow().UtcTicks;
        var rows = await ReadAsync(connection => JobTable.FindScope(connection, _server, scope) is not 0 and var id ? JobTable.List(connection, id, actorId) : []).ConfigureAwait(false);
        var jobs = new List<ScheduledJob>(rows.Count);
        foreach (var row in rows)
        {
            if (row.Expires > now)
                jobs.Add(new ScheduledJob(new JobKey(scope, row.ActorId, row.Name), Named(JobTable.Parse(row.Spec), row.Name)));
        }

        return jobs;
    }

    public async ValueTask<long> CountAsync(JobScope scope, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow().UtcTicks;
        return await ReadAsync(connection => JobTable.FindScope(connection, _server, scope) is not 0 and var id ? JobTable.Count(connection, id, now) : 0).ConfigureAwait(false);
    }

    public Task DeleteAsync(JobKey key, CancellationToken cancellationToken)
    {
        var work = new DeleteWork(this, key.Scope, (connection, scope) => JobTable.Find(connection, scope, key.ActorId, key.Name) is { } found ? [found.Id] : []);
        return WriteAsync(work, work.Task);
    }

    public Task DeleteAllAsync(JobScope scope, string? actorId, string namePrefix, CancellationToken cancellationToken)
    {
        var work = new DeleteWork(this, scope, (connection, id) => JobTable.WithPrefix(connection, id, actorId, namePrefix));
        return WriteAsync(work, work.Task);
    }

    public Task EnterAsync(JobScope scope, string home, CancellationToken cancellationToken)
    {
        var work = new EnterWork(this, scope, home);
        return WriteAsync(work, work.Task);
    }

    public ValueTask<IAsyncDisposable> ConsumeAsync(JobScope scope, JobHandler handler, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var consumer = new JobConsumer(handler);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var group = Group(scope);
            group.Consumers.Add(consumer);
            Feed(group);
        }

        return ValueTask.FromResult<IAsyncDisposable>(new Consumption(this, scope, consumer));
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

    private static Job Named(Job job, string name)
    {
        job.Name = name;
        return job;
    }

    private async Task WriteAsync(StoreWork work, Task done)
    {
        _table.Store.Enqueue(work);
        try
        {
            await done.ConfigureAwait(false);
        }
        catch (Exception e) when (e is StoreException or ObjectDisposedException)
        {
            throw new SchedulerException(SchedulerRefusal.Unavailable, e.Message, e);
        }
    }

    private async ValueTask<T> ReadAsync<T>(Func<StoreConnection, T> read)
    {
        try
        {
            return await _table.Store.ReadAsync(read, snapshot: true).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StoreException or ObjectDisposedException)
        {
            throw new SchedulerException(SchedulerRefusal.Unavailable, e.Message, e);
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
            _table.Store.Enqueue(new LoadWork(this, group, group.Loaded, group.Epoch));
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

    private void Run(JobEntry entry, JobConsumer consumer)
    {
        // One that waited for a consumer may have waited too long.
        if (entry.Expires <= _time.GetUtcNow().UtcTicks && entry.Expires < JobTimes.Never)
        {
            Write(entry, new JobProgress(null, entry.Fired));
            return;
        }

        entry.State = JobState.Running;
        consumer.Running++;
        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Scheduler.DeliverAsync(work.Entry, work.Consumer), (Scheduler: this, Entry: entry, Consumer: consumer), preferLocal: false);
    }

    // Not under the lock.
    private async Task DeliverAsync(JobEntry entry, JobConsumer consumer)
    {
        var outcome = JobOutcome.Failed;
        Job? job = null;
        try
        {
            job = entry.Job ?? (await ReadAsync(connection => JobTable.Spec(connection, entry.Id)).ConfigureAwait(false) is { } spec ? JobTable.Parse(spec) : null);
            if (job is not null)
                outcome = await consumer.Handler(new DueJob(entry.Key, job, new DateTimeOffset(entry.Due, TimeSpan.Zero), entry.Attempts), consumer.Lost).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogFailed(entry.Key.ToString(), e);
        }

        lock (_lock)
        {
            consumer.Running--;
            if (consumer is { Left: { } left, Running: 0 })
                left.TrySetResult();
            if (entry.State == JobState.Running)
                Finish(entry, job, consumer, outcome);
            Feed(entry.Group);
        }
    }

    private void Finish(JobEntry entry, Job? job, JobConsumer consumer, JobOutcome outcome)
    {
        if (job is null)
        {
            // It could not be read: a deleted one is about to be dropped, a store that fails may serve again.
            Postpone(entry, Pause);
        }
        else if (outcome == JobOutcome.Undeliverable)
        {
            // Who stays and still cannot deliver gets a moment to find out why.
            if (consumer.Left is null)
                Postpone(entry, Pause);
            else if (entry.Group.Consumers.Count > 0)
                Fire(entry);
            else
                Forget(entry);
        }
        else if (outcome == JobOutcome.Failed && Retry(job.FailurePolicy, entry.Attempts) is { } pause)
        {
            entry.Attempts++;
            Postpone(entry, pause);
        }
        else
        {
            var fired = entry.Fired + 1;
            Write(entry, new JobProgress(JobTimes.Next(job, entry.Schedule(job), entry.Due, fired, entry.Expires, _time.GetUtcNow()), fired));
        }
    }

    // How long until the next attempt; null: given up.
    private static TimeSpan? Retry(JobFailurePolicy policy, int failures)
    {
        if (policy.PolicyCase != JobFailurePolicy.PolicyOneofCase.Constant || (policy.Constant.HasMaxRetries && failures >= policy.Constant.MaxRetries))
            return null;
        var interval = policy.Constant.Interval?.ToTimeSpan() ?? TimeSpan.Zero;
        return interval > ShortestRetry ? interval : ShortestRetry;
    }

    private void Postpone(JobEntry entry, TimeSpan pause)
    {
        if (entry.Group.Consumers.Count == 0)
        {
            Forget(entry);
            return;
        }

        entry.FireAt = (_time.GetUtcNow() + pause).UtcTicks;
        Await(entry);
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

    private void Scheduled(JobKey key, JobRow row, long replaced)
    {
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

    private void Deleted(JobScope scope, List<long> ids)
    {
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

    private void Advanced(JobEntry entry, JobProgress progress)
    {
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

    private void NotAdvanced(JobEntry entry, JobProgress progress, Exception error)
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

    private void Read(JobGroup group, List<JobRow>? rows, int epoch)
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

    [LoggerMessage(Level = LogLevel.Error, Message = "job {Key} failed")]
    private partial void LogFailed(string key, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "the progress of job {Key} cannot be written; it will be tried again")]
    private partial void LogNotWritten(string key, Exception error);

    private sealed class Consumption(DurableScheduler scheduler, JobScope scope, JobConsumer consumer) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => scheduler.LeaveAsync(scope, consumer);
    }

    private sealed class ScheduleWork(DurableScheduler scheduler, JobKey key, byte[] spec, long due, long expires, bool overwrite, long now) : StoreWork
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _id;
        private long _replaced;

        public Task Task => _done.Task;

        // It refuses before it has changed anything but the list of scopes.
        public override bool NeedsSavepoint => false;

        public override void Run(StoreConnection connection)
        {
            _replaced = 0;
            var scope = JobTable.FindScope(connection, scheduler._server, key.Scope) is not 0 and var known ? known : JobTable.AddScope(connection, scheduler._server, key.Scope);
            if (JobTable.Find(connection, scope, key.ActorId, key.Name) is { } old)
            {
                if (!overwrite && old.Expires > now)
                    throw new SchedulerException(SchedulerRefusal.AlreadyExists, $"job already exists: '{key}'");
                JobTable.Delete(connection, _replaced = old.Id);
            }

            _id = scheduler._table.Insert(connection, scope, key.ActorId, key.Name, due, expires, spec);
        }

        public override void Committed() => scheduler.Scheduled(key, new JobRow(_id, key.ActorId, key.Name, due, 0, expires, spec), _replaced);

        public override void Complete() => _done.TrySetResult();

        public override void Fail(Exception error) => _done.TrySetException(error);
    }

    private sealed class EnterWork(DurableScheduler scheduler, JobScope scope, string home) : StoreWork
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private List<long> _left = [];

        public Task Task => _done.Task;

        public override bool NeedsSavepoint => false;

        public override void Run(StoreConnection connection)
        {
            _left = [];
            var id = JobTable.FindScope(connection, scheduler._server, scope) is not 0 and var known ? known : JobTable.AddScope(connection, scheduler._server, scope);
            var homes = JobTable.Homes(connection, id);
            if (homes.Contains(home))
                return;
            if (homes.Count > 0 && homes.TrueForAll(IsGone))
            {
                _left = JobTable.WithPrefix(connection, id, null, "");
                foreach (var job in _left)
                    JobTable.Delete(connection, job);
                JobTable.DeleteHomes(connection, id);
            }

            JobTable.AddHome(connection, id, home);
        }

        public override void Committed() => scheduler.Deleted(scope, _left);

        public override void Complete() => _done.TrySetResult();

        public override void Fail(Exception error) => _done.TrySetException(error);

        // Other folders may be away for a while: a disk that is not mounted, a checkout of another branch.
        private static bool IsGone(string folder) => folder.StartsWith(Path.GetTempPath(), StringComparison.Ordinal) && !Directory.Exists(folder);
    }

    private sealed class DeleteWork(DurableScheduler scheduler, JobScope scope, Func<StoreConnection, long, List<long>> find) : StoreWork
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private List<long> _ids = [];

        public Task Task => _done.Task;

        public override bool NeedsSavepoint => false;

        public override void Run(StoreConnection connection)
        {
            var id = JobTable.FindScope(connection, scheduler._server, scope);
            _ids = id == 0 ? [] : find(connection, id);
            foreach (var job in _ids)
                JobTable.Delete(connection, job);
        }

        public override void Committed() => scheduler.Deleted(scope, _ids);

        public override void Complete() => _done.TrySetResult();

        public override void Fail(Exception error) => _done.TrySetException(error);
    }

    private sealed class ProgressWork(DurableScheduler scheduler, JobEntry entry, JobProgress progress) : StoreWork
    {
        public override bool NeedsSavepoint => false;

        public override void Run(StoreConnection connection)
        {
            if (progress.Due is { } due)
                JobTable.Advance(connection, entry.Id, due, progress.Fired);
            else
                JobTable.Delete(connection, entry.Id);
        }

        public override void Committed() => scheduler.Advanced(entry, progress);

        public override void Complete()
        {
        }

        public override void Fail(Exception error) => scheduler.NotAdvanced(entry, progress, error);
    }

    private sealed class LoadWork(DurableScheduler scheduler, JobGroup group, (long Due, long Id) after, int epoch) : StoreWork
    {
        private List<JobRow> _rows = [];

        public override bool NeedsSavepoint => false;

        public override void Run(StoreConnection connection) =>
            _rows = JobTable.FindScope(connection, scheduler._server, group.Scope) is not 0 and var scope ? JobTable.After(connection, scope, after, Batch) : [];

        public override void Committed() => scheduler.Read(group, _rows, epoch);

        public override void Complete()
        {
        }

        public override void Fail(Exception error) => scheduler.Read(group, null, epoch);
    }
}
