using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace DaprPlatform.Sidecar.Observability;

internal enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>
/// The series of one sidecar and their Prometheus text (https://prometheus.io/docs/instrumenting/exposition_formats/). A family is asked for once and kept;
/// recording looks its series up without allocating. Every series has the label <c>app_id</c>. Thread-safe.
/// </summary>
internal sealed class MetricsRegistry(string appId, bool enabled)
{
    private readonly ConcurrentDictionary<string, MetricFamily> _families = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<string, (Regex Pattern, string Replacement)[]>> _rules = new(StringComparer.Ordinal);

    /// <summary>False: nothing is recorded.</summary>
    public bool Enabled => enabled;

    /// <summary>Bounds of latencies, in milliseconds.</summary>
    public double[] LatencyBounds { get; set; } =
        [1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800, 1000, 2000, 5000, 10000, 20000, 50000, 100000];

    /// <summary>Bounds of sizes, in bytes.</summary>
    public static double[] SizeBounds { get; } = [1 << 10, 2 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20, 1 << 30, 4d * (1 << 30)];

    public MetricFamily Counter(string name, params string[] labels) => Family(name, MetricKind.Counter, [], labels);

    public MetricFamily Gauge(string name, params string[] labels) => Family(name, MetricKind.Gauge, [], labels);

    /// <summary>A histogram of milliseconds.</summary>
    public MetricFamily Latency(string name, params string[] labels) => Family(name, MetricKind.Histogram, LatencyBounds, labels);

    /// <summary>A histogram of bytes.</summary>
    public MetricFamily Size(string name, params string[] labels) => Family(name, MetricKind.Histogram, SizeBounds, labels);

    /// <summary>Replaces values of a label by what the first pattern that matches says (Configuration's <c>metrics.rules</c>). Before the family's first use.</summary>
    public void AddRule(string family, string label, IEnumerable<(Regex Pattern, string Replacement)> patterns)
    {
        if (!_rules.TryGetValue(family, out var labels))
            _rules[family] = labels = [];
        labels[label] = [.. patterns];
    }

    public MetricFamily Family(string name, MetricKind kind, double[] bounds, string[] labels) =>
        _families.GetOrAdd(name, _ => new MetricFamily(name, kind, bounds, labels, enabled, RulesFor(name, labels)));

    /// <summary>A family that something was recorded in; null when there is none of that name.</summary>
    internal MetricFamily? Find(string name) => _families.GetValueOrDefault(name);

    /// <summary>Called before the series are read, by what knows its figures only when it is asked.</summary>
    public event Func<CancellationToken, Task>? Reading;

    /// <summary>Brings up to date what is asked for its figures.</summary>
    public Task RefreshAsync(CancellationToken cancellationToken) =>
        Reading is { } reading ? Task.WhenAll(reading.GetInvocationList().Cast<Func<CancellationToken, Task>>().Select(read => read(cancellationToken))) : Task.CompletedTask;

    /// <summary>All series as Prometheus text, families and series sorted.</summary>
    public string Text()
    {
        var text = new StringBuilder(16 << 10);
        foreach (var family in _families.Values.OrderBy(f => f.Name, StringComparer.Ordinal))
            family.Write(text, appId);
        return text.ToString();
    }

    private (Regex, string)[]?[]? RulesFor(string family, string[] labels) =>
        _rules.TryGetValue(family, out var rules) || (family.StartsWith("dapr_", StringComparison.Ordinal) && _rules.TryGetValue(family["dapr_".Length..].Replace('_', '/'), out rules))
            ? [.. labels.Select(rules.GetValueOrDefault)]
            : null;
}

/// <summary>A metric of one name: a series for each set of label values, given in the order of the family's labels.</summary>
internal sealed class MetricFamily
{
    private const int MostSeries = 5_000;
    private readonly ConcurrentDictionary<string[], MetricSeries> _series = new(LabelComparer.Instance);
    private readonly ConcurrentDictionary<string[], MetricSeries>.AlternateLookup<ReadOnlySpan<string>> _lookup;
    private readonly double[] _bounds;
    private readonly string[] _labels;
    private readonly bool _enabled;
    private readonly (Regex Pattern, string Replacement)[]?[]? _rules;
    private int _count;

    public MetricFamily(string name, MetricKind kind, double[] bounds, string[] labels, bool enabled, (Regex, string)[]?[]? rules)
    {
        Name = name;
        Kind = kind;
        _bounds = bounds;
        _labels = labels;
        _enabled = enabled;
        _rules = rules;
        _lookup = _series.GetAlternateLookup<ReadOnlySpan<string>>();
    }

    public string Name { get; }

    public MetricKind Kind { get; }

    /// <summary>Counters and gauges by the values of their labels, in the family's order.</summary>
    internal IEnumerable<(IReadOnlyList<string> Labels, double Value)> Values => _series.Select(s => ((IReadOnlyList<string>)s.Key, s.Value.Value));

    /// <summary>Adds to a counter or gauge.</summary>
    public void Add(double amount, params ReadOnlySpan<string> values)
    {
        if (_enabled)
            Find(values).Add(amount);
    }

    public void Increment(params ReadOnlySpan<string> values) => Add(1, values);

    /// <summary>Sets a gauge.</summary>
    public void Set(double value, params ReadOnlySpan<string> values)
    {
        if (_enabled)
            Find(values).Set(value);
    }

    /// <summary>Puts a value into a histogram.</summary>
    public void Record(double value, params ReadOnlySpan<string> values)
    {
        if (_enabled)
            Find(values).Record(value, _bounds);
    }

    public void Write(StringBuilder text, string appId)
    {
        if (_series.IsEmpty)
            return;
        text.Append("# HELP ").Append(Name).Append(' ').Append(Name).Append('\n');
        text.Append("# TYPE ").Append(Name).Append(' ').Append(Kind switch { MetricKind.Counter => "counter", MetricKind.Gauge => "gauge", _ => "histogram" }).Append('\n');
        foreach (var (values, series) in _series.OrderBy(s => string.Join('\u0001', s.Key), StringComparer.Ordinal))
        {
            var labels = Labels(appId, values);
            if (Kind != MetricKind.Histogram)
            {
                text.Append(Name).Append('{').Append(labels).Append("} ").Append(Number(series.Value)).Append('\n');
                continue;
            }

            var (counts, sum) = series.Histogram(_bounds.Length + 1);
            long total = 0;
            for (var i = 0; i < counts.Length; i++)
            {
                total += counts[i];
                text.Append(Name).Append("_bucket{").Append(labels).Append(",le=\"").Append(i < _bounds.Length ? Number(_bounds[i]) : "+Inf").Append("\"} ").Append(total).Append('\n');
            }

            text.Append(Name).Append("_sum{").Append(labels).Append("} ").Append(Number(sum)).Append('\n');
            text.Append(Name).Append("_count{").Append(labels).Append("} ").Append(total).Append('\n');
        }
    }

    private string Labels(string appId, string[] values)
    {
        var all = new List<(string Name, string Value)>(_labels.Length + 1) { ("app_id", appId) };
        for (var i = 0; i < _labels.Length; i++)
            all.Add((_labels[i], values[i]));
        all.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        var text = new StringBuilder();
        foreach (var (name, value) in all)
        {
            if (text.Length > 0)
                text.Append(',');
            text.Append(name).Append("=\"").Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
        }

        return text.ToString();
    }

    // As Go writes it with %g: powers of ten from 1e21 and below 1e-4, but large integers of the bounds already from 2^20.
    private static string Number(double value)
    {
        if (Math.Abs(value) >= 1e6 && value == Math.Floor(value) || (value != 0 && Math.Abs(value) < 1e-4))
        {
            var text = value.ToString("E16", CultureInfo.InvariantCulture);
            for (var digits = 0; digits <= 16; digits++)
            {
                var shorter = value.ToString("E" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
                if (double.Parse(shorter, CultureInfo.InvariantCulture) == value)
                {
                    text = shorter;
                    break;
                }
            }

            var (mantissa, exponent) = (text[..text.IndexOf('E', StringComparison.Ordinal)], int.Parse(text[(text.IndexOf('E', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture));
            return string.Create(CultureInfo.InvariantCulture, $"{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        }

        return value.ToString("R", CultureInfo.InvariantCulture);
    }

    private MetricSeries Find(ReadOnlySpan<string> values)
    {
        if (_rules is not null)
            return Added(Ruled(values));
        return _lookup.TryGetValue(values, out var series) ? series : Added(values.ToArray());
    }

    // Names of jobs and the like in a path must not fill the memory: beyond the limit, series are told apart by their other labels alone.
    private MetricSeries Added(string[] values)
    {
        if (_series.TryGetValue(values, out var known))
            return known;
        if (Volatile.Read(ref _count) >= MostSeries)
        {
            var path = Array.IndexOf(_labels, "path");
            if (path < 0)
                Array.Fill(values, "");
            else
                values[path] = "";
            return _series.GetOrAdd(values, static _ => new MetricSeries());
        }

        var added = new MetricSeries();
        var series = _series.GetOrAdd(values, added);
        if (ReferenceEquals(series, added))
            Interlocked.Increment(ref _count);
        return series;
    }

    private string[] Ruled(ReadOnlySpan<string> values)
    {
        var ruled = values.ToArray();
        for (var i = 0; i < ruled.Length; i++)
        {
            foreach (var (pattern, replacement) in _rules![i] ?? [])
            {
                if (!pattern.IsMatch(ruled[i]))
                    continue;
                ruled[i] = replacement;
                break;
            }
        }

        return ruled;
    }

    private sealed class LabelComparer : IEqualityComparer<string[]>, IAlternateEqualityComparer<ReadOnlySpan<string>, string[]>
    {
        public static readonly LabelComparer Instance = new();

        public bool Equals(string[]? x, string[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(string[] obj) => GetHashCode(obj.AsSpan());

        public bool Equals(ReadOnlySpan<string> alternate, string[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<string> alternate)
        {
            var hash = default(HashCode);
            foreach (var value in alternate)
                hash.Add(value.Length == 0 ? 0 : string.GetHashCode(value));
            return hash.ToHashCode();
        }

        public string[] Create(ReadOnlySpan<string> alternate) => alternate.ToArray();
    }
}

/// <summary>One series. Sums are kept as the bits of a double and replaced by compare-and-swap.</summary>
internal sealed class MetricSeries
{
    private long _value;
    private long[]? _counts;

    public double Value => BitConverter.Int64BitsToDouble(Volatile.Read(ref _value));

    public void Add(double amount)
    {
        long seen;
        do
            seen = Volatile.Read(ref _value);
        while (Interlocked.CompareExchange(ref _value, BitConverter.DoubleToInt64Bits(BitConverter.Int64BitsToDouble(seen) + amount), seen) != seen);
    }

    public void Set(double value) => Volatile.Write(ref _value, BitConverter.DoubleToInt64Bits(value));

    public void Record(double value, double[] bounds)
    {
        var counts = _counts ?? Interlocked.CompareExchange(ref _counts, new long[bounds.Length + 1], null) ?? _counts!;
        var at = 0;
        // Prometheus' bounds are inclusive.
        while (at < bounds.Length && value > bounds[at])
            at++;
        Interlocked.Increment(ref counts[at]);
        Add(value);
    }

    public (long[] Counts, double Sum) Histogram(int length) => (_counts?.ToArray() ?? new long[length], Value);
}
