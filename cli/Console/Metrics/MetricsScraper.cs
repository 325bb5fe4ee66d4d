using System.Globalization;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Supervision;
using DaprPlatform.Sidecar.Introspection;

namespace DaprPlatform.Cli.OpsConsole.Metrics;

/// <summary>
/// Every five seconds: what the apps tell on their metrics ports, what the sidecars of this process have counted (those of another are asked), and what the
/// system says of processes. An app that does not answer leaves a gap.
/// </summary>
internal sealed class MetricsScraper(ConsoleSystem system, ChartBook book)
{
    private const double MillisecondsPerSecond = 1000;
    private const long LargestAnswer = 8 << 20;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private static readonly HashSet<string> Wanted = new(StringComparer.Ordinal)
    {
        "http_requests_total", "http_request_duration_seconds_bucket", "order_events_total", "outbox_oldest_pending_seconds",
        "dapr_runtime_workflow_execution_count", "dapr_runtime_workflow_activity_execution_count",
    };

    private readonly Rates _rates = new();
    private CallSample? _calls;

    public async Task RunAsync(CancellationToken cancel)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ActivityHeadersPropagator = null }) { Timeout = Patience, MaxResponseContentBufferSize = LargestAnswer };
        using var timer = new PeriodicTimer(Interval, system.Time);
        do
            await LookAsync(http, cancel);
        while (await timer.WaitForNextTickAsync(cancel));
    }

    internal async Task LookAsync(HttpClient http, CancellationToken cancel)
    {
        var status = system.Status();
        var view = system.Stack.Host.View;
        var answers = await Task.WhenAll(status.Apps.Where(a => a.State == UnitState.Healthy).SelectMany(a => Addresses(a, view is null)).Select(a => AskAsync(http, a.App, a.Url, cancel)));
        var values = new Dictionary<string, Dictionary<string, double>>(StringComparer.Ordinal);
        _rates.Begin((long)(system.Time.GetTimestamp() * ((double)TimeSpan.TicksPerSecond / system.Time.TimestampFrequency)));
        foreach (var (app, text) in answers)
        {
            if (text is not null)
                Read(app, [.. PrometheusText.Read(text, Wanted.Contains)], values);
        }

        if (view is not null)
            ReadOwn(view, values);
        foreach (var app in status.Apps.Where(a => a.Pid is not null))
        {
            Put(values, "memory", app.App, app.ResidentBytes);
            if (app.CpuPercent is { } percent)
                Put(values, "cpu", app.App, percent);
        }

        Put(values, "memory", "platform and sidecars", status.RuntimeResidentBytes);
        if (status.RuntimeCpuPercent is { } own)
            Put(values, "cpu", "platform and sidecars", own);
        if (status.Postgres is { Pid: not null } postgres)
        {
            Put(values, "memory", "postgres", postgres.ResidentBytes);
            if (postgres.CpuPercent is { } percent)
                Put(values, "cpu", "postgres", percent);
        }

        var at = system.Time.GetUtcNow();
        var sample = values.ToDictionary(v => v.Key, v => (IReadOnlyDictionary<string, double>)v.Value);
        book.Add(at, sample);
        if (system.Hub.IsListened(StreamTopics.Metrics))
            system.Hub.PublishLatest(StreamTopics.Metrics, new ChartSample(at, sample));
        system.Changed();
    }

    private IEnumerable<(string App, string Url)> Addresses(AppStatus app, bool sidecarsToo)
    {
        if (app.MetricsUrl is { } url)
            yield return (app.App, url.Replace("localhost", "127.0.0.1", StringComparison.Ordinal));
        if (sidecarsToo && system.File.Apps.FirstOrDefault(a => a.AppId == app.App)?.MetricsPort is { } port)
            yield return (app.App, string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port.Number}/metrics"));
    }

    private static async Task<(string App, string? Text)> AskAsync(HttpClient http, string app, string url, CancellationToken cancel)
    {
        try
        {
            using var response = await http.GetAsync(new Uri(url), cancel);
            return (app, response.IsSuccessStatusCode ? await response.Content.ReadAsStringAsync(cancel) : null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return (app, null);
        }
    }

    internal void Read(string app, IReadOnlyList<Sample> samples, Dictionary<string, Dictionary<string, double>> values)
    {
        foreach (var group in samples.GroupBy(s => s.Name))
        {
            switch (group.Key)
            {
                // What probes and scrapes ask for is no work.
                case "http_requests_total":
                    var work = group.Where(s => !IsProbe(s)).ToList();
                    Rate("requests", app, $"{app} requests", work.Sum(s => s.Value));
                    Rate("errors", app, $"{app} errors", work.Where(s => s.Label("status_code") is ['5', ..]).Sum(s => s.Value));
                    break;
                case "http_request_duration_seconds_bucket":
                    Latencies(app, group.Where(s => !IsProbe(s)), values);
                    break;
                case "order_events_total":
                    foreach (var status in group.GroupBy(s => s.Label("status")))
                        Rate("orders", status.Key.ToLowerInvariant(), $"orders {status.Key}", status.Sum(s => s.Value));
                    break;
                case "outbox_oldest_pending_seconds":
                    Put(values, "outbox", app, group.Max(s => s.Value));
                    break;
                case "dapr_runtime_workflow_execution_count":
                    foreach (var status in group.GroupBy(s => s.Label("status")))
                        Rate("workflows", $"{app} {status.Key}", $"{app} workflows {status.Key}", status.Sum(s => s.Value));
                    break;
                case "dapr_runtime_workflow_activity_execution_count":
                    foreach (var status in group.GroupBy(s => s.Label("status")))
                        Rate("activities", $"{app} {status.Key}", $"{app} activities {status.Key}", status.Sum(s => s.Value));
                    break;
            }
        }

        void Rate(string chart, string label, string key, double value)
        {
            if (_rates.Growth(key, value) is { } growth)
                Put(values, chart, label, Math.Round(_rates.PerSecond(growth), 3));
        }
    }

    private static bool IsProbe(Sample sample) => sample.Label("endpoint") is var endpoint && (endpoint.Contains("health", StringComparison.Ordinal) || endpoint.EndsWith("/metrics", StringComparison.Ordinal) || endpoint.Contains("swagger", StringComparison.Ordinal));

    private void Latencies(string app, IEnumerable<Sample> buckets, Dictionary<string, Dictionary<string, double>> values)
    {
        var grown = new SortedDictionary<double, double>();
        foreach (var bucket in buckets.GroupBy(s => s.Label("le")))
        {
            var bound = bucket.Key == "+Inf" ? double.PositiveInfinity : double.Parse(bucket.Key, CultureInfo.InvariantCulture);
            if (_rates.Growth($"{app} latency {bucket.Key}", bucket.Sum(s => s.Value)) is { } growth)
                grown[bound] = growth;
        }

        foreach (var (chart, quantile) in ((string, double)[])[("latencyP50", 0.5), ("latencyP95", 0.95)])
        {
            if (Rates.Quantile(grown, quantile) is { } seconds)
                Put(values, chart, app, Math.Round(seconds * MillisecondsPerSecond, 2));
        }
    }

    private void ReadOwn(RuntimeView view, Dictionary<string, Dictionary<string, double>> values)
    {
        const int workflowStatus = 1;
        const int activityStatus = 2;
        foreach (var group in view.Counters.Workflows().GroupBy(c => (c.App, c.Family, Status: c.Labels[c.Family.Contains("activity", StringComparison.Ordinal) ? activityStatus : workflowStatus])))
        {
            var chart = group.Key.Family.Contains("activity", StringComparison.Ordinal) ? "activities" : "workflows";
            if (_rates.Growth($"{group.Key.App} {chart} {group.Key.Status}", group.Sum(c => c.Value)) is { } growth)
                Put(values, chart, $"{group.Key.App} {group.Key.Status}", Math.Round(_rates.PerSecond(growth), 3));
        }

        foreach (var (topic, lag) in view.Topics.Lags())
            Put(values, "pubsubLag", topic, lag);
        var calls = view.Calls.Take();
        if (_calls is { } before)
        {
            foreach (var block in view.Calls.Between(before, calls).GroupBy(c => c.Block))
                Put(values, "calls", block.Key, block.Sum(c => c.PerSecond));
        }

        _calls = calls;
    }

    private static void Put(Dictionary<string, Dictionary<string, double>> values, string chart, string label, double value)
    {
        if (!values.TryGetValue(chart, out var series))
            values[chart] = series = new Dictionary<string, double>(StringComparer.Ordinal);
        // Topics of the same name on several servers are one line.
        if (double.IsFinite(value))
            series[label] = series.GetValueOrDefault(label) + value;
    }
}
