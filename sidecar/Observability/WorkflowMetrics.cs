namespace DaprPlatform.Sidecar.Observability;

/// <summary>Workflows and activities, by how they ended. Times are milliseconds.</summary>
internal sealed class WorkflowMetrics(MetricsRegistry registry, string @namespace)
{
    private static readonly string[] Activity = ["activity_name", "namespace", "status"];
    private static readonly string[] Workflow = ["namespace", "status", "workflow_name"];
    private static readonly double[] Ratios = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1, 1.5, 2];
    private static readonly string[] Operation = ["namespace", "operation", "status"];
    private readonly MetricFamily _activities = registry.Counter("dapr_runtime_workflow_activity_execution_count", Activity);
    private readonly MetricFamily _activityLatency = registry.Latency("dapr_runtime_workflow_activity_execution_latency", Activity);
    private readonly MetricFamily _requests = registry.Counter("dapr_runtime_workflow_activity_operation_count", Activity);
    private readonly MetricFamily _requestLatency = registry.Latency("dapr_runtime_workflow_activity_operation_latency", Activity);
    private readonly MetricFamily _operations = registry.Counter("dapr_runtime_workflow_operation_count", Operation);
    private readonly MetricFamily _operationLatency = registry.Latency("dapr_runtime_workflow_operation_latency", Operation);
    private readonly MetricFamily _executions = registry.Counter("dapr_runtime_workflow_execution_count", Workflow);
    private readonly MetricFamily _executionLatency = registry.Latency("dapr_runtime_workflow_execution_latency", Workflow);
    private readonly MetricFamily _turnSize = registry.Family("dapr_runtime_workflow_payload_size_ratio", MetricKind.Histogram, Ratios, ["namespace", "workflow_name"]);
    private readonly MetricFamily _activitySize = registry.Family("dapr_runtime_workflow_activity_payload_size_ratio", MetricKind.Histogram, Ratios, ["activity_name", "namespace", "workflow_name"]);
    private readonly MetricFamily _schedulingLatency = registry.Latency("dapr_runtime_workflow_scheduling_latency", "namespace", "workflow_name");

    /// <summary>Records nothing.</summary>
    public static WorkflowMetrics None { get; } = new(new MetricsRegistry("", enabled: false), "");

    /// <summary>A client asked for something.</summary>
    /// <param name="operation"><c>create_workflow</c>, <c>get_workflow</c>, <c>add_event</c> or <c>purge_workflow</c>.</param>
    public void Asked(string operation, bool success, double milliseconds)
    {
        if (!registry.Enabled)
            return;
        var status = success ? "success" : "failed";
        _operations.Increment(@namespace, operation, status);
        _operationLatency.Record(milliseconds, @namespace, operation, status);
    }

    /// <summary>A workflow's activity was put where workers take from.</summary>
    public void ActivityRequested(string name, bool success, double milliseconds)
    {
        if (!registry.Enabled)
            return;
        var status = success ? "success" : "failed";
        _requests.Increment(name, @namespace, status);
        _requestLatency.Record(milliseconds, name, @namespace, status);
    }

    /// <param name="ratio">Size of what a worker is given for a turn, of the largest message there may be.</param>
    public void TurnSized(string workflow, double ratio) => _turnSize.Record(ratio, @namespace, workflow);

    /// <param name="ratio">As with a turn.</param>
    public void ActivitySized(string workflow, string activity, double ratio) => _activitySize.Record(ratio, activity, @namespace, workflow);

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
