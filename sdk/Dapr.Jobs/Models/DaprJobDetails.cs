namespace Dapr.Jobs.Models.Responses;

/// <summary>A job as it stands.</summary>
/// <param name="Schedule">When it is due.</param>
public sealed record DaprJobDetails(DaprJobSchedule Schedule)
{
    /// <summary>The most times that it is due; null: as often as the schedule says.</summary>
    public int? RepeatCount { get; init; }

    /// <summary>Before this it is not due.</summary>
    public DateTimeOffset? DueTime { get; init; }

    /// <summary>After this it is gone.</summary>
    public DateTimeOffset? Ttl { get; init; }

    /// <summary>What the app gets.</summary>
    public byte[]? Payload { get; init; }

    /// <summary>What happens when the app does not take it.</summary>
    public IJobFailurePolicyOptions? FailurePolicy { get; init; }
}
