using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>The operations console of a running stack: what it says of an order that was just placed, and of a stack of which a part is down.</summary>
public sealed class ConsoleTests(StackFixture stack)
{
    private static readonly string[] Drawn = ["requests", "memory", "cpu", "orders", "workflows"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Status_is_a_page_for_a_browser_and_JSON_for_a_program()
    {
        using var console = Console();
        var json = await console.GetFromJsonAsync<JsonNode>("/status", Cancel);
        Assert.Contains("orders", json!["apps"]!.AsArray().Select(a => (string?)a!["app"]));
        Assert.True((long)json["machine"]!["memoryTotalBytes"]! > 0);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/status") { Headers = { Accept = { new("text/html") } } };
        using var page = await console.SendAsync(request, Cancel);
        Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
        Assert.Contains("default-src 'self'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_order_is_seen_in_its_trace_in_the_logs_in_the_figures_and_in_the_charts()
    {
        using var console = Console();
        var before = await OrdersAsync(console);
        var trace = ActivityTraceId.CreateRandom().ToHexString();
        using var http = new HttpClient { BaseAddress = new Uri(stack.GatewayUrl) };
        var order = await TraceTests.OrderAsync(stack, http, $"console-{Guid.NewGuid():N}@example.com", $"00-{trace}-{ActivitySpanId.CreateRandom().ToHexString()}-01");

        // Spans are sent in batches.
        var summary = await UntilAsync(async () =>
        {
            var found = await console.GetFromJsonAsync<JsonNode>($"/api/v1/traces?order={order}", Cancel);
            return found!["items"]!.AsArray().FirstOrDefault(t => (string?)t!["traceId"] == trace && Services(t).IsSupersetOf(["gateway", "orders", "inventory", "payments"]));
        });
        var view = await console.GetFromJsonAsync<JsonNode>($"/api/v1/traces/{trace}", Cancel);
        Assert.Equal((int)summary["spans"]!, view!["spans"]!.AsArray().Count);

        await UntilAsync(async () =>
        {
            var figures = await console.GetFromJsonAsync<JsonNode>("/api/v1/business", Cancel);
            Assert.Empty(figures!["missing"]!.AsArray());
            Assert.NotEmpty(figures["stock"]!.AsArray());
            return Orders(figures) > before ? figures : null;
        });
        await UntilAsync(async () =>
        {
            var charts = (await console.GetFromJsonAsync<JsonNode>("/api/v1/metrics/charts?minutes=5", Cancel))!.AsArray();
            return Drawn.All(id => charts.Single(c => (string?)c!["id"] == id)!["series"]!.AsArray().Count > 0) ? charts : null;
        });

        static HashSet<string> Services(JsonNode trace) => [.. trace["services"]!.AsArray().Select(s => (string)s!)];
    }

    [Fact]
    public async Task It_shows_a_stack_of_which_apps_are_down_and_starts_them_again()
    {
        using var console = Console();
        foreach (var app in (string[])["payments", "notifications"])
            await ChangeAsync(console, $"/api/v1/apps/{app}/stop");
        try
        {
            var status = await console.GetFromJsonAsync<JsonNode>("/status", Cancel);
            Assert.False((bool)status!["healthy"]!);
            var payments = status["apps"]!.AsArray().Single(a => (string?)a!["app"] == "payments")!;
            Assert.Equal(("stopped", "stop"), ((string?)payments["state"], (string?)payments["lastAction"]!["action"]));
            foreach (var path in (string[])["logs?app=payments&limit=5", "traces", "metrics/charts", "business", "events", "audit"])
            {
                using var response = await console.GetAsync($"/api/v1/{path}", Cancel);
                Assert.True(response.StatusCode == HttpStatusCode.OK, $"{path}: {response.StatusCode}");
            }

            var audit = await console.GetFromJsonAsync<JsonNode>("/api/v1/audit?limit=2", Cancel);
            Assert.Equal([("app.stop", "notifications", "done"), ("app.stop", "payments", "done")],
                audit!["items"]!.AsArray().Select(e => ((string?)e!["action"], (string?)e["target"], (string?)e["outcome"])));
        }
        finally
        {
            foreach (var app in (string[])["payments", "notifications"])
                await ChangeAsync(console, $"/api/v1/apps/{app}/start");
        }

        await UntilAsync(async () => (await stack.RefreshAsync(Cancel)).Apps.All(a => a.State == UnitState.Healthy && a.SidecarHealthy) ? stack : null);
        await stack.ServesAgainAsync();
    }

    private HttpClient Console()
    {
        TestEngine.SkipWithout();
        return new HttpClient { BaseAddress = new Uri(stack.Status.ConsoleUrl ?? throw new InvalidOperationException("The stack has no console.")) };
    }

    private static async Task ChangeAsync(HttpClient console, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Headers = { { "X-Console", "1" } } };
        using var response = await console.SendAsync(request, Cancel);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    private static async Task<long> OrdersAsync(HttpClient console) => Orders((await console.GetFromJsonAsync<JsonNode>("/api/v1/business", Cancel))!);

    private static long Orders(JsonNode figures) => figures["orders"]!.AsArray().Sum(o => (long)o!["count"]!);

    private static async Task<T> UntilAsync<T>(Func<Task<T?>> look) where T : class
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromMinutes(2));
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        while (true)
        {
            if (await look() is { } found)
                return found;
            await interval.WaitForNextTickAsync(deadline.Token);
        }
    }
}
