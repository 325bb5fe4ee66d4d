using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// spec.workflow of the Configuration. MaxWorkflows and MaxActivities are per sidecar, the others for all sidecars of the app; null is without limit.
/// Retention times count from the end of an instance; null keeps it.
/// </summary>
internal sealed record WorkflowSettings(int? MaxWorkflows, int? MaxActivities, TimeSpan? AnyTerminal, TimeSpan? Completed, TimeSpan? Failed, TimeSpan? Terminated)
{
    private const string HistorySigning = "WorkflowHistorySigning";
    private static readonly Dictionary<string, int> NoLimits = [];

    public int? GlobalWorkflows { get; init; }

    public int? GlobalActivities { get; init; }

    /// <summary>By name; names are matched exactly.</summary>
    public IReadOnlyDictionary<string, int> WorkflowLimits { get; init; } = NoLimits;

    public IReadOnlyDictionary<string, int> ActivityLimits { get; init; } = NoLimits;

    /// <summary>Bytes; an instance whose history does not fit into a message of this size stalls.</summary>
    public int MaxMessageSize { get; init; } = int.MaxValue;

    /// <exception cref="ResourceException">Histories are to be signed, which takes an identity that only mTLS gives.</exception>
    public static WorkflowSettings From(JsonObject configuration)
    {
        // As daprd without mTLS: a history that was meant to be signed must not go on unsigned.
        if ((configuration.Array("features") ?? []).OfType<JsonObject>().LastOrDefault(f => f.Text("name") == HistorySigning)?.Flag("enabled") == true)
            throw new ResourceException($"the feature {HistorySigning} requires mTLS, which is not enabled");
        var workflow = configuration.Object("workflow") ?? [];
        var retention = workflow.Object("stateRetentionPolicy") ?? [];
        return new WorkflowSettings(Limit("maxConcurrentWorkflowInvocations"), Limit("maxConcurrentActivityInvocations"), Time("anyTerminal"), Time("completed"), Time("failed"), Time("terminated"))
        {
            GlobalWorkflows = Limit("globalMaxConcurrentWorkflowInvocations"),
            GlobalActivities = Limit("globalMaxConcurrentActivityInvocations"),
            WorkflowLimits = Names("workflowConcurrencyLimits"),
            ActivityLimits = Names("activityConcurrencyLimits"),
        };

        int? Limit(string name) => workflow.Number(name) is > 0 and var limit ? limit : null;

        TimeSpan? Time(string name) => Durations.TryParseGo(retention.Text(name), out var time) ? time : null;

        Dictionary<string, int> Names(string list)
        {
            var limits = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var entry in (workflow.Array(list) ?? []).OfType<JsonObject>())
            {
                if (entry.Text("name") is { Length: > 0 } name && entry.Number("maxConcurrent") is > 0 and var limit)
                    limits[name] = limit;
            }

            return limits;
        }
    }

    /// <summary>How long an instance is kept after it has ended so; null is for ever.</summary>
    public TimeSpan? RetentionOf(OrchestrationStatus status) => status switch
    {
        OrchestrationStatus.Completed => Completed ?? AnyTerminal,
        OrchestrationStatus.Failed => Failed ?? AnyTerminal,
        OrchestrationStatus.Terminated => Terminated ?? AnyTerminal,
        _ => AnyTerminal,
    };
}
