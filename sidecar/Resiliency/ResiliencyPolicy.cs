using DaprPlatform.Sidecar.Observability;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Resiliency;

/// <summary>
/// The policies of one target: timeout of each attempt inside the circuit breaker inside the retries (https://docs.dapr.io/operations/resiliency/). Thread-safe; the
/// state of its breaker is that of the target.
/// </summary>
internal sealed partial class ResiliencyPolicy
{
    private readonly TimeSpan _timeout;
    private readonly RetryPolicy? _retry;
    private readonly IReadOnlyList<CircuitBreaker> _breakers;
    private readonly PolicyUse? _use;
    private readonly TimeProvider _time;
    private readonly ILogger? _logger;

    /// <param name="timeout">Zero is none.</param>
    public ResiliencyPolicy(TimeSpan timeout, RetryPolicy? retry, IReadOnlyList<CircuitBreaker> breakers, PolicyUse? use, TimeProvider time, ILogger? logger)
    {
        _timeout = timeout;
        _retry = retry;
        _breakers = breakers;
        _use = use;
        _time = time;
        _logger = logger;
        IsDefined = timeout > TimeSpan.Zero || retry is not null || breakers.Count > 0;
    }

    /// <summary>No policy: the operation as it is.</summary>
    public static ResiliencyPolicy Direct { get; } = new(TimeSpan.Zero, null, [], null, TimeProvider.System, null);

    /// <summary>True when a policy applies at all; false for <see cref="Direct"/>.</summary>
    public bool IsDefined { get; }

    /// <summary>The target is named in a Resiliency resource; built-in policies do not apply to it.</summary>
    public bool IsExplicit { get; init; }

    /// <summary>
    /// Runs the operation, again while it throws and the policy says so. The last exception goes through; <see cref="PermanentException"/> is never retried
    /// (its inner exception is thrown).
    /// </summary>
    /// <exception cref="PolicyException">An attempt took too long, or the breaker is open.</exception>
    public ValueTask<T> RunAsync<T>(Func<CancellationToken, ValueTask<T>> operation, CancellationToken cancellationToken) => RunAsync(operation, static _ => Verdict.Success, cancellationToken);

    /// <summary>As <see cref="RunAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>; a result may be a failure too. The last one is returned, those before it are disposed of.</summary>
    public async ValueTask<T> RunAsync<T>(Func<CancellationToken, ValueTask<T>> operation, Func<T, Verdict> judge, CancellationToken cancellationToken)
    {
        if (!IsDefined)
        {
            try
            {
                return await operation(cancellationToken).ConfigureAwait(false);
            }
            catch (PermanentException e)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException!);
                throw;
            }
        }

        _use?.Used(_timeout > TimeSpan.Zero, _retry is not null, _breakers);
        var start = _time.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            Exception? failure = null;
            var result = default(T);
            Verdict verdict;
            try
            {
                result = await GuardedAsync(operation, judge, cancellationToken).ConfigureAwait(false);
                verdict = judge(result);
            }
            catch (Exception e)
            {
                failure = e is PermanentException { InnerException: { } inner } ? inner : e;
                verdict = e is PolicyException { Message: not PolicyException.TimedOut } ? Verdict.Failure with { IsFinal = true } : Verdict.Of(e);
            }

            var pause = verdict is { Failed: true, IsFinal: false } && !cancellationToken.IsCancellationRequested && _retry is not null && _retry.Matches(verdict)
                ? _retry.Delay(attempt, _time.GetElapsedTime(start))
                : null;
            if (pause is null)
            {
                if (failure is not null)
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
                if (attempt > 1 && !verdict.Failed && _logger is not null)
                    LogRecovered(_logger, _use?.Target ?? "", attempt);
                return result!;
            }

            if (attempt == 1)
                _use?.Retrying();
            if (_logger is not null)
                LogRetry(_logger, _use?.Target ?? "", failure?.Message ?? "the answer is a failure");
            if (result is IAsyncDisposable disposable)
                await disposable.DisposeAsync().ConfigureAwait(false);
            if (pause > TimeSpan.Zero)
                await Task.Delay(pause.Value, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask<T> GuardedAsync<T>(Func<CancellationToken, ValueTask<T>> operation, Func<T, Verdict> judge, CancellationToken cancellationToken)
    {
        if (_breakers.Count == 0)
            return await TimedAsync(operation, cancellationToken).ConfigureAwait(false);
        var periods = new long[_breakers.Count];
        var entered = 0;
        try
        {
            for (; entered < periods.Length; entered++)
                periods[entered] = _breakers[entered].Enter();
        }
        catch (PolicyException)
        {
            // A breaker that was passed before the one that is closed to this call has not seen a failure.
            for (var i = 0; i < entered; i++)
                _breakers[i].Record(periods[i], success: true);
            throw;
        }

        var success = false;
        try
        {
            var result = await TimedAsync(operation, cancellationToken).ConfigureAwait(false);
            success = !judge(result).Failed;
            return result;
        }
        finally
        {
            for (var i = 0; i < periods.Length; i++)
                _breakers[i].Record(periods[i], success);
        }
    }

    private async ValueTask<T> TimedAsync<T>(Func<CancellationToken, ValueTask<T>> operation, CancellationToken cancellationToken)
    {
        if (_timeout <= TimeSpan.Zero)
            return await operation(cancellationToken).ConfigureAwait(false);
        using var own = new CancellationTokenSource(_timeout, _time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, own.Token);
        var work = operation(limit.Token).AsTask();
        try
        {
            // Time is up even for an operation that does not listen to its token.
            return await work.WaitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception) when (own.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            _ = DiscardAsync(work);
            _use?.TimedOut();
            throw new PolicyException(PolicyException.TimedOut);
        }
    }

    private static async Task DiscardAsync<T>(Task<T> work)
    {
        await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (work.IsCompletedSuccessfully && work.Result is IAsyncDisposable late)
            await late.DisposeAsync().ConfigureAwait(false);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Error processing operation {Target}. Retrying: {Reason}")]
    private static partial void LogRetry(ILogger logger, string target, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Recovered processing operation {Target} after {Attempts} attempts")]
    private static partial void LogRecovered(ILogger logger, string target, int attempts);
}

/// <summary>Counts how the policies of a target are used.</summary>
/// <param name="Name">The resource they come from.</param>
/// <param name="Target">Such as <c>app_orders</c>.</param>
internal sealed record PolicyUse(ResiliencyMetrics Metrics, string Name, string Direction, string Target)
{
    public void Used(bool timeout, bool retry, IReadOnlyList<CircuitBreaker> breakers)
    {
        if (timeout)
            Metrics.Used(Name, "timeout", Direction, Target, "");
        if (retry)
            Metrics.Used(Name, "retry", Direction, Target, "");
        foreach (var breaker in breakers)
            Metrics.Used(Name, "circuitbreaker", Direction, Target, breaker.Current);
    }

    public void Retrying() => Metrics.Activated(Name, "retry", Direction, Target, "");

    public void TimedOut() => Metrics.Activated(Name, "timeout", Direction, Target, "");

    public void BreakerChanged(string state)
    {
        Metrics.BreakerState(Name, Direction, Target, state);
        if (state == "open")
            Metrics.Activated(Name, "circuitbreaker", Direction, Target, state);
    }
}
