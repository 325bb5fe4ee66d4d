using System.Diagnostics.Metrics;

namespace DaprPlatform.Users.Domain;

internal sealed class UserMetrics(IMeterFactory meters)
{
    private readonly Counter<long> _events = meters.Create("DaprPlatform.Users")
        .CreateCounter<long>("entity_events_total", description: "What happened to accounts: created, updated, login_success, login_failed, logout.");

    /// <param name="reason">Of a closed set.</param>
    public void Happened(string action, string reason = "ok") =>
        _events.Add(1, new("service", "users"), new("entity_type", "user"), new("action", action), new("reason", reason));
}
