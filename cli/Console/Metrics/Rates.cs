namespace DaprPlatform.Cli.OpsConsole.Metrics;

/// <summary>What counters and histograms say since the look before. A counter that fell was started anew: what it has counted since counts.</summary>
internal sealed class Rates
{
    private Dictionary<string, double> _last = new(StringComparer.Ordinal);
    private Dictionary<string, double> _now = new(StringComparer.Ordinal);
    private long _lastAt;
    private TimeSpan _elapsed;

    /// <summary>Begins a look; what is not seen in it is forgotten with the next.</summary>
    /// <param name="timestamp">Of a clock with a frequency of ticks.</param>
    public void Begin(long timestamp)
    {
        (_last, _now) = (_now, new Dictionary<string, double>(_now.Count, StringComparer.Ordinal));
        _elapsed = _lastAt == 0 ? TimeSpan.Zero : TimeSpan.FromTicks(timestamp - _lastAt);
        _lastAt = timestamp;
    }

    /// <summary>How much a counter grew; null at its first look.</summary>
    public double? Growth(string key, double value)
    {
        _now[key] = _now.GetValueOrDefault(key) + value;
        return _last.TryGetValue(key, out var before) ? value >= before ? value - before : value : null;
    }

    public double PerSecond(double growth) => _elapsed > TimeSpan.Zero ? growth / _elapsed.TotalSeconds : 0;

    /// <summary>A quantile of what came into a histogram since the look before; null when nothing did. In the unit of its bounds.</summary>
    /// <param name="buckets">Growth by upper bound, cumulative as Prometheus writes it.</param>
    /// <param name="quantile">0 to 1.</param>
    public static double? Quantile(SortedDictionary<double, double> buckets, double quantile)
    {
        var total = buckets.Count == 0 ? 0 : buckets.Values.Last();
        if (total <= 0)
            return null;
        var wanted = total * quantile;
        var (lower, below) = (0d, 0d);
        foreach (var (bound, count) in buckets)
        {
            if (count >= wanted)
                return double.IsPositiveInfinity(bound) ? lower : lower + ((bound - lower) * (count > below ? (wanted - below) / (count - below) : 1));
            (lower, below) = (bound, count);
        }

        return lower;
    }
}
