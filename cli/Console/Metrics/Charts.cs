namespace DaprPlatform.Cli.OpsConsole.Metrics;

internal enum ChartKind
{
    Line,
    Area,
}

/// <param name="Points">Each the milliseconds since 1970 and the value.</param>
internal sealed record ChartSeries(string Label, IReadOnlyList<double[]> Points);

internal sealed record Chart(string Id, string Title, string Unit, ChartKind Kind, IReadOnlyList<ChartSeries> Series);

/// <summary>The newest value of each series.</summary>
internal sealed record ChartSample(DateTimeOffset At, IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> Charts);

/// <summary>An hour of values of each series in rings; a series that is not told any more leaves with its hour. Thread-safe.</summary>
internal sealed class ChartBook
{
    public static readonly TimeSpan Kept = TimeSpan.FromHours(1);
    private const int MostPoints = 720;
    private const int MostSeries = 40;

    private static readonly (string Id, string Title, string Unit, ChartKind Kind)[] Kinds =
    [
        ("requests", "Requests", "per second", ChartKind.Area),
        ("errors", "Failed requests", "per second", ChartKind.Line),
        ("latencyP50", "Latency, median", "ms", ChartKind.Line),
        ("latencyP95", "Latency, 95th percentile", "ms", ChartKind.Line),
        ("cpu", "Processor", "percent of one", ChartKind.Area),
        ("memory", "Memory", "bytes", ChartKind.Area),
        ("orders", "Orders", "per second", ChartKind.Line),
        ("workflows", "Workflows ended", "per second", ChartKind.Line),
        ("activities", "Activities run", "per second", ChartKind.Line),
        ("outbox", "Oldest event that waits in an outbox", "s", ChartKind.Line),
        ("pubsubLag", "Messages that wait for a consumer", "messages", ChartKind.Line),
        ("calls", "Calls of Dapr's API by building block", "per second", ChartKind.Area),
    ];

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Dictionary<string, Queue<(long At, double Value)>>> _charts = Kinds.ToDictionary(k => k.Id, _ => new Dictionary<string, Queue<(long, double)>>(StringComparer.Ordinal));

    public void Add(DateTimeOffset at, IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> values)
    {
        var now = at.ToUnixTimeMilliseconds();
        var oldest = now - (long)Kept.TotalMilliseconds;
        lock (_lock)
        {
            foreach (var (chart, series) in values)
            {
                foreach (var (label, value) in series)
                {
                    if (!_charts[chart].TryGetValue(label, out var points))
                    {
                        if (_charts[chart].Count >= MostSeries)
                            continue;
                        _charts[chart][label] = points = new Queue<(long, double)>();
                    }

                    points.Enqueue((now, value));
                }
            }

            foreach (var series in _charts.Values)
            {
                foreach (var (label, points) in series.ToList())
                {
                    while (points.Count > MostPoints || (points.TryPeek(out var first) && first.At < oldest))
                        points.Dequeue();
                    if (points.Count == 0)
                        series.Remove(label);
                }
            }
        }
    }

    /// <param name="since">Nothing older.</param>
    public IReadOnlyList<Chart> Read(DateTimeOffset since)
    {
        var from = since.ToUnixTimeMilliseconds();
        lock (_lock)
        {
            return
            [
                .. Kinds.Select(k => new Chart(k.Id, k.Title, k.Unit, k.Kind,
                [
                    .. _charts[k.Id].OrderBy(s => s.Key, StringComparer.Ordinal)
                        .Select(s => new ChartSeries(s.Key, [.. s.Value.Where(p => p.At >= from).Select(p => new[] { p.At, p.Value })]))
                        .Where(s => s.Points.Count > 0),
                ])),
            ];
        }
    }
}
