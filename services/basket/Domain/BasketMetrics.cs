using System.Diagnostics.Metrics;

namespace DaprPlatform.Basket.Domain;

internal sealed class BasketMetrics(IMeterFactory meters)
{
    private readonly Counter<long> _events = meters.Create("DaprPlatform.Basket")
        .CreateCounter<long>("basket_events_total", description: "What happened to baskets: written, conflict, cleared.");

    public void Happened(string status) => _events.Add(1, new("service", "basket"), new("status", status));
}
