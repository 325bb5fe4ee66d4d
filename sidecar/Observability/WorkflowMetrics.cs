namespace DaprPlatform.Sidecar.Observability;

/// <summary>Workflows and activities, by how they ended. Times are milliseconds.</summary>
internal sealed class WorkflowMetrics(MetricsRegistry registry, string @namespace)
{
    private static readonly string[] Activity = ["activity_name", "namespace", "status"];
    private static readonly string[] Workflow = ["namespace", "status", "workflow_name"];
    private readonly MetricFamily _activities = registry.Counter("dapr_runtime_workflow_activity_execution_count", Activity);
    private readonly MetricFamily _activityLatency = registry.Latency("dapr_runtime_workflow_activity_execution_latency", Activity);
    private readonly MetricFamily _executions = registry.Counter("dapr_runtime_workflow_execution_count", Workflow);
    private readonly MetricFamily _executionLatency = registry.Latency("dapr_runtime_workflow_execution_latency", Workflow);
    private readonly MetricFamily _schedulingLatency = registry.Latency("dapr_runtime_workflow_scheduling_latency", "namespace", "workflow_name");

    /// <summary>Records nothing.</summary>
    public static WorkflowMetrics None { get; } = new(new MetricsRegistry("", enabled: false), "");

    /// <param name="milliseconds">From the hand-out to the answer.</param>
    public void ActivityEnded(string name, bool success, double milliseconds)
    {
        if (!registry.Enabled)
            return;
        var status = success ? "success" : "failed";
        _activities.Increment(name, @namespace, status);
        _activityLatency.Record(milliseconds, name, @namespace, status);
    }

    /// <param name="status">Such as <c>success</c>, <c>failed</c> or <c>terminated</c>.</param>
    /// <param name="milliseconds">From the first turn to the end.</param>
    public void WorkflowEnded(string name, string status, double milliseconds)
    {
        if (!registry.Enabled)
            return;
        _executions.Increment(@namespace, status, name);
        _executionLatency.Record(milliseconds, @namespace, status, name);
    }

    /// <param name="milliseconds">From the time the workflow was to start to its first turn.</param>
    public void WorkflowScheduled(string name, double milliseconds) => _schedulingLatency.Record(milliseconds, @namespace, name);
}
