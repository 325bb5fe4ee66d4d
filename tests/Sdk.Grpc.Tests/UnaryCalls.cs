using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class UnaryCalls
{
    [Fact]
    public async Task A_response_comes_back_with_an_ok_status_and_no_trailers()
    {
        await using var server = await TestServer.StartAsync();
        using var call = server.Client.SayAsync(new Ping { Text = "hi" });

        var pong = await call;

        Assert.Equal("hi", pong.Text);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.Empty(call.GetTrailers());
    }

    [Fact]
    public async Task A_blocking_call_returns_the_response()
    {
        await using var server = await TestServer.StartAsync();

        Assert.Equal("hi", server.Client.Say(new Ping { Text = "hi" }).Text);
    }

    [Fact]
    public async Task An_empty_message_is_a_message()
    {
        await using var server = await TestServer.StartAsync();

        Assert.Equal(new Pong(), await server.Client.SayAsync(new Ping()));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4090)]
    [InlineData(4096)]
    [InlineData(70_000)]
    [InlineData(3_900_000)]
    public async Task A_message_of_any_size_comes_back_unchanged(int size)
    {
        await using var server = await TestServer.StartAsync();
        var data = new byte[size];
        new Random(size).NextBytes(data);

        var pong = await server.Client.SayAsync(new Ping { Data = ByteString.CopyFrom(data) });

        Assert.True(pong.Data.Span.SequenceEqual(data));
    }

    [Fact]
    public async Task Many_calls_at_once_keep_their_responses_apart()
    {
        await using var server = await TestServer.StartAsync();
        var client = server.Client;

        var texts = await Task.WhenAll(Enumerable.Range(0, 500).Select(async i => (await client.SayAsync(new Ping { Text = $"{i}", Data = ByteString.CopyFrom(new byte[i * 7]) })).Text));

        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"{i}"), texts);
    }

    [Fact]
    public async Task The_handler_sees_method_host_and_peer()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = $"{context.Method} {context.Host} {context.Peer} {context.AuthContext.IsPeerAuthenticated} {context.GetHttpContext().Request.Protocol}" });

        var seen = (await server.Client.SayAsync(new Ping())).Text.Split(' ');

        Assert.Equal("/sdk.tests.Echo/Say", seen[0]);
        Assert.Equal(server.Address.Authority, seen[1]);
        Assert.StartsWith("ipv4:127.0.0.1:", seen[2]);
        Assert.Equal(["False", "HTTP/2"], seen[3..]);
    }

    [Fact]
    public async Task A_client_with_another_host_asks_for_that_host()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = context.Host });

        Assert.Equal("elsewhere:1", (await server.Client.WithHost("elsewhere:1").SayAsync(new Ping())).Text);
    }

    [Fact]
    public async Task A_given_http_client_is_used_and_left_alone()
    {
        await using var server = await TestServer.StartAsync();
        using var http = RawCall.Client(server.Address);
        using (var channel = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions { HttpClient = http }))
            Assert.Equal("a", (await new Echo.EchoClient(channel).SayAsync(new Ping { Text = "a" })).Text);

        using var second = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions { HttpClient = http });
        Assert.Equal("b", (await new Echo.EchoClient(second).SayAsync(new Ping { Text = "b" })).Text);
    }

    [Fact]
    public void An_address_that_is_not_http_is_refused()
    {
        Assert.Throws<InvalidOperationException>(() => GrpcChannel.ForAddress("ftp://localhost"));
    }

    [Fact]
    public void Credentials_that_do_not_fit_the_scheme_are_refused()
    {
        Assert.Throws<InvalidOperationException>(() => GrpcChannel.ForAddress("https://localhost", new GrpcChannelOptions { Credentials = ChannelCredentials.Insecure }));
        Assert.Throws<InvalidOperationException>(() => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { Credentials = ChannelCredentials.SecureSsl }));
        Assert.Throws<ArgumentException>(() => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpClient = new HttpClient(), HttpHandler = new SocketsHttpHandler() }));
    }

    [Fact]
    public async Task A_disposed_channel_makes_no_calls()
    {
        await using var server = await TestServer.StartAsync();
        var channel = server.Channel();
        var client = new Echo.EchoClient(channel);
        channel.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.SayAsync(new Ping()).ResponseAsync);
        Assert.Throws<ObjectDisposedException>(channel.CreateCallInvoker);
    }
}
