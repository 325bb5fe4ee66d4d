using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Deployment.Tests.Monitoring;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>What dashboards and alerts ask for is what the running stack says.</summary>
public sealed partial class MonitoringTests(StackFixture stack)
{
    private const string Product = "MEASURED-001";
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    // Prometheus' own.
    private static readonly HashSet<string> OfPrometheus = ["up", "ALERTS"];

    // Of programs beside the stack (docs/kubernetes.md); rules read them as the other side of an "or".
    private static readonly HashSet<string> OfExporters = ["kafka_topic_partition_current_offset", "kafka_topic_partition_oldest_offset", "kube_pod_container_status_restarts_total"];

    // Labels that the configuration of Prometheus gives to targets, and that exporters and quantiles have.
    private static readonly HashSet<string> OfTargets = ["app", "job", "instance", "le", "alertstate", "container", "namespace", "partition"];

    // daprd makes a series when it first has something to say: these come with a failure, with events that come together or, of the apps that take them in bulk, one by one.
    private static readonly HashSet<string> OnOccasion =
    [
        "dapr_runtime_component_init_fail_total", "dapr_resiliency_cb_state", "dapr_component_pubsub_egress_bulk_event_count",
        "dapr_component_pubsub_ingress_count", "dapr_component_pubsub_ingress_latencies_bucket",
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_query_of_a_dashboard_or_a_rule_reads_what_the_running_stack_measures()
    {
        await OrderAsync();
        var queries = Query.All(stack.Root);
        var recorded = Query.Rules(stack.Root).Select(r => r.Record).OfType<string>().ToHashSet(StringComparer.Ordinal);
        var wanted = queries.SelectMany(q => q.Metrics).Where(m => !recorded.Contains(m) && !OfPrometheus.Contains(m) && !OfExporters.Contains(m) && !OnOccasion.Contains(m)).ToHashSet(StringComparer.Ordinal);

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(Patience);
        using var interval = new PeriodicTimer(Look);
        Exposition seen;
        // The last events of the order are on their way.
        while (!wanted.IsSubsetOf((seen = await ScrapeAsync(deadline.Token)).Names))
        {
            if (deadline.IsCancellationRequested)
                break;
            try
            {
                await interval.WaitForNextTickAsync(deadline.Token);
            }
            catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
            {
                break;
            }
        }

        Assert.True(wanted.IsSubsetOf(seen.Names), string.Join('\n', queries.Where(q => q.Metrics.Any(m => wanted.Contains(m) && !seen.Names.Contains(m)))
            .Select(q => $"{q.Where} reads {string.Join(", ", q.Metrics.Where(m => !seen.Names.Contains(m)))}, which nothing measures.")));
        // Some labels come with a failure only; what a service writes down of its labels is compared with the service (METRICS.md).
        var labels = Directory.GetDirectories(Path.Combine(stack.Root, "services")).Select(f => Path.Combine(f, "METRICS.md")).Where(File.Exists)
            .SelectMany(f => Documented().Matches(File.ReadAllText(f))).SelectMany(m => m.Groups[1].Value.Split(',')).Concat(seen.Labels).ToHashSet(StringComparer.Ordinal);
        Assert.All(queries, q => Assert.All(q.Labels, l => Assert.True(labels.Contains(l) || OfTargets.Contains(l) || OnOccasion.Overlaps(q.Metrics) || q.Metrics.Any(m => m.Contains(':', StringComparison.Ordinal)),
            $"{q.Where} uses the label {l}, which no series has.")));
    }

    [Fact]
    public async Task What_every_metric_means_is_said_and_no_label_holds_an_id()
    {
        await OrderAsync();
        var seen = await ScrapeAsync(Cancel);
        Assert.All(seen.Text, page => Assert.DoesNotMatch(OrderId(), page));
        foreach (var page in seen.Text)
        {
            var helped = HelpLine().Matches(page).Select(m => m.Groups[1].Value).ToHashSet(StringComparer.Ordinal);
            Assert.All(TypeLine().Matches(page).Select(m => m.Groups[1].Value), name => Assert.Contains(name, helped));
        }
    }

    [Fact]
    public async Task The_queries_across_metrics_tell_business_from_machines_and_the_mean_of_each_method()
    {
        var document = await File.ReadAllLinesAsync(Path.Combine(stack.Root, "services", "payments", "METRICS.md"), Cancel);
        string Query(string comment) => document[Array.FindIndex(document, l => l.StartsWith(comment, StringComparison.Ordinal)) + 1];
        // Every series is there before the first scrape: one that is new has no rate.
        await PayAsync();
        var (before, at) = (await ScrapeAsync(Cancel), TimeProvider.System.GetTimestamp());
        await PayAsync();
        var (after, between) = (await ScrapeAsync(Cancel), TimeProvider.System.GetElapsedTime(at));
        var promql = new PromQl(before.Text, after.Text, between);

        double Rate(string query) => promql.Run($"sum(rate({query}[5m]))").Single().Value * between.TotalSeconds;
        var (paid, declined) = (Rate("payment_succeeded_total{status=\"success\"}"), Rate("payment_failed_total"));
        Assert.True(paid > 1.9 && declined > 0.9, $"{paid} paid, {declined} declined");
        var machines = Rate("http_requests_total{status_code=~\"2..\"}") / Rate("http_requests_total");
        Assert.InRange(machines, 0.5, 1);
        var business = Assert.Single(promql.Run(Query("# payments that succeed, against")));
        Assert.Equal(paid / (paid + declined) / machines, business.Value, 6);
        Assert.InRange(business.Value, 0, machines);

        var means = promql.Run(Query("# mean time to decide a payment")).ToDictionary(s => s.Labels["method"], s => s.Value, StringComparer.Ordinal);
        Assert.InRange(means["CREDIT_CARD"], 0.000001, 60);
        Assert.InRange(means["PAYPAL"], 0.000001, 60);
    }

    private async Task PayAsync()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var customer = new Customer(gateway, $"across-{Guid.NewGuid():N}@example.test", "Across-Passw0rd-1");
        await customer.RegisterAsync("Across", Cancel);
        var sku = await stack.PlentyAsync(gateway, Cancel);
        var flow = new OrderFlow(null, TimeSpan.FromMinutes(2), TimeProvider.System);
        foreach (var (method, token, fate) in ((string, string?, OrderFate)[])
            [("CREDIT_CARD", "tok_approve", OrderFate.Confirmed), ("PAYPAL", null, OrderFate.Confirmed), ("CREDIT_CARD", "tok_decline", OrderFate.Cancelled)])
        {
            var order = new JsonObject
            {
                ["items"] = new JsonArray(new JsonObject { ["productId"] = sku, ["quantity"] = 1 }),
                ["shippingAddress"] = "1 Metrics Street, Gauge City",
                ["payment"] = new JsonObject { ["method"] = method, ["token"] = token },
            };
            Assert.Equal(fate, (await flow.PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, Cancel)).Fate);
        }
    }

    private async Task OrderAsync()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var oper = stack.Operator(gateway);
        // Of its own: what the seed has in stock is for other tests.
        var products = new JsonArray(new JsonObject { ["sku"] = Product, ["name"] = "Measured product", ["priceMinor"] = 100, ["stock"] = 1000 });
        Assert.True((await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = products }, Cancel)).Succeeded);
        using var customer = new Customer(gateway, $"measured-{Guid.NewGuid():N}@example.test", "Measured-Passw0rd-1");
        await customer.RegisterAsync("Measured", Cancel);
        Assert.True((await customer.SendAsync(HttpMethod.Get, "api/v1/notifications", null, Cancel)).Succeeded);
        var order = new JsonObject
        {
            ["items"] = new JsonArray(new JsonObject { ["productId"] = Product, ["quantity"] = 1 }),
            ["shippingAddress"] = "1 Metrics Street, Gauge City",
        };
        var placed = await customer.SendAsync(HttpMethod.Post, "api/v1/orders", order, Cancel, ("Idempotency-Key", Guid.NewGuid().ToString()), ("Prefer", "wait=20"));
        Assert.True(placed.Succeeded, placed.ToString());
    }

    private async Task<Exposition> ScrapeAsync(CancellationToken cancel)
    {
        var status = await stack.RefreshAsync(cancel);
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        var urls = stack.RunFile.Apps.SelectMany(a => (string[])[$"http://localhost:{(a.OwnMetricsPort ?? a.AppPort)!.Value.Number}/metrics", $"http://localhost:{a.MetricsPort!.Value.Number}/metrics"]).Append(status.MetricsUrl!);
        var pages = new List<string>();
        foreach (var url in urls)
            pages.Add(await http.GetStringAsync(new Uri(url), cancel));
        return new Exposition(pages);
    }

    private sealed class Exposition(IReadOnlyList<string> pages)
    {
        public IReadOnlyList<string> Text => pages;

        /// <summary>With the parts of histograms.</summary>
        public HashSet<string> Names { get; } = [.. pages.SelectMany(p => TypeLine().Matches(p)).SelectMany(m => m.Groups[2].Value == "histogram"
            ? (string[])[m.Groups[1].Value + "_bucket", m.Groups[1].Value + "_sum", m.Groups[1].Value + "_count"]
            : [m.Groups[1].Value])];

        public HashSet<string> Labels { get; } = [.. pages.SelectMany(p => Label().Matches(p)).Select(m => m.Groups[1].Value)];
    }

    [GeneratedRegex(@"^# TYPE (\S+) (\w+)", RegexOptions.Multiline)]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"^# HELP (\S+) \S", RegexOptions.Multiline)]
    private static partial Regex HelpLine();

    [GeneratedRegex("""[{,]([a-zA-Z_]\w*)=["]""")]
    private static partial Regex Label();

    [GeneratedRegex(@"^\| `\w+\{([\w,]+)\}`", RegexOptions.Multiline)]
    private static partial Regex Documented();

    [GeneratedRegex("ORD-[0-9A-Za-z]{6,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex OrderId();
}
