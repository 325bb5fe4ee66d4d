using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.OpsConsole.Metrics;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>Figures become charts; what is not there leaves a gap and nothing else.</summary>
public sealed class MetricsTests
{
    [Fact]
    public void The_text_of_an_exporter_is_read_with_its_escapes_and_without_what_is_not_wanted()
    {
        const string text = """
            # HELP http_requests_total Requests.
            # TYPE http_requests_total counter
            http_requests_total{endpoint="/a\"b}",status_code="200"} 12
            http_requests_total{} 1e3 1700000000
            other_total 7
            plain 4.5
            broken{a="b 1
            bucket{le="+Inf"} 3
            """;
        var samples = PrometheusText.Read(text, n => n != "other_total").ToList();
        Assert.Equal([12d, 1000d, 4.5d, 3d], samples.Select(s => s.Value));
        Assert.Equal("200", samples[0].Label("status_code"));
        Assert.Equal("", samples[2].Label("nothing"));
    }

    [Fact]
    public void A_counter_that_fell_was_started_anew_and_a_rate_is_per_second()
    {
        var rates = new Rates();
        rates.Begin(TimeSpan.FromSeconds(100).Ticks);
        Assert.Null(rates.Growth("a", 10));
        rates.Begin(TimeSpan.FromSeconds(105).Ticks);
        Assert.Equal(2, rates.PerSecond(rates.Growth("a", 20)!.Value));
        rates.Begin(TimeSpan.FromSeconds(110).Ticks);
        Assert.Equal(1, rates.PerSecond(rates.Growth("a", 5)!.Value));
    }

    [Fact]
    public void A_quantile_lies_between_the_bounds_of_its_bucket()
    {
        var grown = new SortedDictionary<double, double> { [0.1] = 50, [0.2] = 90, [double.PositiveInfinity] = 100 };
        Assert.Equal(0.1, Rates.Quantile(grown, 0.5)!.Value, 3);
        Assert.Equal(0.15, Rates.Quantile(grown, 0.7)!.Value, 3);
        Assert.Equal(0.2, Rates.Quantile(grown, 0.99)!.Value, 3);
        Assert.Null(Rates.Quantile([], 0.5));
    }

    [Fact]
    public void Charts_keep_an_hour_and_a_bounded_number_of_lines()
    {
        var book = new ChartBook();
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        for (var i = 0; i < 2000; i++)
        {
            book.Add(start.AddSeconds(i * 5), new Dictionary<string, IReadOnlyDictionary<string, double>>
            {
                ["requests"] = Enumerable.Range(0, 100).ToDictionary(n => $"app-{n}", n => (double)i),
                ["memory"] = i < 10 ? new Dictionary<string, double> { ["gone"] = 1 } : [],
            });
        }

        var charts = book.Read(start.AddSeconds(2000 * 5) - ChartBook.Kept);
        Assert.Empty(charts.Single(c => c.Id == "memory").Series);
        var requests = charts.Single(c => c.Id == "requests");
        Assert.Equal(40, requests.Series.Count);
        Assert.All(requests.Series, s => Assert.InRange(s.Points.Count, 700, 721));
        Assert.Equal(1999, requests.Series[0].Points[^1][1]);
    }

    [Fact]
    public async Task Without_a_database_there_are_charts_and_a_problem_for_business()
    {
        await using var world = await ConsoleWorld.StartAsync();
        await world.System.Stack.StartAppAsync("alpha");
        var charts = await world.Http.GetFromJsonAsync<JsonNode>("/api/v1/metrics/charts?minutes=5", ConsoleWorld.Cancel);
        Assert.Equal(12, charts!.AsArray().Count);
        using var http = new HttpClient();
        await new MetricsScraper(world.System, world.System.Charts).LookAsync(http, ConsoleWorld.Cancel);
        charts = await world.Http.GetFromJsonAsync<JsonNode>("/api/v1/metrics/charts", ConsoleWorld.Cancel);
        var memory = charts!.AsArray().Single(c => (string?)c!["id"] == "memory")!;
        Assert.True((double)memory["series"]![0]!["points"]![0]![1]! > 0, memory.ToJsonString());
        using var business = await world.Http.GetAsync("/api/v1/business", ConsoleWorld.Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, business.StatusCode);
        using var bad = await world.Http.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/api/v1/metrics/charts?minutes={61}"), ConsoleWorld.Cancel);
        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
    }
}
