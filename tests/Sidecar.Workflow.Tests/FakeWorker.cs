using System.Threading.Channels;
using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>A worker whose work items a test takes and answers by hand.</summary>
internal sealed class FakeWorker : IServerStreamWriter<WorkItem>, IAsyncDisposable
{
    private readonly Channel<WorkItem> _items = Channel.CreateUnbounded<WorkItem>();
    private readonly CancellationTokenSource _leave = new();
    private readonly WorkflowHub _hub;
    private readonly Task _serving;

    public FakeWorker(WorkflowHub hub, WorkerGroup? group = null, bool takesTokens = false, bool keepsHistory = false)
    {
        _hub = hub;
        _serving = hub.ServeWorkerAsync(new WorkerProfile(group ?? new WorkerGroup("sidecar", null, null), takesTokens, keepsHistory), this, _leave.Token);
    }

    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(WorkItem message)
    {
        _items.Writer.TryWrite(message);
        return Task.CompletedTask;
    }

    public Task WriteAsync(WorkItem message, CancellationToken cancellationToken) => WriteAsync(message);

    /// <summary>The next turn of any instance.</summary>
    public async Task<WorkflowRequest> TurnAsync() => (await NextAsync()).WorkflowRequest ?? throw new InvalidOperationException("an activity came before a turn");

    public async Task<ActivityRequest> ActivityAsync() => (await NextAsync()).ActivityRequest ?? throw new InvalidOperationException("a turn came before an activity");

    public Task AnswerAsync(WorkflowRequest turn, params WorkflowAction[] actions)
    {
        return AnswerAsync(turn, "", null, actions);
    }

    public Task AnswerAsync(WorkflowRequest turn, string token, WorkflowVersion? version, params WorkflowAction[] actions)
    {
        var response = new WorkflowResponse { InstanceId = turn.InstanceId, CompletionToken = token, Version = version };
        response.Actions.AddRange(actions);
        return _hub.CompleteTurnAsync(response, TestContext.Current.CancellationToken);
    }

    public Task AnswerAsync(ActivityRequest activity, string result) =>
        _hub.CompleteActivityAsync(new ActivityResponse { InstanceId = activity.WorkflowInstance.InstanceId, TaskId = activity.TaskId, Result = result }, TestContext.Current.CancellationToken);

    public bool HasItem => _items.Reader.TryPeek(out _);

    public async ValueTask DisposeAsync()
    {
        await _leave.CancelAsync();
        // A hub that has ended tells its workers so.
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _leave.Dispose();
    }

    public async Task<WorkItem> NextAsync() => await _items.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
}

/// <summary>Actions as workers answer with.</summary>
internal static class Act
{
    public static WorkflowAction Task(int id, string name, string input = "") => new() { Id = id, ScheduleTask = new ScheduleTaskAction { Name = name, Input = input } };

    public static WorkflowAction Timer(int id, DateTimeOffset at) => new() { Id = id, CreateTimer = new CreateTimerAction { FireAt = Timestamp.FromDateTimeOffset(at) } };

    public static WorkflowAction Child(int id, string name, string instanceId = "") => new() { Id = id, CreateChildWorkflow = new CreateChildWorkflowAction { Name = name, InstanceId = instanceId } };

    public static WorkflowAction Task(int id, string name, string app, string input) =>
        new() { Id = id, ScheduleTask = new ScheduleTaskAction { Name = name, Input = input }, Router = new TaskRouter { SourceAppID = "app", TargetAppID = app } };

    public static WorkflowAction Child(int id, string name, string instanceId, string app) =>
        new() { Id = id, CreateChildWorkflow = new CreateChildWorkflowAction { Name = name, InstanceId = instanceId }, Router = new TaskRouter { SourceAppID = "app", TargetAppID = app } };

    public static WorkflowAction Send(int id, string instanceId, string name, string data) =>
        new() { Id = id, SendEvent = new SendEventAction { Instance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = instanceId }, Name = name, Data = data } };

    public static WorkflowAction Done(int id, string result = "") =>
        new() { Id = id, CompleteWorkflow = new CompleteWorkflowAction { WorkflowStatus = OrchestrationStatus.Completed, Result = result } };

    public static WorkflowAction Again(int id, string input) =>
        new() { Id = id, CompleteWorkflow = new CompleteWorkflowAction { WorkflowStatus = OrchestrationStatus.ContinuedAsNew, Result = input } };
}
