using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>What becomes of a job that is due: handed to a consumer, tried again, given up, or due again later.</summary>
internal sealed partial class JobQueue
{
    private static readonly TimeSpan ShortestRetry = TimeSpan.FromMilliseconds(10);

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
        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Queue.DeliverAsync(work.Entry, work.Consumer), (Queue: this, Entry: entry, Consumer: consumer), preferLocal: false);
    }

    // Not under the lock.
    private async Task DeliverAsync(JobEntry entry, JobConsumer consumer)
    {
        var outcome = JobOutcome.Failed;
        Job? job = null;
        try
        {
            job = entry.Job ?? (await _table.Store.ReadAsync(connection => JobTable.Spec(connection, entry.Id), snapshot: true).ConfigureAwait(false) is { } spec ? JobTable.Parse(spec) : null);
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

    [LoggerMessage(Level = LogLevel.Error, Message = "job {Key} failed")]
    private partial void LogFailed(string key, Exception error);
}
