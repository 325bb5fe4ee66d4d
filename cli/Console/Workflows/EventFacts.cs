using System.Globalization;
using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What the kinds of history events have to say, each in its own members.</summary>
internal static class EventFacts
{
    public static string? NameOf(HistoryEvent e) => e.EventTypeCase switch
    {
        Kind.ExecutionStarted => e.ExecutionStarted.Name,
        Kind.TaskScheduled => e.TaskScheduled.Name,
        Kind.ChildWorkflowInstanceCreated => e.ChildWorkflowInstanceCreated.Name,
        Kind.TimerCreated => e.TimerCreated.ExternalEvent?.Name ?? e.TimerCreated.Name,
        Kind.EventRaised => e.EventRaised.Name,
        Kind.EventSent => e.EventSent.Name,
        _ => null,
    };

    public static string? InputOf(HistoryEvent e) => e.EventTypeCase switch
    {
        Kind.ExecutionStarted => e.ExecutionStarted.Input,
        Kind.TaskScheduled => e.TaskScheduled.Input,
        Kind.ChildWorkflowInstanceCreated => e.ChildWorkflowInstanceCreated.Input,
        Kind.EventRaised => e.EventRaised.Input,
        Kind.EventSent => e.EventSent.Input,
        Kind.ExecutionTerminated => e.ExecutionTerminated.Input,
        Kind.ExecutionSuspended => e.ExecutionSuspended.Input,
        Kind.ExecutionResumed => e.ExecutionResumed.Input,
        _ => null,
    };

    public static string? OutputOf(HistoryEvent e) => e.EventTypeCase switch
    {
        Kind.ExecutionCompleted => e.ExecutionCompleted.Result,
        Kind.TaskCompleted => e.TaskCompleted.Result,
        Kind.ChildWorkflowInstanceCompleted => e.ChildWorkflowInstanceCompleted.Result,
        _ => null,
    };

    public static TaskFailureDetails? FailureOf(HistoryEvent e) => e.ExecutionCompleted?.FailureDetails ?? e.TaskFailed?.FailureDetails ?? e.ChildWorkflowInstanceFailed?.FailureDetails;

    /// <summary>The rest: <c>action</c> is the number of an action that begins, <c>of</c> that of the one that ends.</summary>
    public static JsonObject Detail(HistoryEvent e)
    {
        var detail = new JsonObject();
        if (e.EventId >= 0 && e.EventTypeCase is Kind.TaskScheduled or Kind.TimerCreated or Kind.ChildWorkflowInstanceCreated or Kind.EventSent or Kind.DetachedWorkflowInstanceCreated or Kind.ExecutionCompleted)
            detail["action"] = e.EventId;
        if (e.Router is { HasTargetAppID: true, TargetAppID.Length: > 0 } router)
            detail["app"] = router.TargetAppID;
        switch (e.EventTypeCase)
        {
            case Kind.ExecutionStarted:
                Add("executionId", e.ExecutionStarted.WorkflowInstance?.ExecutionId);
                Add("parent", e.ExecutionStarted.ParentInstance?.WorkflowInstance?.InstanceId);
                Add("scheduledFor", e.ExecutionStarted.ScheduledStartTimestamp is { } at ? Text(at.ToDateTimeOffset()) : null);
                break;
            case Kind.ExecutionCompleted:
                detail["status"] = WorkflowViews.Name(e.ExecutionCompleted.WorkflowStatus);
                break;
            case Kind.TaskCompleted:
                detail["of"] = e.TaskCompleted.TaskScheduledId;
                break;
            case Kind.TaskFailed:
                detail["of"] = e.TaskFailed.TaskScheduledId;
                break;
            case Kind.TimerCreated:
                Add("until", Text(e.TimerCreated.FireAt.ToDateTimeOffset()));
                Add("reason", e.TimerCreated.OriginCase switch
                {
                    TimerCreatedEvent.OriginOneofCase.ExternalEvent => "event",
                    TimerCreatedEvent.OriginOneofCase.ActivityRetry or TimerCreatedEvent.OriginOneofCase.ChildWorkflowRetry => "retry",
                    _ => "timer",
                });
                break;
            case Kind.TimerFired:
                detail["of"] = e.TimerFired.TimerId;
                break;
            case Kind.ChildWorkflowInstanceCreated:
                Add("childId", e.ChildWorkflowInstanceCreated.InstanceId);
                break;
            case Kind.ChildWorkflowInstanceCompleted:
                detail["of"] = e.ChildWorkflowInstanceCompleted.TaskScheduledId;
                break;
            case Kind.ChildWorkflowInstanceFailed:
                detail["of"] = e.ChildWorkflowInstanceFailed.TaskScheduledId;
                break;
            case Kind.EventSent:
                Add("to", e.EventSent.InstanceId);
                break;
            case Kind.DetachedWorkflowInstanceCreated:
                Add("childId", e.DetachedWorkflowInstanceCreated.InstanceId);
                break;
            case Kind.ExecutionTerminated:
                detail["withChildren"] = e.ExecutionTerminated.Recurse;
                break;
            case Kind.ExecutionStalled:
                Add("reason", e.ExecutionStalled.Reason.ToString());
                Add("description", e.ExecutionStalled.Description);
                break;
        }

        return detail;

        void Add(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                detail[name] = value;
        }
    }

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);
}
