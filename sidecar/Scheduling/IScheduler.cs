using Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>What a job is sent to.</summary>
internal enum JobOwner
{
    /// <summary>An app, by its id: the jobs API.</summary>
    App,

    /// <summary>Whoever hosts an actor type: reminders.</summary>
    ActorType,
}

/// <summary>Whose jobs: an app, or the hosts of an actor type. All consumers of a scope share its jobs.</summary>
/// <param name="Name">App id, or actor type.</param>
internal readonly record struct JobScope(JobOwner Owner, string Namespace, string Name)
{
    public static JobScope App(string @namespace, string appId) => new(JobOwner.App, @namespace, appId);

    public static JobScope ActorType(string @namespace, string type) => new(JobOwner.ActorType, @namespace, type);
}

/// <summary>What a job is found by.</summary>
/// <param name="ActorId">Empty for jobs of an app.</param>
internal readonly record struct JobKey(JobScope Scope, string ActorId, string Name)
{
    public static JobKey ForApp(string @namespace, string appId, string name) => new(JobScope.App(@namespace, appId), "", name);

    public static JobKey ForReminder(string @namespace, string actorType, string actorId, string name) => new(JobScope.ActorType(@namespace, actorType), actorId, name);

    /// <summary>As Dapr's scheduler shows it in errors.</summary>
    public override string ToString() => Scope.Owner == JobOwner.App
        ? $"app||{Scope.Namespace}||{Scope.Name}||{Name}"
        : $"actorreminder||{Scope.Namespace}||{Scope.Name}||{ActorId}||{Name}";
}

/// <summary>A job of a list.</summary>
internal readonly record struct ScheduledJob(JobKey Key, Job Job);

/// <summary>A job whose time has come.</summary>
/// <param name="Job">As it was scheduled. Shared: not to be changed.</param>
/// <param name="Due">When this time was due.</param>
/// <param name="Attempt">0 at first, then the number of failures of this time so far (not kept over a restart of the scheduler).</param>
internal sealed record DueJob(JobKey Key, Job Job, DateTimeOffset Due, int Attempt);

/// <summary>What became of a due job.</summary>
internal enum JobOutcome
{
    /// <summary>Delivered: on to the next time.</summary>
    Done,

    /// <summary>Tried again as the job's failure policy says; then on to the next time.</summary>
    Failed,

    /// <summary>This consumer cannot say anything about it (it has just lost the app or the actor): given to another consumer, or kept until there is one.</summary>
    Undeliverable,
}

/// <summary>Delivers a due job. An exception counts as <see cref="JobOutcome.Failed"/>. Many run at the same time; times of one job never overlap.</summary>
/// <param name="cancellationToken">The connection to the scheduler is lost: the job will come again, here or elsewhere.</param>
internal delegate ValueTask<JobOutcome> JobHandler(DueJob job, CancellationToken cancellationToken);

/// <summary>
/// A durable scheduler: what was acknowledged is on the disk, and each time of a job is delivered at least once. Progress (the next time, how often it has
/// fired) is durable before the next time fires. Jobs that are due while nobody consumes their scope fire when somebody does; times missed meanwhile count as one.
/// Reached by <see cref="StandIns.StandInKinds.Scheduler"/> and the address of <c>--scheduler-host-address</c>.
/// </summary>
internal interface IScheduler
{
    /// <summary>
    /// Schedules a job; durable when it returns. At least one of schedule and due time must be set. A missing failure policy becomes Dapr's default: three more attempts, a second apart.
    /// Times as text: due time RFC 3339, Go or ISO 8601 duration from now; ttl the same; schedule <c>@every</c> a Go duration, cron with six fields, <c>@daily</c> and its like.
    /// </summary>
    /// <param name="job">Its name is not looked at; not to be changed afterwards.</param>
    /// <param name="overwrite">Replaces a job of this key, which starts anew.</param>
    /// <exception cref="SchedulerException">The job is malformed, or exists and is not to be overwritten, or the scheduler cannot be reached.</exception>
    Task ScheduleAsync(JobKey key, Job job, bool overwrite, CancellationToken cancellationToken);

    /// <summary>The job as it was scheduled (its name is that of the key), or null. A job that has fired for the last time, was given up or has expired is gone.</summary>
    ValueTask<Job?> GetAsync(JobKey key, CancellationToken cancellationToken);

    /// <summary>The jobs of a scope, or of one actor of it, by actor and name.</summary>
    ValueTask<IReadOnlyList<ScheduledJob>> ListAsync(JobScope scope, string? actorId, CancellationToken cancellationToken);

    /// <summary>How many jobs a scope has.</summary>
    ValueTask<long> CountAsync(JobScope scope, CancellationToken cancellationToken);

    /// <summary>Deletes a job, if there is one.</summary>
    Task DeleteAsync(JobKey key, CancellationToken cancellationToken);

    /// <summary>Deletes the jobs of a scope, or of one actor of it, whose name begins with a prefix (empty: all).</summary>
    Task DeleteAllAsync(JobScope scope, string? actorId, string namePrefix, CancellationToken cancellationToken);

    /// <summary>
    /// Says from which folder a scope is used. When all folders it was used from were in the folder for temporary files and are gone, what it holds is left over from a session that
    /// is over: it is deleted and does not fire into the next app of that name.
    /// </summary>
    /// <param name="home">Full path of the folder of the sidecar's resources.</param>
    Task EnterAsync(JobScope scope, string home, CancellationToken cancellationToken);

    /// <summary>Takes part in the jobs of a scope until disposed of; that waits for handlers under way.</summary>
    ValueTask<IAsyncDisposable> ConsumeAsync(JobScope scope, JobHandler handler, CancellationToken cancellationToken);
}

/// <summary>Why the scheduler refused.</summary>
internal enum SchedulerRefusal
{
    Invalid,
    AlreadyExists,
    Unavailable,
}

/// <summary>The scheduler refused; the message is that of Dapr's scheduler.</summary>
internal sealed class SchedulerException(SchedulerRefusal refusal, string message, Exception? inner = null) : Exception(message, inner)
{
    public SchedulerRefusal Refusal => refusal;
}
