using System.Diagnostics.CodeAnalysis;

namespace Dapr.Workflow;

/// <summary>
/// What the workflows above showed of their histories when they scheduled this one: a snapshot of that moment
/// (https://docs.dapr.io/developing-applications/sdks/dotnet/dotnet-workflow/dotnet-workflow-history-propagation/). Unsigned: as trustworthy as the apps it came through.
/// </summary>
public sealed class PropagatedHistory
{
    internal PropagatedHistory(IReadOnlyList<PropagatedHistoryEvent> events) => Events = events;

    /// <summary>One entry for each workflow: the oldest ancestor first, the caller last.</summary>
    public IReadOnlyList<PropagatedHistoryEvent> Events { get; }

    /// <summary>The entries of an app; empty if there is none.</summary>
    public IReadOnlyList<PropagatedHistoryEvent> GetByAppId(string appId) => [.. Events.Where(e => e.AppId == appId)];

    /// <summary>The entries of an instance; empty if there is none.</summary>
    public IReadOnlyList<PropagatedHistoryEvent> GetByInstanceId(string instanceId) => [.. Events.Where(e => e.InstanceId == instanceId)];

    /// <summary>The entries of workflows of a name; empty if there is none.</summary>
    public IReadOnlyList<PropagatedHistoryEvent> GetEventsByWorkflowName(string workflowName) => [.. Events.Where(e => e.Name == workflowName)];

    /// <summary>The entry nearest to this workflow among those of a name.</summary>
    public bool TryGetLastWorkflowEventByName(string workflowName, [NotNullWhen(true)] out PropagatedHistoryEvent? workflowEvent) =>
        (workflowEvent = Events.LastOrDefault(e => e.Name == workflowName)) is not null;

    /// <summary>The apps in the order of their first entries, each once.</summary>
    public IReadOnlyList<string> GetAppIds() => [.. Events.Select(e => e.AppId).Distinct(StringComparer.Ordinal)];
}

/// <summary>What one workflow had done when it scheduled the next.</summary>
public sealed class PropagatedHistoryEvent
{
    internal PropagatedHistoryEvent(
        string appId,
        string instanceId,
        string name,
        IReadOnlyList<PropagatedHistoryActivityResult> activities,
        IReadOnlyList<PropagatedHistoryWorkflowResult> workflows)
    {
        AppId = appId;
        InstanceId = instanceId;
        Name = name;
        Activities = activities;
        Workflows = workflows;
    }

    /// <summary>App that ran the workflow.</summary>
    public string AppId { get; }

    public string InstanceId { get; }

    /// <summary>Name of the workflow.</summary>
    public string Name { get; }

    /// <summary>Its activities in the order in which they were scheduled.</summary>
    public IReadOnlyList<PropagatedHistoryActivityResult> Activities { get; }

    /// <summary>Its children in the order in which they were scheduled.</summary>
    public IReadOnlyList<PropagatedHistoryWorkflowResult> Workflows { get; }

    /// <summary>The activities of a name; empty if there is none.</summary>
    public IReadOnlyList<PropagatedHistoryActivityResult> GetActivitiesByName(string activityName) => [.. Activities.Where(a => a.Name == activityName)];

    /// <summary>The activity of a name that was scheduled last.</summary>
    public bool TryGetLastActivityByName(string activityName, [NotNullWhen(true)] out PropagatedHistoryActivityResult? activity) =>
        (activity = Activities.LastOrDefault(a => a.Name == activityName)) is not null;

    /// <summary>The children of a name; empty if there is none.</summary>
    public IReadOnlyList<PropagatedHistoryWorkflowResult> GetWorkflowsByName(string workflowName) => [.. Workflows.Where(w => w.Name == workflowName)];

    /// <summary>The child of a name that was scheduled last.</summary>
    public bool TryGetLastWorkflowByName(string workflowName, [NotNullWhen(true)] out PropagatedHistoryWorkflowResult? workflow) =>
        (workflow = Workflows.LastOrDefault(w => w.Name == workflowName)) is not null;
}

public enum PropagatedHistoryStatus
{
    /// <summary>Scheduled, and neither completed nor failed at that moment.</summary>
    Pending,
    Completed,
    Failed,
}

/// <param name="Name">Name of the activity.</param>
/// <param name="Status">How far it was.</param>
/// <param name="Input">JSON; null if it was given none.</param>
/// <param name="Output">JSON; null unless it has completed with a result.</param>
/// <param name="FailureDetails">Null unless it has failed.</param>
public sealed record PropagatedHistoryActivityResult(
    string Name,
    PropagatedHistoryStatus Status,
    string? Input,
    string? Output,
    WorkflowTaskFailureDetails? FailureDetails);

/// <param name="Name">Name of the child workflow.</param>
/// <param name="Status">How far it was.</param>
/// <param name="Output">JSON; null unless it has completed with a result.</param>
/// <param name="FailureDetails">Null unless it has failed.</param>
public sealed record PropagatedHistoryWorkflowResult(
    string Name,
    PropagatedHistoryStatus Status,
    string? Output,
    WorkflowTaskFailureDetails? FailureDetails);

public static class HistoryPropagationExtensions
{
    /// <summary>The same options with another scope.</summary>
    public static WorkflowTaskOptions WithHistoryPropagation(this WorkflowTaskOptions options, HistoryPropagationScope scope) => options with { PropagationScope = scope };

    /// <summary>The same options with another scope.</summary>
    public static ChildWorkflowTaskOptions WithHistoryPropagation(this ChildWorkflowTaskOptions options, HistoryPropagationScope scope) => options with { PropagationScope = scope };
}
