using System.Diagnostics.Metrics;

namespace DaprPlatform.Orders.Domain;

internal sealed class OrderMetrics
{
    private readonly Counter<long> _orders;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _compensations;
    private readonly Counter<long> _rescued;
    private double _oldestStuck;
    private readonly Counter<long> _stuck;

    public OrderMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("DaprPlatform.Orders");
        _orders = meter.CreateCounter<long>("order_events_total", description: "Orders accepted, confirmed, cancelled and so on, by payment method.");
        _duration = meter.CreateHistogram(
            "order_workflow_duration_seconds",
            "s",
            "Time from accepted to decided, by payment method and decision.",
            tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900] });
        _compensations = meter.CreateCounter<long>("order_compensations_total", description: "Orders given up, by payment method and reason.");
        _rescued = meter.CreateCounter<long>("order_workflows_rescued_total", description: "Orders whose workflow the sweep had to start or wake.");
        meter.CreateObservableGauge(
            "order_oldest_stuck_seconds",
            () => new Measurement<double>(Volatile.Read(ref _oldestStuck), new KeyValuePair<string, object?>("service", "orders")),
            "s",
            "Age of the oldest order that should be decided by now and waits for nobody; 0: there is none.");
        _stuck = meter.CreateCounter<long>("compensation_failed_total", description: "Compensations that failed for good, by payment method and step. Somebody has to look.");
    }

    public void OldestStuck(TimeSpan age) => Volatile.Write(ref _oldestStuck, age.TotalSeconds);

    public void Entered(Order order) => Entered(order.PaymentMethod, order.Status);

    public void Entered(string method, OrderStatus status) => _orders.Add(1, new("service", "orders"), new("method", method), new("status", status.Text()));

    public void Decided(string method, OrderStatus status, TimeSpan took) =>
        _duration.Record(took.TotalSeconds, new("service", "orders"), new("method", method), new("status", status.Text()));

    public void Decided(Order order)
    {
        Decided(order.PaymentMethod, order.Status, order.UpdatedAt - order.CreatedAt);
        if (order.Status == OrderStatus.Cancelled)
            _compensations.Add(1, new("service", "orders"), new("method", order.PaymentMethod), new("failure_reason", order.Reason));
    }

    /// <param name="step">Of the workflow; there are three that compensate.</param>
    public void CompensationFailed(Order order, string step) =>
        _stuck.Add(1, new("service", "orders"), new("method", order.PaymentMethod), new("failure_reason", step));

    public void Rescued() => _rescued.Add(1, new KeyValuePair<string, object?>("service", "orders"));
}
