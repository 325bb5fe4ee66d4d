using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>A job is put in, in the place of one of its name.</summary>
internal sealed class ScheduleWork(JobQueue queue, JobTable table, JobKey key, byte[] spec, long due, long expires, bool overwrite, long now) : StoreWork
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
        var scope = JobTable.FindScope(connection, queue.Server, key.Scope) is not 0 and var known ? known : JobTable.AddScope(connection, queue.Server, key.Scope);
        if (JobTable.Find(connection, scope, key.ActorId, key.Name) is { } old)
        {
            if (!overwrite && old.Expires > now)
                throw new SchedulerException(SchedulerRefusal.AlreadyExists, $"job already exists: '{key}'");
            JobTable.Delete(connection, _replaced = old.Id);
        }

        _id = table.Insert(connection, scope, key.ActorId, key.Name, due, expires, spec);
    }

    public override void Committed() => queue.Scheduled(key, new JobRow(_id, key.ActorId, key.Name, due, 0, expires, spec), _replaced);

    public override void Complete() => _done.TrySetResult();

    public override void Fail(Exception error) => _done.TrySetException(error);
}

/// <summary>An app comes to its scope; what apps have left there whose folder is gone, goes.</summary>
internal sealed class EnterWork(JobQueue queue, JobScope scope, string home) : StoreWork
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<long> _left = [];

    public Task Task => _done.Task;

    public override bool NeedsSavepoint => false;

    public override void Run(StoreConnection connection)
    {
        _left = [];
        var id = JobTable.FindScope(connection, queue.Server, scope) is not 0 and var known ? known : JobTable.AddScope(connection, queue.Server, scope);
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

    public override void Committed() => queue.Deleted(scope, _left);

    public override void Complete() => _done.TrySetResult();

    public override void Fail(Exception error) => _done.TrySetException(error);

    // Other folders may be away for a while: a disk that is not mounted, a checkout of another branch.
    private static bool IsGone(string folder) => folder.StartsWith(Path.GetTempPath(), StringComparison.Ordinal) && !Directory.Exists(folder);
}

/// <summary>Jobs are taken out.</summary>
internal sealed class DeleteWork(JobQueue queue, JobScope scope, Func<StoreConnection, long, List<long>> find) : StoreWork
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<long> _ids = [];

    public Task Task => _done.Task;

    public override bool NeedsSavepoint => false;

    public override void Run(StoreConnection connection)
    {
        var id = JobTable.FindScope(connection, queue.Server, scope);
        _ids = id == 0 ? [] : find(connection, id);
        foreach (var job in _ids)
            JobTable.Delete(connection, job);
    }

    public override void Committed() => queue.Deleted(scope, _ids);

    public override void Complete() => _done.TrySetResult();

    public override void Fail(Exception error) => _done.TrySetException(error);
}

/// <summary>A job has fired: it is due again later, or over.</summary>
internal sealed class ProgressWork(JobQueue queue, JobEntry entry, JobProgress progress) : StoreWork
{
    public override bool NeedsSavepoint => false;

    public override void Run(StoreConnection connection)
    {
        if (progress.Due is { } due)
            JobTable.Advance(connection, entry.Id, due, progress.Fired);
        else
            JobTable.Delete(connection, entry.Id);
    }

    public override void Committed() => queue.Advanced(entry, progress);

    public override void Complete()
    {
    }

    public override void Fail(Exception error) => queue.NotAdvanced(entry, progress, error);
}

/// <summary>Reads the next jobs of a scope, on the writer thread: in the order of the commits.</summary>
internal sealed class LoadWork(JobQueue queue, JobGroup group, (long Due, long Id) after, int epoch, int count) : StoreWork
{
    private List<JobRow> _rows = [];

    public override bool NeedsSavepoint => false;

    public override void Run(StoreConnection connection) =>
        _rows = JobTable.FindScope(connection, queue.Server, group.Scope) is not 0 and var scope ? JobTable.After(connection, scope, after, count) : [];

    public override void Committed() => queue.Read(group, _rows, epoch);

    public override void Complete()
    {
    }

    public override void Fail(Exception error) => queue.Read(group, null, epoch);
}
