using System.Collections.Concurrent;
using System.Globalization;
using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Middleware;

/// <summary>At most <c>maxRequestsPerSecond</c> (100) requests of one address: a token bucket that holds the requests of one second, at least one.</summary>
internal sealed class RateLimitMiddleware(ComponentSpec spec) : HttpMiddleware
{
    private const int MostAddresses = 10_000;
    private static readonly MiddlewareRefusal Refusal = new(429, "You have reached maximum request limit.");
    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);
    private double _rate = 100;

    public override Task InitAsync(CancellationToken cancellationToken)
    {
        if (spec.Value("maxRequestsPerSecond") is { Length: > 0 } text)
        {
            if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _rate) || !(_rate > 0))
                throw new ComponentException($"metadata property maxRequestsPerSecond must be a positive value: {text}");
        }

        return Task.CompletedTask;
    }

    public override ValueTask<MiddlewareRefusal?> HandleAsync(MiddlewareRequest request, CancellationToken cancellationToken)
    {
        if (_buckets.Count >= MostAddresses)
            _buckets.Clear();
        var bucket = _buckets.GetOrAdd(request.RemoteAddress, static (_, owner) => new Bucket(Math.Max(1, owner._rate), owner.Now), this);
        return ValueTask.FromResult(bucket.Take(_rate, Math.Max(1, _rate), Now) ? null : Refusal);
    }

    private double Now => spec.Time.GetTimestamp() / (double)spec.Time.TimestampFrequency;

    private sealed class Bucket(double tokens, double at)
    {
        private readonly Lock _lock = new();
        private double _tokens = tokens;
        private double _at = at;

        public bool Take(double rate, double most, double now)
        {
            lock (_lock)
            {
                _tokens = Math.Min(most, _tokens + (now - _at) * rate);
                _at = now;
                if (_tokens < 1)
                    return false;
                _tokens--;
                return true;
            }
        }
    }
}
