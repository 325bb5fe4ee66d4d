using Dapr.Workflow;

namespace DaprPlatform.Workflows;

/// <summary>How often a step that failed is tried again. Refusals are results and are not.</summary>
internal static class StepPolicies
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    /// <summary>About an hour: a service or database that is restarted never turns an order into a refusal.</summary>
    public static WorkflowTaskOptions Forward { get; } = new(new WorkflowRetryPolicy(400, First, 2, Longest));

    /// <summary>About a day: giving up means that stock or money stays where it does not belong.</summary>
    public static WorkflowTaskOptions Compensation { get; } = new(new WorkflowRetryPolicy(10_000, First, 2, Longest));
}
