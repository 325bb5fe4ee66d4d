using Google.Protobuf;
using Grpc.Core;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class Limits
{
    const string Received = "Received message exceeds the maximum configured message size.";
    const string Sent = "Sending message exceeds the maximum configured message size.";

    [Fact]
    public async Task A_request_beyond_the_servers_limit_is_refused_and_one_within_is_not()
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.MaxReceiveMessageSize = 100);

        Assert.Equal((StatusCode.ResourceExhausted, Received), await StatusOfCalls.FailureOf(server.Client.SayAsync(Ping(101))));
        Assert.Equal(100, (await server.Client.SayAsync(Ping(100))).CalculateSize());
    }

    [Fact]
    public async Task The_servers_default_limit_is_four_mebibytes()
    {
        await using var server = await TestServer.StartAsync();
        var client = new Echo.EchoClient(server.Channel(options => options.MaxReceiveMessageSize = null));

        Assert.Equal(4 << 20, (await client.SayAsync(Ping(4 << 20))).CalculateSize());
        Assert.Equal(StatusCode.ResourceExhausted, (await StatusOfCalls.FailureOf(client.SayAsync(Ping((4 << 20) + 1)))).Item1);
    }

    [Fact]
    public async Task A_request_in_a_stream_beyond_the_limit_ends_the_call()
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.MaxReceiveMessageSize = 100);
        using var call = server.Client.Chat();
        await call.RequestStream.WriteAsync(Ping(100));
        Assert.True(await call.ResponseStream.MoveNext());
        await call.RequestStream.WriteAsync(Ping(101));

        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal((StatusCode.ResourceExhausted, Received), (failure.StatusCode, failure.Status.Detail));
    }

    [Fact]
    public async Task A_response_beyond_the_servers_limit_is_not_sent()
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.MaxSendMessageSize = 100);
        server.Echo.OnSay = (_, context) =>
        {
            context.ResponseTrailers.Add("x-kept", "1");
            return Task.FromResult(new Pong { Data = ByteString.CopyFrom(new byte[200]) });
        };
        server.Echo.OnRepeat = async (_, pongs, _) =>
        {
            await pongs.WriteAsync(new Pong { Text = "small" });
            await pongs.WriteAsync(new Pong { Data = ByteString.CopyFrom(new byte[200]) });
        };
        using var call = server.Client.SayAsync(new Ping());
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.Equal((StatusCode.ResourceExhausted, Sent, "1"), (failure.StatusCode, failure.Status.Detail, failure.Trailers.GetValue("x-kept")));

        using var streaming = server.Client.Repeat(new Ping());
        Assert.True(await streaming.ResponseStream.MoveNext());
        Assert.Equal(Sent, (await Assert.ThrowsAsync<RpcException>(() => streaming.ResponseStream.MoveNext())).Status.Detail);
    }

    [Fact]
    public async Task A_request_beyond_the_clients_limit_is_not_sent()
    {
        await using var server = await TestServer.StartAsync();
        var client = new Echo.EchoClient(server.Channel(options => options.MaxSendMessageSize = 100));

        Assert.Equal(Sent, Assert.Throws<RpcException>(() => client.SayAsync(Ping(101))).Status.Detail);
        using var call = client.Collect();
        Assert.Equal(Sent, (await Assert.ThrowsAsync<RpcException>(() => call.RequestStream.WriteAsync(Ping(101)))).Status.Detail);
        Assert.Equal(StatusCode.ResourceExhausted, (await Assert.ThrowsAsync<RpcException>(async () => await call)).StatusCode);
    }

    [Fact]
    public async Task A_response_beyond_the_clients_limit_fails_the_call()
    {
        await using var server = await TestServer.StartAsync();
        var client = new Echo.EchoClient(server.Channel(options => options.MaxReceiveMessageSize = 100));

        Assert.Equal((StatusCode.ResourceExhausted, Received), await StatusOfCalls.FailureOf(client.SayAsync(Ping(101))));
        using var call = client.Repeat(new Ping { Count = 3, Data = ByteString.CopyFrom(new byte[200]) });
        Assert.Equal(StatusCode.ResourceExhausted, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext())).StatusCode);
        Assert.Equal(100, (await client.SayAsync(Ping(100))).CalculateSize());
    }

    [Fact]
    public async Task Without_limits_a_message_may_be_larger_than_the_servers_body_limit()
    {
        await using var server = await TestServer.StartAsync(grpc => grpc.MaxReceiveMessageSize = null);
        var client = new Echo.EchoClient(server.Channel(options => options.MaxReceiveMessageSize = null));

        Assert.Equal(40_000_000, (await client.SayAsync(Ping(40_000_000))).CalculateSize());
    }

    [Fact]
    public async Task A_stream_may_be_longer_than_the_servers_body_limit()
    {
        await using var server = await TestServer.StartAsync();
        using var call = server.Client.Collect();
        var ping = Ping(1_000_000);
        for (var i = 0; i < 35; i++)
            await call.RequestStream.WriteAsync(ping);
        await call.RequestStream.CompleteAsync();

        Assert.Equal(35, (await call).Count);
    }

    /// <summary>A message whose serialized size is this many bytes, at least some ten.</summary>
    static Ping Ping(int size)
    {
        var ping = new Ping { Data = ByteString.CopyFrom(new byte[size - 8]) };
        ping.Data = ByteString.CopyFrom(new byte[size - (ping.CalculateSize() - ping.Data.Length)]);
        Assert.Equal(size, ping.CalculateSize());
        return ping;
    }
}
