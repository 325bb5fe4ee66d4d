using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

internal static class Failures
{
    public static P.TaskFailureDetails ToWire(Exception failure, bool final = false) => new()
    {
        ErrorType = failure.GetType().FullName ?? failure.GetType().Name,
        ErrorMessage = failure.Message,
        StackTrace = failure.StackTrace ?? string.Empty,
        IsNonRetriable = final,
    };

    public static WorkflowTaskFailureDetails FromWire(P.TaskFailureDetails details) => new(details.ErrorType, details.ErrorMessage, details.StackTrace);

    public static WorkflowTaskFailedException ActivityFailed(P.TaskFailureDetails? details)
    {
        details ??= new P.TaskFailureDetails { ErrorType = "Unknown", ErrorMessage = "The activity failed without details." };
        return new WorkflowTaskFailedException($"Task failed: {details.ErrorMessage}", FromWire(details));
    }

    /// <param name="name">Of the child.</param>
    /// <param name="details">The sidecar leaves them out when the child was terminated.</param>
    public static WorkflowTaskFailedException ChildFailed(string name, P.TaskFailureDetails? details) =>
        new(
            $"Child workflow '{name}' failed",
            details is null ? new("WorkflowTerminated", $"Child workflow '{name}' ended without a result: it was terminated.") : FromWire(details));
}
