using System.Globalization;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Observability;
using TraceContext = DaprPlatform.Sidecar.Observability.TraceContext;
using WireContext = Dapr.DurableTask.Protobuf.TraceContext;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// Spans and metrics of workflows. The trace of an instance begins with its start: <c>create_orchestration</c>, below it one span for the whole workflow, which is
/// exported when it ends, and below that one its activities and timers. The ids are kept in the history, so that a trace survives a restart.
/// </summary>
internal sealed class WorkflowTelemetry(Tracer tracer, WorkflowMetrics metrics)
{
    public static WorkflowTelemetry Off { get; } = new(Tracer.Off, WorkflowMetrics.None);

    /// <summary>A client starts an instance: gives the start its trace, unless it is not sampled.</summary>
    public void Create(ExecutionStartedEvent start)
    {
        if (!tracer.IsOn)
            return;
        TraceContext.TryParse(start.ParentTraceContext?.TraceParent, start.ParentTraceContext?.TraceState, out var parent);
        start.ParentTraceContext = null;
        using var span = tracer.StartSpan(Name("create_orchestration", start.Name, start.Version), SpanKind.Client, parent)!;
        // Not whether anybody gets the span: workers go on in its trace all the same.
        if (!span.Context.Sampled)
            return;
        Describe(span, "orchestration", start.Name, start.WorkflowInstance.InstanceId);
        start.ParentTraceContext = Wire(span.Context);
        start.WorkflowSpanID = Id(span.Context.Child());
    }

    /// <summary>A parent starts a child: its trace goes on in it.</summary>
    public static void Create(ExecutionStartedEvent child, ExecutionStartedEvent parent)
    {
        if (ContextOf(parent) is not { } context)
            return;
        child.ParentTraceContext = Wire(context);
        child.WorkflowSpanID = Id(context.Child());
    }

    /// <summary>An instance begins anew: in a trace of its own, or that of an eternal workflow would grow for ever. One that is not traced stays so.</summary>
    public static void Again(ExecutionStartedEvent next)
    {
        if (Parse(next.ParentTraceContext) is null)
            return;
        var root = TraceContext.Root(1);
        next.ParentTraceContext = Wire(root);
        next.WorkflowSpanID = Id(root.Child());
    }

    /// <summary>What an action of a workflow carries; null where it is not traced.</summary>
    public static WireContext? OfWorkflow(ExecutionStartedEvent start) => ContextOf(start) is { } context ? Wire(context) : null;

    /// <summary>Gives an activity that is handed out its span.</summary>
    public static void Begin(ActivityTask activity, DateTimeOffset now)
    {
        activity.StartedAt = now;
        if (Parse(activity.Scheduled.TaskScheduled.ParentTraceContext) is { } parent)
            activity.Trace = parent.Child();
    }

    /// <summary>An activity was handed on to those who run it, here or at another app.</summary>
    public void Requested(HistoryEvent scheduled, bool success, TimeSpan took) => metrics.ActivityRequested(scheduled.TaskScheduled.Name, success, took.TotalMilliseconds);

    /// <summary>How close to the largest message a turn comes; nothing where there is no such.</summary>
    public void Sized(string workflow, long size, int largest)
    {
        if (largest < int.MaxValue)
            metrics.TurnSized(workflow, (double)size / largest);
    }

    /// <summary>Likewise of an activity.</summary>
    public void Sized(string workflow, string activity, long size, int largest)
    {
        if (largest < int.MaxValue)
            metrics.ActivitySized(workflow, activity, (double)size / largest);
    }

    /// <summary>An instance was removed because its time was over.</summary>
    public void Expired(TimeSpan took) => metrics.Asked("purge_workflow", success: true, took.TotalMilliseconds);

    public static WireContext? OfActivity(ActivityTask activity) => activity.Trace is { } trace ? Wire(trace) : null;

    public void Ended(ActivityTask activity, TaskFailureDetails? failure, DateTimeOffset now)
    {
        var scheduled = activity.Scheduled.TaskScheduled;
        metrics.ActivityEnded(scheduled.Name, failure is null, (now - activity.StartedAt).TotalMilliseconds);
        if (activity.Trace is not { } trace || !tracer.IsOn || Parse(scheduled.ParentTraceContext) is not { } parent)
            return;
        using var span = new Span(tracer, Name("activity", scheduled.Name, scheduled.Version), SpanKind.Server, trace, parent.SpanId, activity.StartedAt, "");
        Describe(span, "activity", scheduled.Name, activity.InstanceId);
        span.Set("durabletask.task.task_id", (long)activity.Scheduled.EventId);
        if (failure is not null)
            span.Fail(failure.ErrorMessage);
    }

    public void Fired(string instanceId, ExecutionStartedEvent? start, HistoryEvent timer)
    {
        if (!tracer.IsOn || start is null || ContextOf(start) is not { } context)
            return;
        using var span = new Span(tracer, "timer", SpanKind.Internal, context.Child(), context.SpanId, timer.Timestamp.ToDateTimeOffset(), "");
        Describe(span, "timer", start.Name, instanceId);
        span.Set("durabletask.fire_at", timer.TimerCreated.FireAt.ToString().Trim('"'));
        span.Set("durabletask.task.task_id", (long)timer.EventId);
    }

    /// <summary>The first turn of an instance is committed.</summary>
    public void Started(ExecutionStartedEvent start, DateTimeOffset asked, DateTimeOffset began)
    {
        if (start.ScheduledStartTimestamp is { } due && due.ToDateTimeOffset() is var at && at > asked)
            asked = at;
        metrics.WorkflowScheduled(start.Name, Math.Max(0, (began - asked).TotalMilliseconds));
    }

    public void Ended(string instanceId, ExecutionStartedEvent start, ExecutionCompletedEvent end, DateTimeOffset began, DateTimeOffset now)
    {
        var status = end.WorkflowStatus switch
        {
            OrchestrationStatus.Completed => "success",
            OrchestrationStatus.Failed => "failed",
            var other => WorkflowApi.StatusName(other).ToLowerInvariant(),
        };
        metrics.WorkflowEnded(start.Name, status, Math.Max(0, (now - began).TotalMilliseconds));
        if (!tracer.IsOn || Parse(start.ParentTraceContext) is not { } parent || ContextOf(start) is not { } context)
            return;
        using var span = new Span(tracer, Name("orchestration", start.Name, start.Version), SpanKind.Server, context, parent.SpanId, began, "");
        Describe(span, "orchestration", start.Name, instanceId);
        span.Set("durabletask.runtime_status", WorkflowApi.StatusName(end.WorkflowStatus));
        if (end.FailureDetails is { } failure)
            span.Fail(failure.ErrorMessage);
    }

    private static void Describe(Span span, string type, string name, string instanceId)
    {
        span.Set("durabletask.type", type);
        span.Set("durabletask.task.name", name);
        span.Set("durabletask.task.instance_id", instanceId);
    }

    private static string Name(string kind, string name, string? version) => string.IsNullOrEmpty(version) ? $"{kind}||{name}" : $"{kind}||{name}||{version}";

    // The span of the workflow itself.
    private static TraceContext? ContextOf(ExecutionStartedEvent start) =>
        Parse(start.ParentTraceContext) is { } parent && ulong.TryParse(start.WorkflowSpanID, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var id)
            ? parent with { SpanId = id }
            : null;

    private static TraceContext? Parse(WireContext? wire) =>
        wire is not null && TraceContext.TryParse(wire.TraceParent, wire.TraceState, out var context) && context.Sampled ? context : null;

    private static WireContext Wire(TraceContext context) => new() { TraceParent = context.TraceParent, TraceState = context.State.Length > 0 ? context.State : null };

    private static string Id(TraceContext context) => context.SpanId.ToString("x16", CultureInfo.InvariantCulture);
}
