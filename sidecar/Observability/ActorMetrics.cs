namespace DaprPlatform.Sidecar.Observability;

/// <summary>Actors: what waits, what was fired, what came and went.</summary>
internal sealed class ActorMetrics(MetricsRegistry registry)
{
    private readonly MetricFamily _pending = registry.Gauge("dapr_runtime_actor_pending_actor_calls", "actor_type");
    private readonly MetricFamily _timers = registry.Gauge("dapr_runtime_actor_timers", "actor_type");
    private readonly MetricFamily _reminders = registry.Gauge("dapr_runtime_actor_reminders", "actor_type");
    private readonly MetricFamily _timersFired = registry.Counter("dapr_runtime_actor_timers_fired_total", "actor_type", "success");
    private readonly MetricFamily _remindersFired = registry.Counter("dapr_runtime_actor_reminders_fired_total", "actor_type", "success");
    private readonly MetricFamily _deactivated = registry.Counter("dapr_runtime_actor_deactivated_total", "actor_type");
    private readonly MetricFamily _deactivationFailed = registry.Counter("dapr_runtime_actor_deactivated_failed_total", "actor_type");
    private readonly MetricFamily _rebalanced = registry.Counter("dapr_runtime_actor_rebalanced_total", "actor_type");
    private readonly MetricFamily _reports = registry.Counter("dapr_runtime_actor_status_report_total", "actor_type", "operation");
    private readonly MetricFamily _reportFailures = registry.Counter("dapr_runtime_actor_status_report_fail_total", "actor_type", "operation", "reason");
    private readonly MetricFamily _tables = registry.Counter("dapr_runtime_actor_table_operation_recv_total", "actor_type", "operation");

    /// <summary>Calls that wait for their turn: one more or one less.</summary>
    public void Pending(string type, int change) => _pending.Add(change, type);

    public void Timers(string type, int change) => _timers.Add(change, type);

    /// <summary>The reminders that the actors of a type have, whoever registered them.</summary>
    public void Reminders(string type, long count) => _reminders.Set(count, type);

    public void TimerFired(string type, bool success) => _timersFired.Increment(type, success ? "true" : "false");

    public void ReminderFired(string type, bool success) => _remindersFired.Increment(type, success ? "true" : "false");

    public void Deactivated(string type) => _deactivated.Increment(type);

    public void DeactivationFailed(string type) => _deactivationFailed.Increment(type);

    public void Rebalanced(string type) => _rebalanced.Increment(type);

    /// <summary>Placement was told what is hosted.</summary>
    public void Reported() => _reports.Increment("", "send");

    public void ReportFailed(string reason) => _reportFailures.Increment("", "send", reason);

    /// <summary>A table of placement came.</summary>
    public void TableReceived()
    {
        _tables.Increment("", "lock");
        _tables.Increment("", "update");
        _tables.Increment("", "unlock");
    }
}
