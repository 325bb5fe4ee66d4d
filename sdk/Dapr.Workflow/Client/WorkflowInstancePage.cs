namespace Dapr.Workflow.Client;

/// <param name="InstanceIds">Ids of this page.</param>
/// <param name="ContinuationToken">Asks for the next page; null if this was the last.</param>
public sealed record WorkflowInstancePage(IReadOnlyList<string> InstanceIds, string? ContinuationToken);
