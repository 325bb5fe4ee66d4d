using System.Diagnostics.Metrics;

namespace DaprPlatform.Inventory.Domain;

internal sealed class StockMetrics
{
    private readonly Counter<long> _operations;
    private readonly Counter<long> _expired;

    public StockMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("DaprPlatform.Inventory");
        _operations = meter.CreateCounter<long>("stock_operations_total", description: "Steps on the stock of orders, by outcome.");
        _expired = meter.CreateCounter<long>("stock_reservations_expired_total", description: "Reservations that ran out before they were held.");
    }

    public void Operation(string method, string status) => _operations.Add(1, new("service", "inventory"), new("method", method), new("status", status));

    public void Expired() => _expired.Add(1, new KeyValuePair<string, object?>("service", "inventory"));
}
