using System.Net;
using System.Net.Sockets;
using Dapr.Workflow;
using Dapr.Workflow.Worker;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using P = Dapr.DurableTask.Protobuf;

namespace Sdk.Workflow.Tests;

public class WorkerTests
{
    [Fact]
    public async Task A_turn_is_answered_with_its_token()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await StartWorkerAsync(sidecar.Address, options =>
            options.RegisterWorkflow<string, string>("Upper", (_, text) => Task.FromResult(text.ToUpperInvariant())));

        sidecar.Hub.Send(Turn("Upper", "\"abc\""));
        var answer = await sidecar.Hub.TurnAsync();
        Assert.Equal(("i1", "t1", "\"ABC\""), (answer.InstanceId, answer.CompletionToken, answer.Output()));
    }

    [Fact]
    public async Task Activities_run_at_the_same_time_and_block_no_turn()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var both = new Barrier(2);
        var release = new TaskCompletionSource();
        using var host = await StartWorkerAsync(sidecar.Address, options =>
        {
            options.RegisterWorkflow<object?, object?>("Nothing", (_, input) => Task.FromResult(input));
            options.RegisterActivity<int, int>("Meet", async (_, number) =>
            {
                await Task.Run(() => both.SignalAndWait(TestContext.Current.CancellationToken));
                await release.Task;
                return number * 2;
            });
        });

        sidecar.Hub.Send(Activity("Meet", "1", id: 1));
        sidecar.Hub.Send(Activity("Meet", "2", id: 2));
        sidecar.Hub.Send(Turn("Nothing", ""));
        Assert.Equal("", (await sidecar.Hub.TurnAsync()).Output());
        release.SetResult();
        var answers = new[] { await sidecar.Hub.ActivityAsync(), await sidecar.Hub.ActivityAsync() };
        Assert.Equal(["1=2", "2=4"], answers.Select(answer => $"{answer.TaskId}={answer.Result}").Order());
    }

    [Fact]
    public async Task More_activities_than_there_are_places_wait_without_blocking_turns()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        var release = new TaskCompletionSource();
        var started = 0;
        var full = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var host = await StartWorkerAsync(sidecar.Address, options =>
        {
            options.RegisterWorkflow<object?, object?>("Nothing", (_, input) => Task.FromResult(input));
            options.RegisterActivity<object?, object?>("Hold", async (_, input) =>
            {
                if (Interlocked.Increment(ref started) == 100)
                    full.SetResult();
                await release.Task;
                return input;
            });
        });

        for (var i = 0; i < 101; i++)
            sidecar.Hub.Send(Activity("Hold", "", id: i));
        await full.Task.WaitAsync(TestContext.Current.CancellationToken);
        sidecar.Hub.Send(Turn("Nothing", ""));
        await sidecar.Hub.TurnAsync();
        Assert.Equal(100, started);
        release.SetResult();
        for (var i = 0; i < 101; i++)
            await sidecar.Hub.ActivityAsync();
        Assert.Equal(101, started);
    }

    [Fact]
    public async Task An_activity_knows_its_execution_and_its_services()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await StartWorkerAsync(sidecar.Address, options => options.RegisterActivity<Describe>(), services => services.AddScoped<Disposal>());

        sidecar.Hub.Send(Activity("describe", "\"x\"", id: 5, executionId: "e5"));
        Assert.Equal("\"describe i1 e5 x\"", (await sidecar.Hub.ActivityAsync()).Result);
        sidecar.Hub.Send(Activity("describe", "\"x\"", id: 6));
        Assert.Equal("\"describe i1 6 x\"", (await sidecar.Hub.ActivityAsync()).Result);
        Assert.Equal(2, Disposal.Count);
    }

    [Fact]
    public async Task What_an_activity_throws_is_its_answer_and_so_is_an_unknown_name()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await StartWorkerAsync(sidecar.Address, options =>
            options.RegisterActivity<object?, object?>("Break", (_, _) => throw new InvalidOperationException("broken")));

        sidecar.Hub.Send(Activity("Break", ""));
        var answer = await sidecar.Hub.ActivityAsync();
        Assert.Equal(("System.InvalidOperationException", "broken"), (answer.FailureDetails.ErrorType, answer.FailureDetails.ErrorMessage));
        Assert.Contains(nameof(WorkerTests), answer.FailureDetails.StackTrace);
        sidecar.Hub.Send(Activity("Ghost", ""));
        answer = await sidecar.Hub.ActivityAsync();
        Assert.Equal(("ActivityNotFoundException", "Activity 'Ghost' not found", "t1"), (answer.FailureDetails.ErrorType, answer.FailureDetails.ErrorMessage, answer.CompletionToken));
    }

    [Fact]
    public async Task A_null_result_is_an_empty_text()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await StartWorkerAsync(sidecar.Address, options => options.RegisterActivity<string?, string?>("Echo", (_, text) => Task.FromResult(text)));

        sidecar.Hub.Send(Activity("Echo", ""));
        Assert.Equal("", (await sidecar.Hub.ActivityAsync()).Result);
    }

    [Fact]
    public async Task An_activity_that_is_handed_out_again_while_it_runs_or_its_answer_is_on_its_way_does_not_run_twice()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        var (begun, release) = (0, new TaskCompletionSource());
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var host = await StartWorkerAsync(sidecar.Address, options => options.RegisterActivity<string, string>("Pay", async (_, text) =>
        {
            Interlocked.Increment(ref begun);
            running.TrySetResult();
            await release.Task;
            return text;
        }));

        sidecar.Hub.Send(Activity("Pay", "\"once\"", id: 1, executionId: "e1"));
        await running.Task.WaitAsync(TestContext.Current.CancellationToken);
        sidecar.Hub.DropStreams();
        sidecar.Hub.Send(Activity("Pay", "\"once\"", id: 1, executionId: "e1"));
        // Another execution of the same instance is another activity.
        sidecar.Hub.Send(Activity("Pay", "\"other\"", id: 1, executionId: "e2"));
        Assert.Equal(1, await sidecar.Hub.ConnectionAsync());
        Assert.Equal(2, await sidecar.Hub.ConnectionAsync());
        release.SetResult();
        var answers = new List<string>();
        for (var i = 0; i < 3; i++)
            answers.Add((await sidecar.Hub.ActivityAsync()).Result);
        Assert.Equal(["\"once\"", "\"once\"", "\"other\""], answers.Order());
        Assert.Equal(2, begun);

        // Once the worker knows that its answer has arrived it is forgotten: the sidecar knows why it asks.
        string again;
        do
        {
            sidecar.Hub.Send(Activity("Pay", "\"again\"", id: 1, executionId: "e1"));
            again = (await sidecar.Hub.ActivityAsync()).Result;
        }
        while (again == "\"once\"");
        Assert.Equal("\"again\"", again);
        Assert.Equal(3, begun);
    }

    [Fact]
    public async Task A_lost_stream_is_opened_again_after_a_short_pause()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        var time = new ManualTime();
        using var host = await StartWorkerAsync(sidecar.Address, Nothing, services => services.AddSingleton<TimeProvider>(time));
        Assert.Equal(1, await sidecar.Hub.ConnectionAsync());

        sidecar.Hub.DropStreams();
        await time.WaitedForAsync(TimeSpan.FromMilliseconds(100));
        time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(2, await sidecar.Hub.ConnectionAsync());
        sidecar.Hub.Send(Turn("Nothing", "1"));
        Assert.Equal("1", (await sidecar.Hub.TurnAsync()).Output());
    }

    [Fact]
    public async Task A_sidecar_that_starts_late_is_found()
    {
        var port = FreePort();
        var time = new ManualTime();
        using var host = await StartWorkerAsync($"http://127.0.0.1:{port}", Nothing, services => services.AddSingleton<TimeProvider>(time));
        foreach (var pause in (int[])[100, 200, 400])
        {
            await time.WaitedForAsync(TimeSpan.FromMilliseconds(pause));
            if (pause < 400)
                time.Advance(TimeSpan.FromMilliseconds(pause));
        }

        await using var sidecar = await StandInSidecar.StartAsync(port);
        time.Advance(TimeSpan.FromMilliseconds(400));
        await sidecar.Hub.ConnectionAsync();
    }

    [Fact]
    public void Pauses_between_attempts_double_up_to_five_seconds()
    {
        var delay = new ReconnectDelay();
        Assert.Equal([100, 200, 400, 800, 1600, 3200, 5000, 5000], Enumerable.Range(0, 8).Select(_ => delay.Next().TotalMilliseconds));
        delay.Reset();
        Assert.Equal(100, delay.Next().TotalMilliseconds);
    }

    [Fact]
    public async Task A_connected_worker_says_hello_every_thirty_seconds()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        var time = new ManualTime();
        using var host = await StartWorkerAsync(
            sidecar.Address,
            Nothing,
            services => services.AddSingleton<TimeProvider>(time),
            configuration: [new("DAPR_API_TOKEN", "secret")]);
        await sidecar.Hub.ConnectionAsync();
        Assert.Equal("secret", sidecar.Hub.LastHeaders!.GetValue("dapr-api-token"));
        for (var i = 0; i < 2; i++)
        {
            await time.WaitedForAsync(TimeSpan.FromSeconds(30));
            time.Advance(TimeSpan.FromSeconds(30));
            Assert.Equal("secret", (await sidecar.Hub.HelloAsync()).GetValue("dapr-api-token"));
        }
    }

    [Fact]
    public async Task An_answer_is_sent_again_while_the_sidecar_is_away()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        sidecar.Hub.OnCompletion = count =>
        {
            if (count < 3)
                throw new RpcException(new Status(StatusCode.Unavailable, "restarting"));
        };
        using var host = await StartWorkerAsync(sidecar.Address, Nothing);

        sidecar.Hub.Send(Turn("Nothing", "1"));
        Assert.Equal("1", (await sidecar.Hub.TurnAsync()).Output());
        Assert.Equal(3, sidecar.Hub.Completions);
    }

    [Fact]
    public async Task An_answer_the_sidecar_refuses_is_dropped_and_the_worker_goes_on()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        sidecar.Hub.OnCompletion = count =>
        {
            if (count == 1)
                throw new RpcException(new Status(StatusCode.Internal, "no"));
        };
        using var host = await StartWorkerAsync(sidecar.Address, Nothing);

        sidecar.Hub.Send(Turn("Nothing", "1"));
        sidecar.Hub.Send(Turn("Nothing", "1"));
        await sidecar.Hub.TurnAsync();
        Assert.Equal(2, sidecar.Hub.Completions);
    }

    [Fact]
    public async Task An_item_of_an_unknown_kind_is_ignored()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await StartWorkerAsync(sidecar.Address, Nothing);

        sidecar.Hub.Send(new P.WorkItem { CompletionToken = "?" });
        sidecar.Hub.Send(Turn("Nothing", "1"));
        Assert.Equal("t1", (await sidecar.Hub.TurnAsync()).CompletionToken);
    }

    [Fact]
    public async Task A_history_that_is_not_in_the_item_is_fetched()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await StartWorkerAsync(sidecar.Address, options => options.RegisterWorkflow<string, string>("Subject", (context, text) => context.CallActivityAsync<string>("A", text)));
        var item = Turn("Subject", "\"in\"");
        sidecar.Hub.History.Events.AddRange(item.WorkflowRequest.NewEvents);
        sidecar.Hub.History.Events.Add(new P.HistoryEvent { EventId = 0, TaskScheduled = new() { Name = "A" } });
        item.WorkflowRequest.NewEvents.Clear();
        item.WorkflowRequest.NewEvents.Add(Instance.Completed(0, "\"out\""));
        item.WorkflowRequest.RequiresHistoryStreaming = true;

        sidecar.Hub.Send(item);
        Assert.Equal("\"out\"", (await sidecar.Hub.TurnAsync()).Output());
    }

    [Fact]
    public async Task A_stopping_worker_lets_what_is_under_way_finish()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var host = await StartWorkerAsync(sidecar.Address, options => options.RegisterActivity<object?, int>("Hold", async (_, _) =>
        {
            running.SetResult();
            await release.Task;
            return 7;
        }));
        sidecar.Hub.Send(Activity("Hold", ""));
        await running.Task.WaitAsync(TestContext.Current.CancellationToken);

        var stop = host.StopAsync(TestContext.Current.CancellationToken);
        Assert.False(stop.IsCompleted);
        release.SetResult();
        await stop;
        Assert.Equal("7", (await sidecar.Hub.ActivityAsync()).Result);
    }

    [Fact]
    public async Task Registrations_of_several_calls_come_together_and_the_first_of_a_name_wins()
    {
        await using var sidecar = await StandInSidecar.StartAsync();
        using var host = await StartWorkerAsync(
            sidecar.Address,
            options => options.RegisterActivity<object?, int>("One", (_, _) => Task.FromResult(1)),
            services => services.AddDaprWorkflow(options =>
            {
                options.RegisterActivity<object?, int>("ONE", (_, _) => Task.FromResult(-1));
                options.RegisterActivity<object?, int>("Two", (_, _) => Task.FromResult(2));
            }).AddDaprWorkflow());

        sidecar.Hub.Send(Activity("One", ""));
        Assert.Equal("1", (await sidecar.Hub.ActivityAsync()).Result);
        sidecar.Hub.Send(Activity("Two", ""));
        Assert.Equal("2", (await sidecar.Hub.ActivityAsync()).Result);
        Assert.Single(host.Services.GetServices<IHostedService>().OfType<WorkflowWorker>());
    }

    internal static Task<IHost> StartWorkerAsync(
        string address,
        Action<WorkflowRuntimeOptions> register,
        Action<IServiceCollection>? configure = null,
        KeyValuePair<string, string?>[]? configuration = null) =>
        StartAsync(address, services =>
        {
            services.AddDaprWorkflow(register);
            configure?.Invoke(services);
        }, configuration);

    internal static async Task<IHost> StartAsync(string address, Action<IServiceCollection> configure, KeyValuePair<string, string?>[]? configuration = null)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.Sources.Add(new Microsoft.Extensions.Configuration.Memory.MemoryConfigurationSource
        {
            InitialData = [new("DAPR_GRPC_ENDPOINT", address), .. configuration ?? []],
        });
        builder.Logging.ClearProviders();
        configure(builder.Services);
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }

    internal static P.WorkItem Turn(string workflow, string input)
    {
        var request = new P.WorkflowRequest { InstanceId = "i1" };
        request.NewEvents.Add(new P.HistoryEvent { EventId = -1, Timestamp = new Timestamp { Seconds = 1 }, WorkflowStarted = new() });
        request.NewEvents.Add(new P.HistoryEvent
        {
            EventId = -1,
            ExecutionStarted = new() { Name = workflow, Input = input, WorkflowInstance = new() { InstanceId = "i1", ExecutionId = Instance.DefaultExecutionId } },
        });
        return new P.WorkItem { WorkflowRequest = request, CompletionToken = "t1" };
    }

    private static P.WorkItem Activity(string name, string input, int id = 0, string executionId = "") => new()
    {
        ActivityRequest = new() { Name = name, Input = input, TaskId = id, TaskExecutionId = executionId, WorkflowInstance = new() { InstanceId = "i1" } },
        CompletionToken = "t1",
    };

    private static void Nothing(WorkflowRuntimeOptions options) => options.RegisterWorkflow<int, int>("Nothing", (_, input) => Task.FromResult(input));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class Disposal : IDisposable
    {
        private static int _count;

        public static int Count => _count;

        public void Dispose() => Interlocked.Increment(ref _count);
    }

    private sealed class Describe(Disposal disposal) : WorkflowActivity<string, string>
    {
        public override Task<string> RunAsync(WorkflowActivityContext context, string input)
        {
            Assert.NotNull(disposal);
            return Task.FromResult($"{context.Identifier} {context.InstanceId} {context.TaskExecutionKey} {input}");
        }
    }
}
