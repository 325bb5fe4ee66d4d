using Dapr.Common;
using Dapr.Jobs.Models;
using Dapr.Jobs.Models.Responses;

namespace Dapr.Jobs;

/// <summary>Schedules jobs. A due job is posted to <c>/job/{name}</c> of the app that scheduled it.</summary>
public abstract class DaprJobsClient : IDaprClient
{
    bool _disposed;

    /// <summary>Schedules a job.</summary>
    /// <param name="jobName">Its name, unique within the app.</param>
    /// <param name="schedule">When it is due.</param>
    /// <param name="payload">What the app gets.</param>
    /// <param name="startingFrom">Before this it is not due.</param>
    /// <param name="repeats">The most times that it is due; null: as often as the schedule says.</param>
    /// <param name="ttl">After this it is gone.</param>
    /// <param name="overwrite">Replaces a job of the same name; without it, that is an error.</param>
    /// <param name="failurePolicyOptions">What happens when the app does not take it.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <exception cref="DaprException">The sidecar refused.</exception>
    public abstract Task ScheduleJobAsync(
        string jobName,
        DaprJobSchedule schedule,
        ReadOnlyMemory<byte>? payload = null,
        DateTimeOffset? startingFrom = null,
        int? repeats = null,
        DateTimeOffset? ttl = null,
        bool overwrite = false,
        IJobFailurePolicyOptions? failurePolicyOptions = null,
        CancellationToken cancellationToken = default);

    /// <summary>A job as it stands.</summary>
    /// <exception cref="DaprException">There is none.</exception>
    public abstract Task<DaprJobDetails> GetJobAsync(string jobName, CancellationToken cancellationToken = default);

    /// <summary>Deletes a job.</summary>
    /// <exception cref="DaprException">The sidecar refused.</exception>
    public abstract Task DeleteJobAsync(string jobName, CancellationToken cancellationToken = default);

    /// <inheritdoc />
    public void Dispose()
    {
        if (_disposed)
            return;
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
        _disposed = true;
    }

    /// <summary>Closes connections.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
