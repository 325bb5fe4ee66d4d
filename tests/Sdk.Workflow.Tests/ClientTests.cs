using System.Text.Json;
using Dapr.Common.Serialization;
using Dapr.Workflow;
using Dapr.Workflow.Client;
using Dapr.Workflow.Serialization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using P = Dapr.DurableTask.Protobuf;

namespace Sdk.Workflow.Tests;

public class ClientTests
{
    [Fact]
    public async Task A_start_carries_what_was_given_and_makes_an_id_if_none_was()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var client = Client(sidecar);
        var start = new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.FromHours(1));

        Assert.Equal("order-1", await client.ScheduleNewWorkflowAsync("Order", "order-1", new { Total = 5 }));
        Assert.True(Guid.TryParse(await client.ScheduleNewWorkflowAsync("Order", null, null, start, TestContext.Current.CancellationToken), out _));
        var sent = sidecar.Hub.Requests.Cast<P.CreateInstanceRequest>().ToArray();
        Assert.Equal(("Order", "{\"total\":5}", (Timestamp?)null), (sent[0].Name, sent[0].Input, sent[0].ScheduledStartTimestamp));
        Assert.Equal(("", start), (sent[1].Input, sent[1].ScheduledStartTimestamp.ToDateTimeOffset()));
        Assert.StartsWith("dapr-sdk-dotnet/v", sidecar.Hub.LastHeaders!.GetValue("user-agent"));
    }

    [Fact]
    public async Task A_state_is_read_with_its_values()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var client = Client(sidecar);
        sidecar.Hub.OnGet = (_, _) => new P.GetInstanceResponse
        {
            Exists = true,
            WorkflowState = new()
            {
                Name = "Order",
                WorkflowStatus = P.OrchestrationStatus.Failed,
                Input = "{\"total\":5}",
                Output = "",
                CustomStatus = "\"paying\"",
                CreatedTimestamp = new Timestamp { Seconds = 1 },
                FailureDetails = new() { ErrorType = "System.TimeoutException", ErrorMessage = "too slow" },
            },
        };

        var state = await client.GetWorkflowStateAsync("order-1", cancellation: TestContext.Current.CancellationToken);
        Assert.True(state.Exists && state.IsWorkflowCompleted && !state.IsWorkflowRunning);
        Assert.Equal(("Order", WorkflowRuntimeStatus.Failed), (state.WorkflowName, state.RuntimeStatus));
        Assert.Equal((5, null, "paying"), (state.ReadInputAs<Dictionary<string, int>>()!["total"], state.ReadOutputAs<string>(), state.ReadCustomStatusAs<string>()));
        Assert.True(state.FailureDetails!.IsCausedBy<TimeoutException>());
        Assert.True(state.FailureDetails.IsCausedBy<SystemException>());
        Assert.False(state.FailureDetails.IsCausedBy<ArgumentException>());
        Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(1), state.CreatedAt);
    }

    [Fact]
    public async Task A_missing_instance_is_a_state_that_does_not_exist()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var client = Client(sidecar);

        Assert.Equal((false, WorkflowRuntimeStatus.Unknown), await Ask());
        sidecar.Hub.OnGet = (_, _) => throw new RpcException(new Status(StatusCode.NotFound, "none"));
        Assert.Equal((false, WorkflowRuntimeStatus.Unknown), await Ask());
        sidecar.Hub.OnGet = (_, _) => throw new RpcException(new Status(StatusCode.Internal, "store"));
        Assert.Equal(StatusCode.Internal, (await Assert.ThrowsAsync<RpcException>(Ask)).StatusCode);

        async Task<(bool, WorkflowRuntimeStatus)> Ask()
        {
            var state = await client.GetWorkflowStateAsync("x");
            return (state.Exists, state.RuntimeStatus);
        }
    }

    [Fact]
    public async Task A_wait_outlives_a_sidecar_that_is_away_and_reads_outputs_only_at_the_end()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var client = Client(sidecar);
        sidecar.Hub.OnGet = (_, count) => count switch
        {
            1 => throw new RpcException(new Status(StatusCode.Unavailable, "restarting")),
            2 => throw new RpcException(new Status(StatusCode.DeadlineExceeded, "long")),
            _ => new P.GetInstanceResponse { Exists = true, WorkflowState = new() { WorkflowStatus = P.OrchestrationStatus.Completed, Output = "\"done\"" } },
        };

        var state = await client.WaitForWorkflowCompletionAsync("order-1", cancellation: TestContext.Current.CancellationToken);
        Assert.Equal("done", state.ReadOutputAs<string>());
        Assert.Equal([false, false, false, true], sidecar.Hub.Requests.Cast<P.GetInstanceRequest>().Select(request => request.GetInputsAndOutputs));
    }

    [Fact]
    public async Task Waiting_for_a_missing_instance_is_an_error_and_so_is_any_other_failure()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var client = Client(sidecar);

        await Assert.ThrowsAsync<InvalidOperationException>(() => client.WaitForWorkflowStartAsync("x", cancellation: TestContext.Current.CancellationToken));
        sidecar.Hub.OnGet = (_, _) => throw new RpcException(new Status(StatusCode.Unknown, "no such instance exists"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => client.WaitForWorkflowCompletionAsync("x", cancellation: TestContext.Current.CancellationToken));
        sidecar.Hub.OnGet = (_, _) => throw new RpcException(new Status(StatusCode.Internal, "store"));
        await Assert.ThrowsAsync<RpcException>(() => client.WaitForWorkflowCompletionAsync("x", cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_wait_that_lasts_asks_once_whether_the_instance_exists()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        var time = new ManualTime();
        using var host = await WorkerTests.StartAsync(sidecar.Address, services => services.AddSingleton<TimeProvider>(time).AddDaprWorkflow());
        var client = host.Services.GetRequiredService<DaprWorkflowClient>();
        var answer = new TaskCompletionSource<P.GetInstanceResponse>();
        sidecar.Hub.OnWait = (_, stop) => answer.Task.WaitAsync(stop);

        var missing = client.WaitForWorkflowCompletionAsync("x", cancellation: TestContext.Current.CancellationToken);
        await time.WaitedForAsync(TimeSpan.FromSeconds(1));
        time.Advance(TimeSpan.FromSeconds(1));
        await Assert.ThrowsAsync<InvalidOperationException>(() => missing);

        sidecar.Hub.OnGet = (_, _) => new P.GetInstanceResponse { Exists = true, WorkflowState = new() };
        var known = client.WaitForWorkflowCompletionAsync("x", getInputsAndOutputs: false, cancellation: TestContext.Current.CancellationToken);
        await time.WaitedForAsync(TimeSpan.FromSeconds(1));
        time.Advance(TimeSpan.FromSeconds(1));
        answer.SetResult(new P.GetInstanceResponse { Exists = true, WorkflowState = new() { WorkflowStatus = P.OrchestrationStatus.Completed } });
        Assert.True((await known).IsWorkflowCompleted);
    }

    [Fact]
    public async Task A_wait_can_be_given_up()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var client = Client(sidecar);
        using var stop = new CancellationTokenSource();
        sidecar.Hub.OnGet = (_, _) =>
        {
            stop.Cancel();
            throw new RpcException(new Status(StatusCode.Unavailable, "restarting"));
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.WaitForWorkflowCompletionAsync("x", cancellation: stop.Token));
    }

    [Fact]
    public async Task Instances_are_steered()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var client = Client(sidecar);
        var stop = TestContext.Current.CancellationToken;

        await client.RaiseEventAsync("i", "Approve", true, stop);
        await client.TerminateWorkflowAsync("i", "cut", stop);
        await client.SuspendWorkflowAsync("i", cancellation: stop);
        await client.ResumeWorkflowAsync("i", "go on", stop);
        Assert.True(await client.PurgeInstanceAsync("known", stop));
        Assert.False(await client.PurgeInstanceAsync("unknown", stop));
        Google.Protobuf.IMessage[] expected =
        [
            new P.RaiseEventRequest { InstanceId = "i", Name = "Approve", Input = "true" },
            new P.TerminateRequest { InstanceId = "i", Output = "\"cut\"", Recursive = true },
            new P.SuspendRequest { InstanceId = "i", Reason = "" },
            new P.ResumeRequest { InstanceId = "i", Reason = "go on" },
            new P.PurgeInstancesRequest { InstanceId = "known", Recursive = true },
            new P.PurgeInstancesRequest { InstanceId = "unknown", Recursive = true },
        ];
        Assert.Equal(expected, sidecar.Hub.Requests);
    }

    [Fact]
    public async Task Ids_and_histories_are_listed_and_a_rerun_is_asked_for()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var client = Client(sidecar);
        var stop = TestContext.Current.CancellationToken;
        sidecar.Hub.History.Events.Add(new P.HistoryEvent { EventId = 3, Timestamp = new Timestamp { Seconds = 1 }, TimerFired = new() });

        var page = await client.ListInstanceIdsAsync(pageSize: 2, cancellation: stop);
        Assert.Equal(["a", "b"], page.InstanceIds);
        Assert.Equal("next", page.ContinuationToken);
        Assert.Equal([new WorkflowHistoryEvent(3, WorkflowHistoryEventType.TimerFired, DateTime.UnixEpoch.AddSeconds(1))], await client.GetInstanceHistoryAsync("i", stop));
        Assert.Equal("forked", await client.RerunWorkflowFromEventAsync("i", 3, new RerunWorkflowFromEventOptions { NewInstanceId = "j", Input = 1, OverwriteInput = true }, stop));
        Assert.Equal(
            new P.RerunWorkflowFromEventRequest { SourceInstanceID = "i", EventID = 3, NewInstanceID = "j", Input = "1", OverwriteInput = true },
            sidecar.Hub.Requests.Last());
    }

    [Fact]
    public void Every_kind_of_history_event_has_a_name()
    {
        var known = System.Enum.GetNames<P.HistoryEvent.EventTypeOneofCase>().Where(name => name != "None");
        Assert.Empty(known.Except(System.Enum.GetNames<WorkflowHistoryEventType>()));
    }

    [Fact]
    public async Task The_container_gives_the_client_and_the_worker_has_the_serializer_that_was_set()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await WorkerTests.StartAsync(sidecar.Address, services => services
            .AddDaprWorkflowBuilder(
                options => options.RegisterWorkflow<string, string>("Echo", (_, text) => Task.FromResult(text)),
                (_, client) => client.UseJsonSerializationOptions(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseUpper }),
                ServiceLifetime.Scoped)
            .WithSerializer(new Reversing())
            .WithGrpcMessageSizeLimits(1 << 20, 1 << 20));
        using var scope = host.Services.CreateScope();
        var client = scope.ServiceProvider.GetRequiredService<DaprWorkflowClient>();
        using var other = host.Services.CreateScope();
        Assert.NotSame(client, other.ServiceProvider.GetRequiredService<DaprWorkflowClient>());

        await client.ScheduleNewWorkflowAsync("Echo", "e", new { OrderId = 1 });
        Assert.Equal("{\"ORDER_ID\":1}", ((P.CreateInstanceRequest)sidecar.Hub.Requests.Single()).Input);
        sidecar.Hub.Send(WorkerTests.Turn("Echo", "cba"));
        Assert.Equal("cba", (await sidecar.Hub.TurnAsync()).Output());
    }

    [Fact]
    public async Task A_message_above_the_limit_is_refused()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await WorkerTests.StartAsync(sidecar.Address, services => services.AddDaprWorkflowBuilder(null).WithGrpcMessageSizeLimits(maxSendMessageSize: 100));
        var client = host.Services.GetRequiredService<DaprWorkflowClient>();

        var failure = await Assert.ThrowsAsync<RpcException>(() => client.ScheduleNewWorkflowAsync("W", "i", new string('x', 200)));
        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
    }

    private static DaprWorkflowClient Client(StandInSidecar sidecar) =>
        new DaprWorkflowClientBuilder().UseGrpcEndpoint(sidecar.Address).Build();

    private sealed class Reversing : IDaprSerializer
    {
        public string Serialize(object? value, System.Type? inputType = null) => new([.. ((string?)value ?? "").Reverse()]);

        public T? Deserialize<T>(string? data) => (T?)Deserialize(data, typeof(T));

        public object? Deserialize(string? data, System.Type returnType) => new string([.. (data ?? "").Reverse()]);
    }
}
