namespace Dapr.Workflow;

public enum WorkflowRuntimeStatus
{
    /// <summary>The instance does not exist.</summary>
    Unknown = -1,
    Running,
    Completed,
    ContinuedAsNew,
    Failed,
    Canceled,
    Terminated,
    Pending,
    Suspended,

    /// <summary>No worker that is connected can take it further.</summary>
    Stalled,
}
