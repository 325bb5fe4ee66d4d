namespace Dapr.Workflow.Client;

public sealed class RerunWorkflowFromEventOptions
{
    /// <summary>Id of the new instance; null: the sidecar makes one.</summary>
    public string? NewInstanceId { get; set; }

    /// <summary>Input of the event's task, if <see cref="OverwriteInput"/>.</summary>
    public object? Input { get; set; }

    /// <summary>Whether <see cref="Input"/> replaces the input that the task had.</summary>
    public bool OverwriteInput { get; set; }
}
