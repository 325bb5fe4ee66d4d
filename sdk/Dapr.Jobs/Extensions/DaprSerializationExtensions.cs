using System.Text;
using System.Text.Json;
using Dapr.Jobs.Models;

namespace Dapr.Jobs.Extensions;

/// <summary>Schedules jobs with payloads other than bytes.</summary>
public static class DaprSerializationExtensions
{
    /// <summary>Schedules a job whose payload is a value as JSON.</summary>
    public static Task ScheduleJobWithPayloadAsync(
        this DaprJobsClient client,
        string jobName,
        DaprJobSchedule schedule,
        object payload,
        DateTime? startingFrom = null,
        int? repeats = null,
        JsonSerializerOptions? jsonSerializerOptions = null,
        DateTimeOffset? ttl = null,
        bool overwrite = false,
        IJobFailurePolicyOptions? failurePolicyOptions = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(payload);
        ReadOnlyMemory<byte> bytes = JsonSerializer.SerializeToUtf8Bytes(payload, jsonSerializerOptions ?? JsonSerializerOptions.Web);
        return client.ScheduleJobAsync(jobName, schedule, bytes, startingFrom, repeats, ttl, overwrite, failurePolicyOptions, cancellationToken);
    }

    /// <summary>Schedules a job whose payload is text as UTF-8.</summary>
    public static Task ScheduleJobWithPayloadAsync(
        this DaprJobsClient client,
        string jobName,
        DaprJobSchedule schedule,
        string payload,
        DateTime? startingFrom = null,
        int? repeats = null,
        DateTimeOffset? ttl = null,
        bool overwrite = false,
        IJobFailurePolicyOptions? failurePolicyOptions = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(payload);
        ReadOnlyMemory<byte> bytes = Encoding.UTF8.GetBytes(payload);
        return client.ScheduleJobAsync(jobName, schedule, bytes, startingFrom, repeats, ttl, overwrite, failurePolicyOptions, cancellationToken);
    }
}
