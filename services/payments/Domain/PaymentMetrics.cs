using System.Diagnostics.Metrics;

namespace DaprPlatform.Payments.Domain;

internal sealed class PaymentMetrics
{
    private readonly Counter<long> _succeeded;
    private readonly Counter<long> _failed;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _stuck;

    public PaymentMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("DaprPlatform.Payments");
        _succeeded = meter.CreateCounter<long>("payment_succeeded_total", description: "Payments captured or refunded, by method.");
        _failed = meter.CreateCounter<long>("payment_failed_total", description: "Payments that were declined, by method and reason.");
        _duration = meter.CreateHistogram<double>("payment_processing_duration_seconds", "s", "Time to decide a payment and write it down, by method.");
        _stuck = meter.CreateCounter<long>("compensation_failed_total", description: "Refunds that could neither be completed nor given up, by method and step. Somebody has to look.");
    }

    public void Succeeded(string method, string status) => _succeeded.Add(1, new("service", "payments"), new("method", method), new("status", status));

    public void Failed(string method, string reason) => _failed.Add(1, new("service", "payments"), new("method", method), new("failure_reason", reason));

    /// <param name="step">Of the workflow; there are four.</param>
    public void CompensationFailed(string method, string step) => _stuck.Add(1, new("service", "payments"), new("method", method), new("failure_reason", step));

    public void Took(TimeSpan duration, string method) => _duration.Record(duration.TotalSeconds, new("service", "payments"), new("method", method));
}
