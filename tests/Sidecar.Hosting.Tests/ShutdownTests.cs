using System.Net;
using Dapr.Proto.Runtime.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class ShutdownTests
{
    private static readonly string PubSub = RunningSidecar.Component("p", "pubsub.in-memory");
    private static readonly string Subscription = "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: s\nspec:\n  pubsubname: p\n  topic: t\n  routes:\n    default: /t\n";

    [Fact]
    public async Task A_blocked_shutdown_ends_when_the_app_becomes_unhealthy_and_not_because_it_once_was()
    {
        var status = StatusCodes.Status200OK;
        await using var app = (await StandInApp.StartAsync()).On("/hello");
        app.Answers["/healthz"] = context => Answer(context, status);
        await using var sidecar = await RunningSidecar.StartAsync([], app.Port, change: Probing);
        Task InvokedAsync(HttpStatusCode expected) => RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("GET", "/v1.0/invoke/hosted/method/hello")).Status == expected, $"invocation is answered {expected}");
        await InvokedAsync(HttpStatusCode.OK);
        status = StatusCodes.Status500InternalServerError;
        await InvokedAsync(HttpStatusCode.InternalServerError);
        status = StatusCodes.Status200OK;
        await InvokedAsync(HttpStatusCode.OK);

        var blocked = sidecar.Sidecar.BlockShutdownAsync(default);

        var probes = app.Calls.Count;
        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Count >= probes + 5), "the app is probed on");
        Assert.False(blocked.IsCompleted);
        status = StatusCodes.Status500InternalServerError;
        await blocked.WaitAsync(RunningSidecar.Patience);
    }

    [Fact]
    public async Task A_delivery_under_way_holds_up_neither_the_end_of_a_blocked_shutdown_nor_is_it_cut_off()
    {
        var (status, over) = (StatusCodes.Status200OK, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await using var app = await StandInApp.StartAsync();
        app.Answers["/healthz"] = context => Answer(context, status);
        app.Answers["/t"] = _ => over.Task;
        await using var sidecar = await RunningSidecar.StartAsync([PubSub, Subscription], app.Port, change: Probing);
        await RunningSidecar.UntilAsync(async () =>
        {
            await sidecar.SendAsync("POST", "/v1.0/publish/p/t", "1");
            return app.Calls.Contains("POST /t");
        }, "a message is being delivered");

        var blocked = sidecar.Sidecar.BlockShutdownAsync(default);
        status = StatusCodes.Status500InternalServerError;
        await blocked.WaitAsync(RunningSidecar.Patience);
        var stopped = sidecar.Sidecar.StopAsync();
        await RunningSidecar.UntilAsync(() => Task.FromResult(sidecar.Sidecar.Runtime.Stopping.IsCancellationRequested), "the sidecar stops");
        Assert.False(stopped.IsCompleted);
        over.SetResult();

        Assert.True(await stopped.WaitAsync(RunningSidecar.Patience));
        Assert.Contains("process_status=\"success\"", Ingress(sidecar), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_still_gives_its_verdicts_when_the_sidecar_has_begun_to_stop()
    {
        await using var sidecar = await RunningSidecar.StartAsync([PubSub], change: o => o with { GracefulShutdown = RunningSidecar.Patience });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{sidecar.Sidecar.Options.GrpcPort}");
        using var stream = await SubscribeAsync(channel);
        Assert.Equal(HttpStatusCode.NoContent, (await sidecar.SendAsync("POST", "/v1.0/publish/p/t", "1")).Status);
        Assert.True(await stream.ResponseStream.MoveNext(default).WaitAsync(RunningSidecar.Patience));
        var id = stream.ResponseStream.Current.EventMessage.Id;

        var stopped = sidecar.Sidecar.StopAsync();
        await RunningSidecar.UntilAsync(() => Task.FromResult(sidecar.Sidecar.Runtime.Stopping.IsCancellationRequested), "the sidecar stops");
        await stream.RequestStream.WriteAsync(new SubscribeTopicEventsRequestAlpha1
        {
            EventProcessed = new SubscribeTopicEventsRequestProcessedAlpha1 { Id = id, Status = new TopicEventResponse { Status = TopicEventResponse.Types.TopicEventResponseStatus.Success } },
        });

        Assert.False(await stream.ResponseStream.MoveNext(default).WaitAsync(RunningSidecar.Patience));
        Assert.True(await stopped.WaitAsync(RunningSidecar.Patience));
        Assert.Contains("process_status=\"success\"", Ingress(sidecar), StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_stream_begins_while_a_shutdown_is_blocked()
    {
        await using var sidecar = await RunningSidecar.StartAsync([PubSub], change: o => o with { BlockShutdown = TimeSpan.FromHours(1) });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{sidecar.Sidecar.Options.GrpcPort}");
        using var early = await SubscribeAsync(channel);
        using var end = new CancellationTokenSource();
        var blocked = sidecar.Sidecar.BlockShutdownAsync(end.Token);

        await RunningSidecar.UntilAsync(async () =>
        {
            try
            {
                (await SubscribeAsync(channel)).Dispose();
                return false;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unknown)
            {
                return true;
            }
        }, "a stream is refused");

        Assert.False(blocked.IsCompleted);
        Assert.Equal(HttpStatusCode.NoContent, (await sidecar.SendAsync("POST", "/v1.0/publish/p/t", "1")).Status);
        await end.CancelAsync();
        await blocked.WaitAsync(RunningSidecar.Patience);
        Assert.True(await sidecar.Sidecar.StopAsync().WaitAsync(RunningSidecar.Patience));
        Assert.False(await early.ResponseStream.MoveNext(default).WaitAsync(RunningSidecar.Patience));
    }

    [Fact]
    public async Task A_message_whose_attempts_a_shutdown_cuts_short_is_no_dead_letter_but_comes_again()
    {
        var broker = RunningSidecar.Component("p", "pubsub.redis", ("redisHost", "localhost:6379"));
        var subscription = Subscription + "  deadLetterTopic: dead\n";
        var deadLetters = Subscription.Replace("topic: t", "topic: dead", StringComparison.Ordinal).Replace("/t", "/dead", StringComparison.Ordinal).Replace("name: s", "name: d", StringComparison.Ordinal);
        var patient = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: r\nspec:\n  policies:\n    retries:\n      long:\n        policy: constant\n        duration: 1h\n  targets:\n    components:\n      p:\n        inbound:\n          retry: long\n";
        await using var app = (await StandInApp.StartAsync()).On("/dead");
        app.Answers["/t"] = context => Answer(context, StatusCodes.Status500InternalServerError);
        await using var outer = await RunningSidecar.StartAsync([]);
        await using (var first = await RunningSidecar.StartAsync([broker, subscription, deadLetters, patient], app.Port, beside: outer))
        {
            Assert.Equal(HttpStatusCode.NoContent, (await first.SendAsync("POST", "/v1.0/publish/p/t", "1")).Status);
            await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Contains("POST /t")), "the message was tried");
            Assert.True(await first.Sidecar.StopAsync().WaitAsync(RunningSidecar.Patience));
        }

        app.On("/t");
        var tried = app.Calls.Count(c => c == "POST /t");
        await using var second = await RunningSidecar.StartAsync([broker, subscription, deadLetters, patient], app.Port, beside: outer);
        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Count(c => c == "POST /t") > tried), "the message comes again");
        Assert.DoesNotContain("POST /dead", app.Calls);
    }

    private static SidecarOptions Probing(SidecarOptions options) => options with
    {
        EnableAppHealthCheck = true, AppHealthProbeInterval = TimeSpan.FromMilliseconds(50), AppHealthProbeTimeout = RunningSidecar.Patience, AppHealthThreshold = 1, BlockShutdown = TimeSpan.FromHours(1),
        GracefulShutdown = RunningSidecar.Patience,
    };

    private static async Task<AsyncDuplexStreamingCall<SubscribeTopicEventsRequestAlpha1, SubscribeTopicEventsResponseAlpha1>> SubscribeAsync(GrpcChannel channel)
    {
        var stream = new Dapr.Proto.Runtime.V1.Dapr.DaprClient(channel).SubscribeTopicEventsAlpha1();
        await stream.RequestStream.WriteAsync(new SubscribeTopicEventsRequestAlpha1 { InitialRequest = new SubscribeTopicEventsRequestInitialAlpha1 { PubsubName = "p", Topic = "t" } });
        Assert.True(await stream.ResponseStream.MoveNext(default).WaitAsync(RunningSidecar.Patience));
        Assert.NotNull(stream.ResponseStream.Current.InitialResponse);
        return stream;
    }

    private static string Ingress(RunningSidecar sidecar) =>
        Assert.Single(sidecar.Sidecar.Runtime.Metrics.Registry.Text().Split('\n'), l => l.StartsWith("dapr_component_pubsub_ingress_count{", StringComparison.Ordinal));

    private static Task Answer(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }
}
