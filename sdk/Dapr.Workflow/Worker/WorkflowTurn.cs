using Dapr.Workflow.Registration;
using Dapr.Workflow.Serialization;
using Microsoft.Extensions.Logging;
using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Worker;

/// <summary>
/// Runs one turn of a workflow: replays its code over the history, lets the new events happen, and answers with the actions that are new.
/// The whole turn runs on the calling thread.
/// </summary>
internal sealed partial class WorkflowTurn(WorkflowRegistry registry, IWorkflowSerializer serializer, IServiceProvider services, ILoggerFactory loggers)
{
    private readonly ILogger<WorkflowTurn> _logger = loggers.CreateLogger<WorkflowTurn>();

    /// <summary>How long a turn waits for something that is not durable (<c>Task.Run</c>, an HTTP call) when the code waits for nothing else.</summary>
    public TimeSpan ForeignWaitLimit { get; init; } = TimeSpan.FromSeconds(30);

    public P.WorkflowResponse Run(P.WorkflowRequest request, string completionToken)
    {
        var response = new P.WorkflowResponse { InstanceId = request.InstanceId, CompletionToken = completionToken };
        var timeline = TurnTimeline.Of(request);
        if (timeline.Termination is { } termination)
        {
            response.Actions.Add(Complete(P.OrchestrationStatus.Terminated, termination.Input));
            return response;
        }

        var (started, name) = FindStart(request);
        if (string.IsNullOrEmpty(name))
        {
            response.Actions.Add(Refuse("WorkflowNameMissing", "The history of this instance does not say which workflow it runs."));
            return response;
        }

        if (!registry.TryGetWorkflow(name, out var registration))
        {
            response.Actions.Add(Refuse("WorkflowNotFound", $"Workflow '{name}' is not registered in this app."));
            return response;
        }

        var history = new TurnHistory(request.PastEvents, request.PastEvents.Count);
        var pump = new TurnPump();
        var executionId = request.ExecutionId;
        if (string.IsNullOrEmpty(executionId))
            executionId = started?.ExecutionStarted.WorkflowInstance?.ExecutionId;
        var router = started?.Router;
        var context = new TurnContext(
            name,
            request.InstanceId,
            string.IsNullOrEmpty(executionId) ? request.InstanceId : executionId,
            router is { HasTargetAppID: true, TargetAppID.Length: > 0 } ? router.TargetAppID : router?.SourceAppID,
            history,
            pump,
            serializer,
            loggers,
            request.PropagatedHistory);

        using var instance = registration.Create(services, out var activationFailure);
        if (activationFailure is not null)
        {
            LogActivationFailed(name, request.InstanceId, activationFailure);
            response.Actions.Add(Complete(activationFailure));
            return response;
        }

        var main = Play(request, timeline, context, pump, instance.Value, started?.ExecutionStarted.Input);
        context.End();
        if (timeline.IsSuspended)
            response.CustomStatus = context.CustomStatus;
        else
            Answer(response, request, name, context, main);
        return response;
    }

    private Task<object?> Play(P.WorkflowRequest request, TurnTimeline timeline, TurnContext context, TurnPump pump, IWorkflow workflow, string? input)
    {
        var outer = SynchronizationContext.Current;
        try
        {
            context.SetReplaying(timeline.LiveFrom > 0);
            context.SetClock(FirstTime(request));
            SynchronizationContext.SetSynchronizationContext(pump);
            Task<object?> main;
            try
            {
                main = workflow.RunAsync(context, serializer.Deserialize(input, workflow.InputType));
            }
            catch (Exception failure)
            {
                main = Task.FromException<object?>(failure);
            }

            SynchronizationContext.SetSynchronizationContext(null);
            var goesOn = Settle(ref main);
            for (var i = 0; goesOn && i < timeline.End; i++)
            {
                if (i == request.PastEvents.Count && i > 0)
                {
                    context.CheckReplayed();
                    if (context.Violation is not null)
                        break;
                }

                if (i == timeline.LiveFrom)
                    context.SetReplaying(false);
                context.Apply(timeline[i]);
                goesOn = Settle(ref main);
            }

            return main;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outer);
        }

        // Runs everything that the last event set going. False if the turn is over.
        bool Settle(ref Task<object?> main)
        {
            try
            {
                pump.Drain();
                if (!main.IsCompleted && context.IsIdle)
                    WaitForForeignWork(context, pump, main, request.InstanceId);
            }
            catch (Exception failure)
            {
                // Thrown by an async void method or by the wait: nobody else would see it.
                main = Task.FromException<object?>(failure);
            }

            return context.Violation is null;
        }
    }

    private void WaitForForeignWork(TurnContext context, TurnPump pump, Task main, string instanceId)
    {
        if (context.IsContinuedAsNew || context.Violation is not null)
            return;
        LogForeignWait(context.Name, instanceId);
        _ = main.ContinueWith(static (_, pump) => ((TurnPump)pump!).Signal(), pump, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        while (!main.IsCompleted && context.IsIdle && context.Violation is null)
        {
            if (!pump.WaitForWork(ForeignWaitLimit))
            {
                throw new NonDeterminismException(
                    $"Workflow '{context.Name}' awaits something that is not a task of its context and did not end within {ForeignWaitLimit}. Do such work in an activity.");
            }

            pump.Drain();
        }
    }

    private void Answer(P.WorkflowResponse response, P.WorkflowRequest request, string name, TurnContext context, Task<object?> main)
    {
        if (context.CustomStatus is { } status)
            response.CustomStatus = status;
        if (context.PatchesHit is { } patches)
        {
            response.Version = new P.WorkflowVersion { Name = name };
            response.Version.Patches.AddRange(patches);
        }

        if (context.Violation is { } violation)
        {
            LogNonDeterminism(name, request.InstanceId, violation);
            response.Actions.Add(Complete(new NonDeterminismException(
                $"{violation} The code of workflow '{name}' has changed under a running instance; guard such changes with IsPatched.")));
            return;
        }

        response.Actions.AddRange(context.Actions);
        if (context.IsContinuedAsNew || !main.IsCompleted)
            return;
        if (main.IsCompletedSuccessfully)
        {
            try
            {
                response.Actions.Add(Complete(P.OrchestrationStatus.Completed, serializer.Serialize(main.Result)));
                return;
            }
            catch (Exception failure)
            {
                main = Task.FromException<object?>(failure);
            }
        }

        var reason = main.Exception?.InnerException ?? new TaskCanceledException(main);
        LogFailed(name, request.InstanceId, reason);
        response.Actions.Add(Complete(reason));
    }

    private static (P.HistoryEvent? Started, string? Name) FindStart(P.WorkflowRequest request)
    {
        string? versionName = null;
        foreach (var events in (ReadOnlySpan<Google.Protobuf.Collections.RepeatedField<P.HistoryEvent>>)[request.NewEvents, request.PastEvents])
        {
            for (var i = events.Count - 1; i >= 0; i--)
            {
                var entry = events[i];
                if (entry.EventTypeCase == P.HistoryEvent.EventTypeOneofCase.ExecutionStarted)
                    return (entry, entry.ExecutionStarted.Name);
                if (entry.EventTypeCase == P.HistoryEvent.EventTypeOneofCase.WorkflowStarted)
                    versionName ??= entry.WorkflowStarted.Version?.Name;
            }
        }

        return (null, versionName);
    }

    private static DateTime FirstTime(P.WorkflowRequest request)
    {
        if (request.PastEvents.Count > 0 && request.PastEvents[0].Timestamp is { } first)
            return first.ToDateTime();
        foreach (var entry in request.NewEvents)
        {
            if (entry.EventTypeCase == P.HistoryEvent.EventTypeOneofCase.WorkflowStarted && entry.Timestamp is { } timestamp)
                return timestamp.ToDateTime();
        }

        return request.NewEvents.Count > 0 && request.NewEvents[0].Timestamp is { } any ? any.ToDateTime() : DateTime.UnixEpoch;
    }

    // A completion has id 0, as the official worker gives it: the sidecar matches no event to it.
    private static P.WorkflowAction Complete(P.OrchestrationStatus status, string? result) =>
        new() { CompleteWorkflow = new() { WorkflowStatus = status, Result = result } };

    private static P.WorkflowAction Complete(Exception failure) =>
        new() { CompleteWorkflow = new() { WorkflowStatus = P.OrchestrationStatus.Failed, FailureDetails = Failures.ToWire(failure, final: true) } };

    private static P.WorkflowAction Refuse(string errorType, string message) => new()
    {
        CompleteWorkflow = new()
        {
            WorkflowStatus = P.OrchestrationStatus.Failed,
            FailureDetails = new() { ErrorType = errorType, ErrorMessage = message, IsNonRetriable = true },
        },
    };

    [LoggerMessage(LogLevel.Error, "Workflow {Workflow} could not be made for instance {InstanceId}")]
    private partial void LogActivationFailed(string workflow, string instanceId, Exception failure);

    [LoggerMessage(LogLevel.Warning, "Workflow {Workflow}, instance {InstanceId}, awaits something that is not durable; it will run again on every replay")]
    private partial void LogForeignWait(string workflow, string instanceId);

    [LoggerMessage(LogLevel.Error, "Workflow {Workflow}, instance {InstanceId}, does not fit its history: {Violation}")]
    private partial void LogNonDeterminism(string workflow, string instanceId, string violation);

    [LoggerMessage(LogLevel.Warning, "Workflow {Workflow}, instance {InstanceId}, failed")]
    private partial void LogFailed(string workflow, string instanceId, Exception failure);
}
