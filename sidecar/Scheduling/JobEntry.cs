using Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>A job in memory: one of the next of a scope that is consumed. All members under the scheduler's lock.</summary>
internal sealed class JobEntry
{
    // Larger ones stay on the disk until they fire.
    private const int LargestKept = 4096;
    private CronExpression? _schedule;

    public JobEntry(JobGroup group, JobRow row)
    {
        Group = group;
        Id = row.Id;
        Key = new JobKey(group.Scope, row.ActorId, row.Name);
        Due = row.Due;
        FireAt = row.Due;
        Fired = row.Fired;
        Expires = row.Expires;
        if (row.Spec.Length <= LargestKept)
            Job = JobTable.Parse(row.Spec);
    }

    public JobGroup Group { get; }

    public long Id { get; }

    public JobKey Key { get; }

    /// <summary>The time that is durable.</summary>
    public long Due { get; set; }

    /// <summary>When it is to be looked at: the due time, or that of the next attempt.</summary>
    public long FireAt { get; set; }

    public long Fired { get; set; }

    public long Expires { get; }

    public int Attempts { get; set; }

    /// <summary>Null where it is large: see the table.</summary>
    public Job? Job { get; }

    public JobState State { get; set; }

    /// <summary>Handled, but its progress could not be written yet.</summary>
    public JobProgress? Unwritten { get; set; }

    public CronExpression? Schedule(Job job) => job.HasSchedule ? _schedule ??= JobTimes.ParseSchedule(job.Schedule) : null;
}

internal enum JobState
{
    /// <summary>In the heap.</summary>
    Waiting,

    /// <summary>Due, but no consumer takes it at the moment.</summary>
    Ready,

    /// <summary>With a consumer.</summary>
    Running,

    /// <summary>Its progress is being written.</summary>
    Advancing,

    /// <summary>Deleted, replaced, or left to the disk.</summary>
    Dropped,
}

/// <summary>What follows a time that was handled.</summary>
/// <param name="Due">The next time; null: it is over and deleted.</param>
internal sealed record JobProgress(long? Due, long Fired);

/// <summary>One who delivers jobs.</summary>
internal sealed class JobConsumer(JobHandler handler) : IDisposable
{
    private readonly CancellationTokenSource _lost = new();

    public JobHandler Handler => handler;

    public CancellationToken Lost => _lost.Token;

    /// <summary>Jobs with it.</summary>
    public int Running { get; set; }

    /// <summary>Set once it leaves; completes when no job is with it.</summary>
    public TaskCompletionSource? Left { get; set; }

    public void Dispose() => _lost.Dispose();
}

/// <summary>The jobs of a scope in memory, and who consumes them.</summary>
internal sealed class JobGroup(JobScope scope)
{
    /// <summary>Before the first job.</summary>
    public static readonly (long Due, long Id) Beginning = (long.MinValue, 0);

    /// <summary>Behind the last job.</summary>
    public static readonly (long Due, long Id) End = (long.MaxValue, long.MaxValue);

    private int _turn;

    public JobScope Scope => scope;

    public List<JobConsumer> Consumers { get; } = [];

    public Dictionary<long, JobEntry> Entries { get; } = [];

    public Queue<JobEntry> Ready { get; } = [];

    /// <summary>Jobs up to this place in the order of due times are in <see cref="Entries"/>; those behind it are on the disk alone.</summary>
    public (long Due, long Id) Loaded { get; set; } = Beginning;

    public bool IsLoading { get; set; }

    /// <summary>Changes when everything was dropped: what was read before is no longer wanted.</summary>
    public int Epoch { get; set; }

    public bool Holds(long due, long id) => Consumers.Count > 0 && (due, id).CompareTo(Loaded) <= 0;

    /// <summary>The next consumer in turn that can take one more; null when none can.</summary>
    public JobConsumer? Pick(int most)
    {
        for (var i = 0; i < Consumers.Count; i++)
        {
            _turn = (_turn + 1) % Consumers.Count;
            if (Consumers[_turn].Running < most)
                return Consumers[_turn];
        }

        return null;
    }
}
