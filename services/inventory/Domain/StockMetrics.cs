using System.Diagnostics.Metrics;

namespace DaprPlatform.Inventory.Domain;

internal sealed class StockMetrics
{
    private readonly Counter<long> _operations;
    private readonly Counter<long> _expired;
    private long _overdue;

    public StockMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("DaprPlatform.Inventory");
        _operations = meter.CreateCounter<long>("stock_operations_total", description: "Steps on the stock of orders, by outcome.");
        _expired = meter.CreateCounter<long>("stock_reservations_expired_total", description: "Reservations that ran out before they were held.");
        meter.CreateObservableGauge(
            "stock_reservations_overdue",
            () => new Measurement<long>(Volatile.Read(ref _overdue), new KeyValuePair<string, object?>("service", "inventory")),
            description: "Reservations that still set stock aside though they ran out minutes ago, or were held for an hour without an end.");
    }

    public void Operation(string method, string status) => _operations.Add(1, new("service", "inventory"), new("method", method), new("status", status));

    public void Overdue(long count) => Volatile.Write(ref _overdue, count);

    public void Expired() => _expired.Add(1, new KeyValuePair<string, object?>("service", "inventory"));
}
