using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Resources;

/// <summary>
/// Who may do what with the workflows and activities of this app (https://docs.dapr.io/reference/resource-specs/workflow-access-policy-schema/). All loaded
/// policies together are one list of what is allowed; without any policy everything is. A malformed part of a policy allows nothing, and the policy still
/// counts: leaving it out could open what it was written to close.
/// </summary>
/// <param name="Rules">One that fits is enough.</param>
internal sealed record WorkflowAccessPolicy(string Name, IReadOnlyList<WorkflowAccessRule> Rules)
{
    public const string Kind = "WorkflowAccessPolicy";

    /// <summary>The policies among resources, in their order.</summary>
    public static IReadOnlyList<WorkflowAccessPolicy> Load(IEnumerable<Resource> resources, ILogger logger)
    {
        var policies = new List<WorkflowAccessPolicy>();
        foreach (var resource in resources.Where(r => r.Kind == Kind))
        {
            var rules = new List<WorkflowAccessRule>();
            foreach (var rule in resource.Spec.Array("rules") ?? [])
            {
                if (rule is JsonObject json && WorkflowAccessRule.Read(json) is { } read)
                    rules.Add(read);
                else
                    ResourceLog.WorkflowAccessRuleMalformed(logger, resource.Name, resource.File, resource.Line);
            }

            policies.Add(new WorkflowAccessPolicy(resource.Name, rules));
            ResourceLog.WorkflowAccessPolicyLoaded(logger, resource.Name);
        }

        return policies;
    }
}

/// <param name="Callers">App ids.</param>
internal sealed record WorkflowAccessRule(IReadOnlyList<string> Callers, IReadOnlyList<WorkflowAccessGrant> Workflows, IReadOnlyList<WorkflowAccessGrant> Activities)
{
    /// <returns>Null when a part has another form than the schema gives it.</returns>
    public static WorkflowAccessRule? Read(JsonObject rule)
    {
        var callers = new List<string>();
        if (rule.Member("callers") is not (null or JsonArray) || rule.Member("workflows") is not (null or JsonArray) || rule.Member("activities") is not (null or JsonArray))
            return null;
        foreach (var caller in rule.Array("callers") ?? [])
        {
            if ((caller as JsonObject)?.Text("appID") is not { Length: > 0 } appId)
                return null;
            callers.Add(appId);
        }

        return WorkflowAccessGrant.Read(rule.Array("workflows")) is { } workflows && WorkflowAccessGrant.Read(rule.Array("activities")) is { } activities
            ? new WorkflowAccessRule(callers, workflows, activities)
            : null;
    }
}

/// <param name="Name">Of a workflow or an activity; a glob pattern.</param>
/// <param name="Operations">Of workflows: schedule, terminate, raise, pause, resume, purge, get, rerun. Activities have none: they are only ever scheduled.</param>
/// <param name="Requires">What the history that the caller propagates must show, all of it.</param>
internal sealed record WorkflowAccessGrant(string Name, IReadOnlyList<string> Operations, IReadOnlyList<WorkflowAccessRequirement> Requires)
{
    public static IReadOnlyList<WorkflowAccessGrant>? Read(JsonArray? grants)
    {
        var read = new List<WorkflowAccessGrant>();
        foreach (var grant in grants ?? [])
        {
            if (grant is not JsonObject json || json.Text("name") is not { Length: > 0 } name || Texts(json, "operations") is not { } operations || WorkflowAccessRequirement.Read(json) is not { } requires)
                return null;
            read.Add(new WorkflowAccessGrant(name, operations, requires));
        }

        return read;
    }

    private static IReadOnlyList<string>? Texts(JsonObject json, string name)
    {
        if (json.Member(name) is not (null or JsonArray))
            return null;
        var given = json.Array(name) ?? [];
        IReadOnlyList<string> texts = [.. given.Select(t => t.Text()).OfType<string>()];
        return texts.Count == given.Count ? texts : null;
    }
}

/// <param name="EventType">activity, workflow or event.</param>
/// <param name="Status">Started or Completed; of an event Raised.</param>
/// <param name="Name">Of the activity, the workflow or the event.</param>
/// <param name="AppId">The app in whose history it must be; null: any.</param>
internal sealed record WorkflowAccessRequirement(string EventType, string Status, string Name, string? AppId)
{
    /// <returns>Null when a part has another form than the schema gives it.</returns>
    public static IReadOnlyList<WorkflowAccessRequirement>? Read(JsonObject grant)
    {
        if (grant.Member("requires") is not (null or JsonArray))
            return null;
        var read = new List<WorkflowAccessRequirement>();
        foreach (var requirement in grant.Array("requires") ?? [])
        {
            if (requirement is not JsonObject json || json.Text("name") is not { Length: > 0 } name || json.Text("eventType") is not { } type || json.Text("status") is not { } status
                || (type, status) is not (("activity" or "workflow", "Started" or "Completed") or ("event", "Raised")))
                return null;
            read.Add(new WorkflowAccessRequirement(type, status, name, json.Text("appID")));
        }

        return read;
    }
}
