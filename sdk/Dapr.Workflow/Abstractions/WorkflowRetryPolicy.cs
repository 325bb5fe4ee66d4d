namespace Dapr.Workflow;

/// <summary>Retries of an activity or child workflow, each after a durable timer.</summary>
public class WorkflowRetryPolicy
{
    /// <param name="maxNumberOfAttempts">Attempts in all, at least 1.</param>
    /// <param name="firstRetryInterval">Pause after the first failure, above zero.</param>
    /// <param name="backoffCoefficient">Each further pause is the one before times this; at least 1.</param>
    /// <param name="maxRetryInterval">Longest pause; not below the first. Null: no limit.</param>
    /// <param name="retryTimeout">No attempt starts when this much time has passed since the first; not below the first pause. Null: no limit.</param>
    public WorkflowRetryPolicy(
        int maxNumberOfAttempts,
        TimeSpan firstRetryInterval,
        double backoffCoefficient = 1.0,
        TimeSpan? maxRetryInterval = null,
        TimeSpan? retryTimeout = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxNumberOfAttempts, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(firstRetryInterval, TimeSpan.Zero);
        if (!(backoffCoefficient >= 1.0) || double.IsInfinity(backoffCoefficient))
            throw new ArgumentOutOfRangeException(nameof(backoffCoefficient), backoffCoefficient, "The back-off coefficient must be a finite number of at least 1.");
        if ((maxRetryInterval ?? TimeSpan.FromHours(1)) < firstRetryInterval)
            throw new ArgumentOutOfRangeException(nameof(maxRetryInterval), maxRetryInterval, "The longest pause (one hour if not given) must not be shorter than the first one.");
        if (retryTimeout < firstRetryInterval && retryTimeout != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(retryTimeout), retryTimeout, "The retry timeout must not be shorter than the first pause.");
        MaxNumberOfAttempts = maxNumberOfAttempts;
        FirstRetryInterval = firstRetryInterval;
        BackoffCoefficient = backoffCoefficient;
        MaxRetryInterval = maxRetryInterval ?? TimeSpan.FromHours(1);
        RetryTimeout = retryTimeout ?? Timeout.InfiniteTimeSpan;
        _cap = maxRetryInterval;
    }

    // MaxRetryInterval reads as one hour when none was given, but then nothing is capped.
    private readonly TimeSpan? _cap;

    public int MaxNumberOfAttempts { get; }

    public TimeSpan FirstRetryInterval { get; }

    public double BackoffCoefficient { get; }

    public TimeSpan MaxRetryInterval { get; }

    /// <summary><see cref="Timeout.InfiniteTimeSpan"/> if there is none.</summary>
    public TimeSpan RetryTimeout { get; }

    /// <summary>The pause after failed attempt number <paramref name="attempt"/> (from 0), or null if that was the last.</summary>
    internal TimeSpan? NextDelay(int attempt, DateTime firstAttempt, DateTime now)
    {
        if (attempt + 1 >= MaxNumberOfAttempts)
            return null;
        if (RetryTimeout != Timeout.InfiniteTimeSpan && now - firstAttempt >= RetryTimeout)
            return null;
        var ticks = FirstRetryInterval.Ticks * Math.Pow(BackoffCoefficient, attempt);
        var delay = ticks < TimeSpan.MaxValue.Ticks ? TimeSpan.FromTicks((long)ticks) : TimeSpan.MaxValue;
        return delay > _cap ? _cap : delay;
    }
}
