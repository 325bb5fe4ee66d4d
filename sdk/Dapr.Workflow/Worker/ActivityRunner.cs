using System.Diagnostics;
using System.Globalization;
using Dapr.Workflow.Abstractions;
using Dapr.Workflow.Registration;
using Dapr.Workflow.Serialization;
using Microsoft.Extensions.Logging;
using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>Runs one activity. Whatever it throws becomes the answer.</summary>
internal sealed partial class ActivityRunner(WorkflowRegistry registry, IWorkflowSerializer serializer, IServiceProvider services, ILogger<ActivityRunner> logger)
{
    internal static readonly ActivitySource Source = new("Dapr.Workflow");

    public async Task<P.ActivityResponse> RunAsync(P.ActivityRequest request, string completionToken)
    {
        var instanceId = request.WorkflowInstance?.InstanceId ?? string.Empty;
        var response = new P.ActivityResponse { InstanceId = instanceId, TaskId = request.TaskId, CompletionToken = completionToken };
        if (!registry.TryGetActivity(request.Name, out var registration))
        {
            response.FailureDetails = new() { ErrorType = "ActivityNotFoundException", ErrorMessage = $"Activity '{request.Name}' not found" };
            return response;
        }

        using var span = StartSpan(request, instanceId);
        try
        {
            await using var instance = registration.Create(services, out var activationFailure);
            if (activationFailure is not null)
                throw activationFailure;
            var executionKey = request.TaskExecutionId.Length > 0 ? request.TaskExecutionId : request.TaskId.ToString(CultureInfo.InvariantCulture);
            var result = await instance.Value.RunAsync(
                new Context(request.Name, executionKey, instanceId, request.PropagatedHistory),
                serializer.Deserialize(request.Input, instance.Value.InputType));
            response.Result = serializer.Serialize(result);
        }
        catch (Exception failure)
        {
            LogFailed(request.Name, instanceId, request.TaskId, failure);
            span?.SetStatus(ActivityStatusCode.Error, failure.Message);
            response.Result = null;
            response.FailureDetails = Failures.ToWire(failure);
        }

        return response;
    }

    private static Activity? StartSpan(P.ActivityRequest request, string instanceId)
    {
        if (!Source.HasListeners())
            return null;
        ActivityContext.TryParse(request.ParentTraceContext?.TraceParent, request.ParentTraceContext?.TraceState, isRemote: true, out var parent);
        var span = Source.StartActivity($"WorkflowActivity {request.Name}", ActivityKind.Internal, parent);
        span?.SetTag("durabletask.task.instance_id", instanceId);
        span?.SetTag("durabletask.task.task_id", request.TaskId);
        return span;
    }

    [LoggerMessage(LogLevel.Warning, "Activity {Activity} of instance {InstanceId}, task {TaskId}, failed")]
    private partial void LogFailed(string activity, string instanceId, int taskId, Exception failure);

    private sealed class Context(string name, string taskExecutionKey, string instanceId, P.PropagatedHistory? propagated) : WorkflowActivityContext
    {
        private PropagatedHistory? _propagated;

        public override TaskIdentifier Identifier { get; } = name;

        public override string TaskExecutionKey { get; } = taskExecutionKey;

        public override string InstanceId { get; } = instanceId;

        public override PropagatedHistory? GetPropagatedHistory() => _propagated ??= PropagatedHistories.Read(propagated);
    }
}
