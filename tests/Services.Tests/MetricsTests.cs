using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Basket.Domain;
using DaprPlatform.Contracts;
using DaprPlatform.Inventory.Data;
using DaprPlatform.Inventory.Domain;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.Domain;
using DaprPlatform.Payments.Data;
using DaprPlatform.Payments.Domain;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.Services.Tests.Fixtures;
using DaprPlatform.Users.Data;
using DaprPlatform.Users.Domain;
using DaprPlatform.Webhooks.Data;
using DaprPlatform.Webhooks.Domain;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>METRICS.md of each service names exactly what the service measures, with its labels; and the names that dashboards count on are these.</summary>
public sealed class MetricsTests
{
    private static readonly string[] OfEveryService = ["http_request_duration_seconds{service,method,endpoint}", "http_requests_total{service,method,endpoint,status_code}"];

    // Both are run against the stack's own scrapes by MonitoringTests of EndToEnd.Tests, which reads them from the document.
    private const string CrossMetric =
        """
        # payments that succeed, against requests that succeed: below 1, customers fail where machines do not
        (sum(rate(payment_succeeded_total{status="success"}[5m])) / (sum(rate(payment_succeeded_total{status="success"}[5m])) + sum(rate(payment_failed_total[5m])))) / (sum(rate(http_requests_total{status_code=~"2.."}[5m])) / sum(rate(http_requests_total[5m])))
        # mean time to decide a payment, by method
        sum by (method) (rate(payment_processing_duration_seconds_sum[5m])) / sum by (method) (rate(payment_processing_duration_seconds_count[5m]))

        """;

    public static TheoryData<string> Names => ServiceApps.Names;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task What_is_measured_is_what_is_written_down(string service)
    {
        var measured = await MeasureAsync(service);
        Assert.All(measured, m => Assert.True(m.Help.Length > 10, $"{m.Name} needs a help text."));
        await ServiceApps.CompareAsync(service, "METRICS.md", Document(service, measured), Cancel);
    }

    [Theory]
    [InlineData("payments", "payment_succeeded_total{service,method,status}", "payment_failed_total{service,method,failure_reason}", "payment_processing_duration_seconds{service,method}")]
    [InlineData("users", "entity_events_total{service,entity_type,action,reason}")]
    [InlineData("orders", "order_events_total{service,method,status}", "order_workflow_duration_seconds{service,method,status}", "order_compensations_total{service,method,failure_reason}")]
    [InlineData("inventory", "stock_operations_total{service,method,status}")]
    [InlineData("gateway")]
    public async Task The_names_and_labels_that_were_promised_are_there(string service, params string[] promised)
    {
        var measured = (await MeasureAsync(service)).Select(m => m.ToString()).ToList();
        Assert.All(promised.Concat(OfEveryService), name => Assert.Contains(name, measured));
    }

    private static async Task<List<Metric>> MeasureAsync(string service)
    {
        using var app = ServiceApps.Start(service);
        var factory = app.Services.GetRequiredService<IMeterFactory>();
        var metrics = new Dictionary<string, Metric>(StringComparer.Ordinal);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (!instrument.Meter.Name.StartsWith("DaprPlatform.", StringComparison.Ordinal) || !ReferenceEquals(instrument.Meter.Scope, factory))
                return;
            lock (metrics)
                metrics[instrument.Name] = new Metric(instrument.Name, instrument is Histogram<double> ? "histogram" : instrument.IsObservable ? "gauge" : "counter", instrument.Description ?? "", ["service"]);
            l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Seen(instrument, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Seen(instrument, tags));
        listener.Start();

        using (var client = app.ClientOf(null))
            await client.GetAsync(new Uri("/health/live", UriKind.Relative), Cancel);
        await UseAsync(service, app.Services);
        return [.. metrics.Values.OrderBy(m => m.Name, StringComparer.Ordinal)];

        void Seen(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var labels = new string[tags.Length];
            for (var i = 0; i < labels.Length; i++)
                labels[i] = tags[i].Key;
            lock (metrics)
                metrics[instrument.Name] = metrics[instrument.Name] with { Labels = labels };
        }
    }

    /// <summary>Makes each instrument record once, by the code that records in earnest.</summary>
    private static async Task UseAsync(string service, IServiceProvider services)
    {
        switch (service)
        {
            case "users":
                services.GetRequiredService<UserMetrics>().Happened("created");
                ActivatorUtilities.CreateInstance<OutboxRelay<UsersDb>>(services).Dispose();
                break;
            case "orders":
                var orders = services.GetRequiredService<OrderMetrics>();
                var order = Cancelled();
                orders.Entered(order);
                orders.Decided(order);
                orders.Rescued();
                orders.CompensationFailed(order, "RefundPayment");
                ActivatorUtilities.CreateInstance<OutboxRelay<OrdersDb>>(services).Dispose();
                break;
            case "inventory":
                services.GetRequiredService<StockMetrics>().Operation("reserve", "Done");
                services.GetRequiredService<StockMetrics>().Expired();
                ActivatorUtilities.CreateInstance<OutboxRelay<InventoryDb>>(services).Dispose();
                break;
            case "payments":
                var payments = services.GetRequiredService<PaymentMetrics>();
                payments.Succeeded(PaymentMethods.Default, "success");
                payments.Failed(PaymentMethods.Default, FailureReasons.CardDeclined);
                payments.CompensationFailed(PaymentMethods.Default, "CompleteRefund");
                payments.Took(TimeSpan.FromMilliseconds(1), PaymentMethods.Default);
                ActivatorUtilities.CreateInstance<OutboxRelay<PaymentsDb>>(services).Dispose();
                break;
            case "webhooks":
                services.GetRequiredService<WebhookMetrics>().Attempted(new Attempt(200, null), TimeSpan.FromMilliseconds(1));
                services.GetRequiredService<WebhookMetrics>().Ended(delivered: true);
                ActivatorUtilities.CreateInstance<OutboxRelay<WebhooksDb>>(services).Dispose();
                break;
            case "basket":
                services.GetRequiredService<BasketMetrics>().Happened("written");
                break;
        }
        if (service is "orders" or "basket" or "inventory" or "payments" or "webhooks")
            await services.GetRequiredService<AppCallbackService>().OnTopicEvent(new TopicEventRequest { Topic = "none" }, new CallbackCall());
    }

    private static Order Cancelled()
    {
        var order = new Order
        {
            Id = Guid.NewGuid(),
            UserId = Guid.NewGuid(),
            Number = 1,
            Currency = "USD",
            TotalMinor = 1,
            ShippingAddress = "",
            PaymentMethod = PaymentMethods.Default,
            PaymentToken = "",
            CreatedAt = DateTimeOffset.UnixEpoch,
        };
        order.Accept();
        order.TryCancel(CancelReasons.OutOfStock, "", DateTimeOffset.UnixEpoch);
        return order;
    }

    private static string Document(string service, List<Metric> metrics)
    {
        var text = new StringBuilder().Append($"""
            # Metrics of {service}

            `GET /metrics` on the metrics port, in Prometheus' text format. Written by `MetricsTests` (`UPDATE_DOCS=1`) from what the service measures. Label `service` is
            `{service}`; `endpoint` is the template of a route, never a path; every label has a bounded set of values.

            | Metric | Kind | Meaning |
            |---|---|---|

            """.ReplaceLineEndings("\n"));
        foreach (var metric in metrics)
            text.Append(CultureInfo.InvariantCulture, $"| `{metric}` | {metric.Kind} | {metric.Help} |\n");
        text.Append("\nBesides these `System.Runtime` (`dotnet_*`) and `metrics_series_dropped_total`.\n\n## Queries\n\n```promql\n");
        foreach (var metric in metrics)
            text.Append(metric.Kind == "histogram"
                ? $"histogram_quantile(0.95, sum by (le) (rate({metric.Name}_bucket[5m])))\n"
                : metric.Kind == "gauge" ? $"max by (service) ({metric.Name})\n"
                : $"sum by ({string.Join(", ", metric.Labels.Where(l => l != "service").DefaultIfEmpty("service"))}) (rate({metric.Name}[5m]))\n");
        if (service == "payments")
            text.Append(CrossMetric);
        text.Append("# share of requests that failed\nsum(rate(http_requests_total{status_code=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m]))\n```\n");
        return text.ToString();
    }

    /// <param name="Labels">Of what was recorded; of what was not, the one that everything has.</param>
    private sealed record Metric(string Name, string Kind, string Help, string[] Labels)
    {
        public override string ToString() => $"{Name}{{{string.Join(',', Labels)}}}";
    }
}
