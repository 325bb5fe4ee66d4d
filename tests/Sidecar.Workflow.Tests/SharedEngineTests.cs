using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Hosting;
using Grpc.Core;
using Grpc.Net.Client;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>
/// Sidecars as processes of their own are: each on an engine of its own, with the machine's folder and a database in common. They find each other by files that the living hold locked.
/// </summary>
public sealed class SharedEngineTests : IAsyncLifetime
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"workflow-tests-{Guid.NewGuid():N}");
    private readonly List<Process> _processes = [];
    private readonly string _plane = Guid.NewGuid().ToString("N");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable("DAPR_PLATFORM_DIR", _folder);
        Directory.CreateDirectory(_folder);
        File.WriteAllText(Path.Combine(_folder, "store.yaml"), $"""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata:
              name: statestore
            spec:
              type: state.sqlite
              version: v1
              metadata:
              - name: actorStateStore
                value: "true"
              - name: connectionString
                value: "{Path.Combine(_folder, "state.db")}"
            """);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_worker_at_one_sidecar_does_the_work_that_came_to_another()
    {
        var first = await StartAsync("shared");
        var second = await StartAsync("shared");
        // The first has the engine, the worker is at the second.
        await first.Client.GetInstanceAsync(new GetInstanceRequest { InstanceId = "none" }, cancellationToken: Token);
        using var worker = second.Work();
        var started = first.StartAsync("one");
        await worker.AnswerAsync(await worker.NextAsync(), Act.Task(0, "work", "5"));
        await started;
        var activity = (await worker.NextAsync()).ActivityRequest;
        Assert.Equal("5", activity.Input);
        var ended = first.Client.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = "one", GetInputsAndOutputs = true }, cancellationToken: Token);
        await second.Client.CompleteActivityTaskAsync(new ActivityResponse { InstanceId = "one", TaskId = activity.TaskId, Result = "25" }, cancellationToken: Token);
        var turn = await worker.NextAsync();
        await worker.AnswerAsync(turn, Act.Done(1, turn.WorkflowRequest.NewEvents[^1].TaskCompleted.Result));
        Assert.Equal("25", (await ended).WorkflowState.Output);
        Assert.True((await second.Client.GetInstanceAsync(new GetInstanceRequest { InstanceId = "one" }, cancellationToken: Token)).Exists);
    }

    [Fact]
    public async Task Another_sidecar_takes_over_when_the_one_with_the_engine_ends()
    {
        var first = await StartAsync("moving");
        var second = await StartAsync("moving");
        await first.Client.GetInstanceAsync(new GetInstanceRequest { InstanceId = "none" }, cancellationToken: Token);
        using var worker = second.Work();
        var started = second.StartAsync("waits");
        await worker.AnswerAsync(await worker.NextAsync());
        await started;
        await first.DisposeAsync();

        await second.Client.RaiseEventAsync(new RaiseEventRequest { InstanceId = "waits", Name = "go", Input = "1" }, cancellationToken: Token).ResponseAsync.WaitAsync(TimeSpan.FromSeconds(30), Token);
        var turn = await worker.NextAsync();
        Assert.Equal("go", turn.WorkflowRequest.NewEvents[^1].EventRaised.Name);
        Assert.NotEmpty(turn.WorkflowRequest.PastEvents);
        await worker.AnswerAsync(turn, Act.Done(0, "moved"));
        var state = await second.Client.GetInstanceAsync(new GetInstanceRequest { InstanceId = "waits", GetInputsAndOutputs = true }, cancellationToken: Token);
        Assert.Equal("moved", state.WorkflowState.Output);
    }

    [Fact]
    public async Task Activities_and_children_of_an_app_of_another_process_run_there()
    {
        var orders = await StartAsync("orders");
        var payments = await StartAsync("payments");
        using var here = orders.Work();
        using var there = payments.Work();
        var started = orders.StartAsync("order");
        await here.AnswerAsync(await here.NextAsync(), Act.Task(0, "charge", "payments", "7"), Act.Child(1, "refund", "refund-1", "payments"));
        await started;
        var items = new[] { await there.NextAsync(), await there.NextAsync() };
        var activity = items.Single(i => i.ActivityRequest is not null).ActivityRequest;
        var child = items.Single(i => i.WorkflowRequest is not null);
        await payments.Client.CompleteActivityTaskAsync(new ActivityResponse { InstanceId = "order", TaskId = activity.TaskId, Result = "paid" }, cancellationToken: Token);
        var first = await here.NextAsync();
        Assert.Equal("paid", first.WorkflowRequest.NewEvents[^1].TaskCompleted.Result);
        await here.AnswerAsync(first);
        await there.AnswerAsync(child, Act.Done(0, "refunded"));
        var second = await here.NextAsync();
        Assert.Equal("refunded", second.WorkflowRequest.NewEvents[^1].ChildWorkflowInstanceCompleted.Result);
        await here.AnswerAsync(second, Act.Done(2));
        Assert.True((await payments.Client.GetInstanceAsync(new GetInstanceRequest { InstanceId = "refund-1" }, cancellationToken: Token)).Exists);
    }

    [Fact]
    public async Task A_refusal_of_the_engine_reaches_the_client_of_another_sidecar_as_it_is()
    {
        var first = await StartAsync("refusing");
        var second = await StartAsync("refusing");
        using var worker = first.Work();
        var started = second.StartAsync("busy");
        await worker.AnswerAsync(await worker.NextAsync());
        await started;
        var again = await Assert.ThrowsAsync<RpcException>(() => second.StartAsync("busy"));
        Assert.Equal(StatusCode.AlreadyExists, again.StatusCode);
        var unknown = await Assert.ThrowsAsync<RpcException>(async () => await second.Client.RaiseEventAsync(new RaiseEventRequest { InstanceId = "ghost", Name = "x" }, cancellationToken: Token));
        Assert.Equal((StatusCode.Unknown, "no such instance exists"), (unknown.StatusCode, unknown.Status.Detail));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
            await process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<Process> StartAsync(string appId)
    {
        var engine = await Engine.OpenAsync(new EngineOptions { SharesStandIns = true }, Token);
        var sidecar = new DaprSidecar(engine, new SidecarOptions
        {
            AppId = appId,
            HttpPort = DaprSidecar.FreePort(),
            GrpcPort = DaprSidecar.FreePort(),
            ListenAddresses = ["127.0.0.1"],
            EnableMetrics = false,
            PlacementHostAddress = _plane,
            SchedulerHostAddress = _plane,
            ResourcesPaths = [_folder],
        });
        await sidecar.StartAsync(Token);
        var process = new Process(engine, sidecar);
        _processes.Add(process);
        return process;
    }

    private sealed class Process(Engine engine, DaprSidecar sidecar) : IAsyncDisposable
    {
        private readonly GrpcChannel _channel = GrpcChannel.ForAddress($"http://127.0.0.1:{sidecar.Options.GrpcPort}");
        private bool _ended;

        public TaskHubSidecarService.TaskHubSidecarServiceClient Client => new(_channel);

        public Task StartAsync(string id) => Client.StartInstanceAsync(new CreateInstanceRequest { InstanceId = id, Name = "workflow" }, cancellationToken: Token).ResponseAsync;

        public RemoteWorker Work() => new(Client);

        public async ValueTask DisposeAsync()
        {
            if (_ended)
                return;
            _ended = true;
            await sidecar.DisposeAsync();
            await engine.DisposeAsync();
            _channel.Dispose();
        }
    }

    /// <summary>A worker on the wire.</summary>
    private sealed class RemoteWorker(TaskHubSidecarService.TaskHubSidecarServiceClient client) : IDisposable
    {
        private readonly AsyncServerStreamingCall<WorkItem> _items = client.GetWorkItems(new GetWorkItemsRequest(), cancellationToken: Token);

        public async Task<WorkItem> NextAsync() =>
            await _items.ResponseStream.MoveNext(Token).WaitAsync(TimeSpan.FromSeconds(30), Token) ? _items.ResponseStream.Current : throw new InvalidOperationException("the stream has ended");

        public async Task AnswerAsync(WorkItem turn, params WorkflowAction[] actions)
        {
            var response = new WorkflowResponse { InstanceId = turn.WorkflowRequest.InstanceId };
            response.Actions.AddRange(actions);
            await client.CompleteWorkflowTaskAsync(response, cancellationToken: Token);
        }

        public void Dispose() => _items.Dispose();
    }
}
