namespace Dapr.Jobs.Models;

/// <summary>What happens when the app does not take a due job.</summary>
public interface IJobFailurePolicyOptions;

/// <summary>It is tried again after the same time each.</summary>
/// <param name="Interval">The time between.</param>
public sealed record JobFailurePolicyConstantOptions(TimeSpan Interval) : IJobFailurePolicyOptions
{
    /// <summary>How often; null: without limit.</summary>
    public uint? MaxRetries { get; init; }
}

/// <summary>It is not tried again.</summary>
public sealed record JobFailurePolicyDropOptions : IJobFailurePolicyOptions;
