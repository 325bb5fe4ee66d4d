using System.Globalization;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.PubSub.Cel;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Resiliency;

/// <summary>A named circuit breaker policy, of which each target has breakers of its own.</summary>
/// <param name="MaxRequests">Let through while half open; as many successes close it.</param>
/// <param name="Interval">After which a closed breaker forgets its counts; zero is never.</param>
/// <param name="Timeout">From open to half open.</param>
/// <param name="Trip">Opens it when true after a failure; null: more than five failures in a row.</param>
internal sealed record CircuitBreakerPolicy(int MaxRequests, TimeSpan Interval, TimeSpan Timeout, CelProgram? Trip)
{
    private static readonly string[] Variables = ["requests", "totalSuccesses", "totalFailures", "consecutiveSuccesses", "consecutiveFailures"];

    /// <exception cref="FormatException">A value has the wrong form.</exception>
    public static CircuitBreakerPolicy Parse(JsonObject spec)
    {
        try
        {
            return new CircuitBreakerPolicy(
                spec.Text("maxRequests") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) is var max and > 0 ? max : 1 : 1,
                RetryPolicy.DurationOf(spec, "interval", TimeSpan.Zero),
                RetryPolicy.DurationOf(spec, "timeout", TimeSpan.Zero) is { Ticks: > 0 } timeout ? timeout : TimeSpan.FromSeconds(60),
                spec.Text("trip") is { Length: > 0 } trip ? CelProgram.Compile(trip, Variables) : null);
        }
        catch (CelException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    public bool Trips(in BreakerCounts counts) => Trip is null
        ? counts.ConsecutiveFailures > 5
        : Trip.Evaluate(CelValue.Of((long)counts.Requests), CelValue.Of((long)counts.TotalSuccesses), CelValue.Of((long)counts.TotalFailures),
            CelValue.Of((long)counts.ConsecutiveSuccesses), CelValue.Of((long)counts.ConsecutiveFailures)).IsTrue;
}

/// <summary>What a breaker knows of its current period.</summary>
internal record struct BreakerCounts(int Requests, int TotalSuccesses, int TotalFailures, int ConsecutiveSuccesses, int ConsecutiveFailures);

/// <summary>
/// One breaker. Closed: everything passes and is counted. Open: nothing passes until its timeout is over. Half open: a few pass; a failure opens it again,
/// successes close it. A result that comes in a later period than its request counts for nothing. Thread-safe.
/// </summary>
/// <param name="changed">Told each new state: <c>closed</c>, <c>half-open</c>, <c>open</c>.</param>
internal sealed class CircuitBreaker(CircuitBreakerPolicy policy, TimeProvider time, Action<string>? changed = null)
{
    private readonly Lock _lock = new();
    private State _state;
    private BreakerCounts _counts;
    private long _period;
    private long _periodBegan = time.GetTimestamp();

    private enum State
    {
        Closed,
        HalfOpen,
        Open,
    }

    /// <summary>Name of the current state.</summary>
    public string Current
    {
        get
        {
            lock (_lock)
            {
                Progress();
                return Name(_state);
            }
        }
    }

    /// <summary>Name of the policy it follows.</summary>
    public string PolicyName { get; init; } = "";

    /// <summary>Called when its state or its failures in a row are others, under its lock: must not block.</summary>
    public Action? Touched { get; init; }

    /// <summary>How it stands, without moving it on: what its next request will find.</summary>
    /// <returns>The state, its counts and, where it is open, for how long yet.</returns>
    public (string State, BreakerCounts Counts, TimeSpan? OpenFor) Look()
    {
        lock (_lock)
        {
            var since = time.GetElapsedTime(_periodBegan);
            return _state switch
            {
                State.Open when since >= policy.Timeout => (Name(State.HalfOpen), default, null),
                State.Open => (Name(State.Open), _counts, policy.Timeout - since),
                State.Closed when policy.Interval > TimeSpan.Zero && since >= policy.Interval => (Name(State.Closed), default, null),
                _ => (Name(_state), _counts, null),
            };
        }
    }

    /// <summary>Lets a request through; gives what <see cref="Record"/> needs.</summary>
    /// <exception cref="PolicyException">It is open, or half open with its requests under way.</exception>
    public long Enter()
    {
        lock (_lock)
        {
            Progress();
            if (_state == State.Open)
                throw new PolicyException(PolicyException.Open);
            if (_state == State.HalfOpen && _counts.Requests >= policy.MaxRequests)
                throw new PolicyException(PolicyException.TooMany);
            _counts.Requests++;
            return _period;
        }
    }

    /// <summary>Counts the result of a request.</summary>
    public void Record(long period, bool success)
    {
        lock (_lock)
        {
            Progress();
            if (period != _period)
                return;
            if (success)
            {
                var failed = _counts.ConsecutiveFailures > 0;
                _counts = _counts with { TotalSuccesses = _counts.TotalSuccesses + 1, ConsecutiveSuccesses = _counts.ConsecutiveSuccesses + 1, ConsecutiveFailures = 0 };
                if (_state == State.HalfOpen && _counts.ConsecutiveSuccesses >= policy.MaxRequests)
                    Change(State.Closed);
                else if (failed)
                    Touched?.Invoke();
                return;
            }

            _counts = _counts with { TotalFailures = _counts.TotalFailures + 1, ConsecutiveFailures = _counts.ConsecutiveFailures + 1, ConsecutiveSuccesses = 0 };
            if (_state == State.HalfOpen || (_state == State.Closed && policy.Trips(_counts)))
                Change(State.Open);
            else
                Touched?.Invoke();
        }
    }

    private void Progress()
    {
        if (_state == State.Open && time.GetElapsedTime(_periodBegan) >= policy.Timeout)
            Change(State.HalfOpen);
        else if (_state == State.Closed && policy.Interval > TimeSpan.Zero && time.GetElapsedTime(_periodBegan) >= policy.Interval)
            Begin();
    }

    private void Change(State state)
    {
        _state = state;
        Begin();
        changed?.Invoke(Name(state));
        Touched?.Invoke();
    }

    private void Begin()
    {
        _period++;
        _counts = default;
        _periodBegan = time.GetTimestamp();
    }

    private static string Name(State state) => state switch { State.Closed => "closed", State.Open => "open", _ => "half-open" };
}
