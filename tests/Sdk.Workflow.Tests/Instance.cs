using Dapr.Workflow;
using Dapr.Workflow.Serialization;
using Dapr.Workflow.Worker;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using P = Dapr.DurableTask.Protobuf;

namespace Sdk.Workflow.Tests;

/// <summary>Does around a turn what the sidecar does: keeps the history, opens each turn, and records the actions of the answer.</summary>
internal sealed class Instance
{
    public const string DefaultExecutionId = "0b2d5b1c-54e6-4a52-9b5f-7d4d4a3c1e10";

    private readonly WorkflowTurn _turns;
    private readonly List<P.HistoryEvent> _past = [];
    private P.HistoryEvent? _start;

    public Instance(
        Action<WorkflowRuntimeOptions> register,
        string workflow = "Subject",
        object? input = null,
        string id = "order-1",
        string executionId = DefaultExecutionId,
        ILoggerFactory? loggers = null,
        TimeSpan? foreignWaitLimit = null,
        IServiceProvider? services = null)
    {
        Id = id;
        var options = new WorkflowRuntimeOptions();
        register(options);
        _turns = new WorkflowTurn(
            options.BuildRegistry(),
            new JsonWorkflowSerializer(),
            services ?? new ServiceCollection().BuildServiceProvider(),
            loggers ?? NullLoggerFactory.Instance)
        {
            ForeignWaitLimit = foreignWaitLimit ?? TimeSpan.FromSeconds(30),
        };
        _start = new P.HistoryEvent
        {
            EventId = -1,
            Router = new P.TaskRouter { SourceAppID = "orders" },
            ExecutionStarted = new()
            {
                Name = workflow,
                Input = new JsonWorkflowSerializer().Serialize(input),
                WorkflowInstance = new() { InstanceId = id, ExecutionId = executionId },
            },
        };
    }

    public string Id { get; }

    /// <summary>What the parent showed this instance of its history.</summary>
    public P.PropagatedHistory? Propagated { get; init; }

    public DateTime Now { get; set; } = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    public IReadOnlyList<P.HistoryEvent> Past => _past;

    /// <summary>The first turn brings the start with it.</summary>
    public P.WorkflowResponse Turn(params P.HistoryEvent[] inbox)
    {
        var started = new P.HistoryEvent { EventId = -1, Timestamp = Timestamp.FromDateTime(Now), WorkflowStarted = new() };
        List<P.HistoryEvent> fresh = [started];
        if (_start is not null)
            fresh.Add(_start);
        _start = null;
        fresh.AddRange(inbox);
        var request = new P.WorkflowRequest { InstanceId = Id, PropagatedHistory = Propagated };
        request.PastEvents.AddRange(_past.Select(entry => entry.Clone()));
        request.NewEvents.AddRange(fresh.Select(entry => entry.Clone()));
        var response = _turns.Run(request, "token");
        started.WorkflowStarted.Version = response.Version?.Clone();
        _past.AddRange(fresh);
        _past.AddRange(response.Actions.Select(Record).OfType<P.HistoryEvent>());
        return response;
    }

    /// <summary>Runs a turn of another code over this history.</summary>
    public P.WorkflowResponse TurnWith(Action<WorkflowRuntimeOptions> register, params P.HistoryEvent[] inbox)
    {
        var other = new Instance(register, id: Id) { Now = Now, _start = null };
        other._past.AddRange(_past);
        return other.Turn(inbox);
    }

    public void AppendToPast(P.HistoryEvent entry) => _past.Add(entry);

    public static P.HistoryEvent Completed(int id, string? result = null, string executionId = "") =>
        new() { EventId = -1, TaskCompleted = new() { TaskScheduledId = id, Result = result, TaskExecutionId = executionId } };

    public static P.HistoryEvent Failed(int id, string message = "broken", string type = "System.InvalidOperationException") =>
        new() { EventId = -1, TaskFailed = new() { TaskScheduledId = id, FailureDetails = new() { ErrorType = type, ErrorMessage = message } } };

    public static P.HistoryEvent Fired(int id) => new() { EventId = -1, TimerFired = new() { TimerId = id } };

    public static P.HistoryEvent ChildCompleted(int id, string? result = null) =>
        new() { EventId = -1, ChildWorkflowInstanceCompleted = new() { TaskScheduledId = id, Result = result } };

    public static P.HistoryEvent ChildFailed(int id, P.TaskFailureDetails? details) =>
        new() { EventId = -1, ChildWorkflowInstanceFailed = new() { TaskScheduledId = id, FailureDetails = details } };

    public static P.HistoryEvent Raised(string name, string? input = null) => new() { EventId = -1, EventRaised = new() { Name = name, Input = input } };

    public static P.HistoryEvent Suspended() => new() { EventId = -1, ExecutionSuspended = new() };

    public static P.HistoryEvent Resumed() => new() { EventId = -1, ExecutionResumed = new() };

    public static P.HistoryEvent Terminated(string? output) => new() { EventId = -1, ExecutionTerminated = new() { Input = output } };

    private static P.HistoryEvent? Record(P.WorkflowAction action) => action.WorkflowActionTypeCase switch
    {
        P.WorkflowAction.WorkflowActionTypeOneofCase.ScheduleTask => new()
        {
            EventId = action.Id,
            TaskScheduled = new() { Name = action.ScheduleTask.Name, Input = action.ScheduleTask.Input, TaskExecutionId = action.ScheduleTask.TaskExecutionId, HistoryPropagationScope = action.ScheduleTask.HistoryPropagationScope },
        },
        P.WorkflowAction.WorkflowActionTypeOneofCase.CreateChildWorkflow => new()
        {
            EventId = action.Id,
            ChildWorkflowInstanceCreated = new() { Name = action.CreateChildWorkflow.Name, InstanceId = action.CreateChildWorkflow.InstanceId },
        },
        P.WorkflowAction.WorkflowActionTypeOneofCase.CreateTimer => new() { EventId = action.Id, TimerCreated = Record(action.CreateTimer) },
        P.WorkflowAction.WorkflowActionTypeOneofCase.SendEvent => new()
        {
            EventId = action.Id,
            EventSent = new() { Name = action.SendEvent.Name, InstanceId = action.SendEvent.Instance.InstanceId },
        },
        _ => null,
    };

    private static P.TimerCreatedEvent Record(P.CreateTimerAction timer)
    {
        var created = new P.TimerCreatedEvent { FireAt = timer.FireAt };
        if (timer.ExternalEvent is { } externalEvent)
            created.ExternalEvent = externalEvent;
        else if (timer.ActivityRetry is { } activity)
            created.ActivityRetry = activity;
        else if (timer.ChildWorkflowRetry is { } child)
            created.ChildWorkflowRetry = child;
        else
            created.CreateTimer = new();
        return created;
    }
}

internal static class Responses
{
    public static P.CompleteWorkflowAction Completion(this P.WorkflowResponse response) =>
        response.Actions.Single(action => action.CompleteWorkflow is not null).CompleteWorkflow;

    public static string Output(this P.WorkflowResponse response)
    {
        var completion = response.Completion();
        Assert.Null(completion.FailureDetails);
        Assert.Equal(P.OrchestrationStatus.Completed, completion.WorkflowStatus);
        return completion.Result;
    }

    public static P.TaskFailureDetails Failure(this P.WorkflowResponse response)
    {
        var completion = response.Completion();
        Assert.Equal(P.OrchestrationStatus.Failed, completion.WorkflowStatus);
        return completion.FailureDetails;
    }

    /// <summary>The actions in short: <c>0:activity Reserve</c>.</summary>
    public static string[] Trace(this P.WorkflowResponse response) => [.. response.Actions.Select(action => action.WorkflowActionTypeCase switch
    {
        P.WorkflowAction.WorkflowActionTypeOneofCase.ScheduleTask => $"{action.Id}:activity {action.ScheduleTask.Name}",
        P.WorkflowAction.WorkflowActionTypeOneofCase.CreateChildWorkflow => $"{action.Id}:child {action.CreateChildWorkflow.Name}",
        P.WorkflowAction.WorkflowActionTypeOneofCase.CreateTimer => $"{action.Id}:timer",
        P.WorkflowAction.WorkflowActionTypeOneofCase.SendEvent => $"{action.Id}:event {action.SendEvent.Name}",
        _ => $"{action.Id}:{action.CompleteWorkflow.WorkflowStatus}",
    })];
}
