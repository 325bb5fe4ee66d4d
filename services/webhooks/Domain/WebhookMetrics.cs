using System.Diagnostics.Metrics;

namespace DaprPlatform.Webhooks.Domain;

internal sealed class WebhookMetrics
{
    private readonly Counter<long> _attempts;
    private readonly Counter<long> _deliveries;
    private readonly Histogram<double> _duration;

    public WebhookMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("DaprPlatform.Webhooks");
        _attempts = meter.CreateCounter<long>("webhook_attempts_total", description: "Attempts to bring an event to an address, by class of its answer.");
        _deliveries = meter.CreateCounter<long>("webhook_deliveries_total", description: "Deliveries that ended, by what became of them.");
        _duration = meter.CreateHistogram<double>("webhook_attempt_duration_seconds", "s", "Time an attempt took, whatever came of it.");
    }

    public void Attempted(Attempt attempt, TimeSpan took)
    {
        _attempts.Add(1, new("service", "webhooks"), new("status", attempt.Status switch { 0 => "none", < 300 => "2xx", < 400 => "3xx", < 500 => "4xx", _ => "5xx" }));
        _duration.Record(took.TotalSeconds, new KeyValuePair<string, object?>("service", "webhooks"));
    }

    public void Ended(bool delivered) => _deliveries.Add(1, new("service", "webhooks"), new("status", delivered ? "delivered" : "failed"));
}
