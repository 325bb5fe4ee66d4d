using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>The scheduler of one address. All jobs are in the store, those that are due next in a <see cref="JobQueue"/>.</summary>
internal sealed class DurableScheduler : IScheduler, IAsyncDisposable
{
    private readonly JobTable _table;
    private readonly JobQueue _queue;
    private readonly TimeProvider _time;

    /// <param name="table">Loaded.</param>
    /// <param name="server">The scheduler's address: its jobs are apart from those of others in the table.</param>
    /// <param name="changes">Told of every commit; null: nobody is.</param>
    public DurableScheduler(JobTable table, string server, TimeProvider time, ILogger logger, Introspection.RuntimeChanges? changes = null)
    {
        _table = table;
        _time = time;
        _queue = new JobQueue(table, server, time, logger, changes);
    }

    /// <summary>The scheduler of an address in this process.</summary>
    public static async ValueTask<IScheduler> OpenAsync(StandInPlace place)
    {
        var table = place.Engine.Shared("scheduler", engine => new JobTable(engine.Store));
        await table.LoadAsync().ConfigureAwait(false);
        return new DurableScheduler(table, place.Address, place.Engine.Time, NullLogger.Instance, place.Engine.Changes);
    }

    /// <summary>How many jobs are in memory.</summary>
    internal int InMemory => _queue.InMemory;

    /// <summary>How many jobs are with consumers.</summary>
    internal int Running => _queue.Running;

    /// <summary>The scheduler's address.</summary>
    internal string Server => _queue.Server;

    /// <summary>Jobs of all scopes of an owner behind a place, by scope, actor and name.</summary>
    internal async ValueTask<IReadOnlyList<ScheduledRow>> BrowseAsync(JobOwner owner, RowPlace? after, int limit)
    {
        var now = _time.GetUtcNow().UtcTicks;
        return await ReadAsync<IReadOnlyList<ScheduledRow>>(connection => JobTable.Browse(connection, _queue.Server, owner, after, limit, now)).ConfigureAwait(false);
    }

    public async Task ScheduleAsync(JobKey key, Job job, bool overwrite, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var now = _time.GetUtcNow();
        var (due, expires) = JobTimes.Begin(key, job, now);
        var work = new ScheduleWork(_queue, _table, key, JobTable.Serialize(job), due, expires, overwrite, now.UtcTicks);
        await WriteAsync(work, work.Task).ConfigureAwait(false);
    }

    public async ValueTask<Job?> GetAsync(JobKey key, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow().UtcTicks;
        var spec = await ReadAsync(connection => JobTable.FindScope(connection, _queue.Server, key.Scope) is not 0 and var scope
            && JobTable.Find(connection, scope, key.ActorId, key.Name) is { } found && found.Expires > now ? JobTable.Spec(connection, found.Id) : null).ConfigureAwait(false);
        return spec is null ? null : Named(JobTable.Parse(spec), key.Name);
    }

    public async ValueTask<IReadOnlyList<ScheduledJob>> ListAsync(JobScope scope, string? actorId, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow().UtcTicks;
        var rows = await ReadAsync(connection => JobTable.FindScope(connection, _queue.Server, scope) is not 0 and var id ? JobTable.List(connection, id, actorId) : []).ConfigureAwait(false);
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
        return await ReadAsync(connection => JobTable.FindScope(connection, _queue.Server, scope) is not 0 and var id ? JobTable.Count(connection, id, now) : 0).ConfigureAwait(false);
    }

    public Task DeleteAsync(JobKey key, CancellationToken cancellationToken)
    {
        var work = new DeleteWork(_queue, key.Scope, (connection, scope) => JobTable.Find(connection, scope, key.ActorId, key.Name) is { } found ? [found.Id] : []);
        return WriteAsync(work, work.Task);
    }

    public Task DeleteAllAsync(JobScope scope, string? actorId, string namePrefix, CancellationToken cancellationToken)
    {
        var work = new DeleteWork(_queue, scope, (connection, id) => JobTable.WithPrefix(connection, id, actorId, namePrefix));
        return WriteAsync(work, work.Task);
    }

    public Task EnterAsync(JobScope scope, string home, CancellationToken cancellationToken)
    {
        var work = new EnterWork(_queue, scope, home);
        return WriteAsync(work, work.Task);
    }

    public ValueTask<IAsyncDisposable> ConsumeAsync(JobScope scope, JobHandler handler, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(_queue.Consume(scope, handler));
    }

    public ValueTask DisposeAsync() => _queue.DisposeAsync();

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
}
