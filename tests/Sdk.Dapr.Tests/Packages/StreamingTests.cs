using System.Text;
using Dapr;
using Dapr.Messaging.PublishSubscribe;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Wire = Dapr.Proto.Runtime.V1;
using WireStatus = Dapr.Proto.Runtime.V1.TopicEventResponse.Types.TopicEventResponseStatus;

namespace DaprPlatform.Sdk.Tests.Packages;

public sealed class StreamingTests : SidecarTest
{
    static readonly DaprSubscriptionOptions Options = new(new MessageHandlingPolicy(TimeSpan.FromSeconds(30), TopicResponseAction.Retry));

    DaprPublishSubscribeClient PubSub() => new DaprPublishSubscribeClientBuilder().UseGrpcEndpoint(Sidecar.GrpcEndpoint).Build();

    ValueTask Accept() => Sidecar.ToSend.Writer.WriteAsync(new Wire.SubscribeTopicEventsResponseAlpha1 { InitialResponse = new() });

    ValueTask Deliver(string id, string data = "{}") => Sidecar.ToSend.Writer.WriteAsync(new Wire.SubscribeTopicEventsResponseAlpha1
    {
        EventMessage = new Wire.TopicEventRequest
        {
            Id = id, Source = "s", Type = "t", SpecVersion = "1.0", DataContentType = "application/json", Topic = "orders", PubsubName = "pubsub", Path = "/p", Data = ByteString.CopyFromUtf8(data),
            Extensions = new Struct { Fields = { ["traceid"] = Value.ForString("x") } },
        },
    });

    async Task<(string Id, WireStatus Status)> Verdict()
    {
        var processed = (await Sidecar.Next<Wire.SubscribeTopicEventsRequestAlpha1>()).EventProcessed;
        return (processed.Id, processed.Status.Status);
    }

    [Fact]
    public async Task A_subscription_says_what_it_wants_first()
    {
        using var pubsub = PubSub();
        await Accept();
        await using var subscription = await pubsub.SubscribeAsync(
            "pubsub", "orders", Options with { DeadLetterTopic = "dead", Metadata = new Dictionary<string, string> { ["rawPayload"] = "true" } }, (_, _) => Task.FromResult(TopicResponseAction.Success));
        Assert.Equal(
            """{ "initialRequest": { "pubsubName": "pubsub", "topic": "orders", "metadata": { "rawPayload": "true" }, "deadLetterTopic": "dead" } }""",
            (await Sidecar.Next<Wire.SubscribeTopicEventsRequestAlpha1>()).ToString());
        Sidecar.ToSend.Writer.Complete();
    }

    [Fact]
    public async Task Messages_are_handled_one_after_the_other_and_answered_by_id()
    {
        using var pubsub = PubSub();
        await Accept();
        await Deliver("1", """{"a":1}""");
        await Deliver("2");
        await Deliver("3");
        var running = 0;
        List<TopicMessage> seen = [];
        await using var subscription = await pubsub.SubscribeAsync("pubsub", "orders", Options with { MaximumQueuedMessages = 1 }, async (message, _) =>
        {
            Assert.Equal(1, Interlocked.Increment(ref running));
            await Task.Yield();
            seen.Add(message);
            Interlocked.Decrement(ref running);
            return message.Id switch { "1" => TopicResponseAction.Success, "2" => TopicResponseAction.Retry, _ => TopicResponseAction.Drop };
        });
        Assert.Equal("", (await Sidecar.Next<Wire.SubscribeTopicEventsRequestAlpha1>()).InitialRequest.DeadLetterTopic);
        Assert.Equal(("1", WireStatus.Success), await Verdict());
        Assert.Equal(("2", WireStatus.Retry), await Verdict());
        Assert.Equal(("3", WireStatus.Drop), await Verdict());
        Assert.Equal(("pubsub", "orders", "/p", """{"a":1}""", "x"), (seen[0].PubSubName, seen[0].Topic, seen[0].Path, Encoding.UTF8.GetString(seen[0].Data.Span), seen[0].Extensions["traceid"].StringValue));
        Sidecar.ToSend.Writer.Complete();
    }

    [Fact]
    public async Task A_handler_that_takes_too_long_is_answered_for()
    {
        using var pubsub = PubSub();
        await Accept();
        await Deliver("1");
        await using var subscription = await pubsub.SubscribeAsync(
            "pubsub", "orders", new DaprSubscriptionOptions(new MessageHandlingPolicy(TimeSpan.FromMilliseconds(20), TopicResponseAction.Drop)), async (_, token) =>
            {
                await Task.Delay(Timeout.Infinite, token);
                return TopicResponseAction.Success;
            });
        await Sidecar.Next<Wire.SubscribeTopicEventsRequestAlpha1>();
        Assert.Equal(("1", WireStatus.Drop), await Verdict());
        Sidecar.ToSend.Writer.Complete();
    }

    [Fact]
    public async Task A_handler_that_throws_ends_the_subscription_and_the_app_is_told()
    {
        using var pubsub = PubSub();
        await Accept();
        await Deliver("1");
        var told = new TaskCompletionSource<DaprException>();
        await using var subscription = await pubsub.SubscribeAsync("pubsub", "orders", Options with { ErrorHandler = told.SetResult }, (_, _) => throw new InvalidOperationException("boom"));
        Assert.Equal("boom", (await told.Task.WaitAsync(Token)).InnerException!.Message);
    }

    [Fact]
    public async Task A_refused_subscription_is_a_DaprException()
    {
        using var pubsub = PubSub();
        Sidecar.ToSend.Writer.Complete(new Grpc.Core.RpcException(new Grpc.Core.Status(Grpc.Core.StatusCode.NotFound, "no pubsub")));
        var e = await Assert.ThrowsAsync<DaprException>(() => pubsub.SubscribeAsync("none", "orders", Options, (_, _) => Task.FromResult(TopicResponseAction.Success)));
        Assert.Equal(Grpc.Core.StatusCode.NotFound, Assert.IsType<Grpc.Core.RpcException>(e.InnerException).StatusCode);
    }

    [Fact]
    public async Task A_connection_that_is_lost_is_told()
    {
        using var pubsub = PubSub();
        await Accept();
        var told = new TaskCompletionSource<DaprException>();
        await using var subscription = await pubsub.SubscribeAsync("pubsub", "orders", Options with { ErrorHandler = told.SetResult }, (_, _) => Task.FromResult(TopicResponseAction.Success));
        Sidecar.ToSend.Writer.Complete(new Grpc.Core.RpcException(new Grpc.Core.Status(Grpc.Core.StatusCode.Unavailable, "gone")));
        Assert.IsType<Grpc.Core.RpcException>((await told.Task.WaitAsync(Token)).InnerException);
    }

    [Fact]
    public async Task Disposing_waits_for_the_message_under_way_and_its_verdict_arrives()
    {
        using var pubsub = PubSub();
        await Accept();
        await Deliver("1");
        await Deliver("2");
        var (entered, leave) = (new TaskCompletionSource(), new TaskCompletionSource());
        var handled = 0;
        var subscription = await pubsub.SubscribeAsync("pubsub", "orders", Options, async (_, _) =>
        {
            handled++;
            entered.TrySetResult();
            await leave.Task;
            return TopicResponseAction.Success;
        });
        await Sidecar.Next<Wire.SubscribeTopicEventsRequestAlpha1>();
        await entered.Task.WaitAsync(Token);

        var disposed = subscription.DisposeAsync().AsTask();
        Assert.False(disposed.IsCompleted);
        leave.SetResult();

        Assert.Equal(("1", WireStatus.Success), await Verdict());
        await Sidecar.Next<Empty>();
        Sidecar.ToSend.Writer.Complete();
        await disposed;
        Assert.Equal(1, handled);
    }
}
