using Grpc.Core;
using Grpc.Net.Client;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class Cancellation
{
    readonly TaskCompletionSource _entered = new();
    readonly TaskCompletionSource _serverToken = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cancelled_token_ends_the_call_on_both_sides(bool asOperationCanceled)
    {
        await using var server = await StartAsync();
        using var source = new CancellationTokenSource();
        using var call = new Echo.EchoClient(server.Channel(options => options.ThrowOperationCanceledOnCancellation = asOperationCanceled)).SayAsync(new Ping(), cancellationToken: source.Token);
        await _entered.Task;

        await source.CancelAsync();

        if (asOperationCanceled)
        {
            var failure = await Assert.ThrowsAsync<OperationCanceledException>(async () => await call);
            Assert.Equal(source.Token, failure.CancellationToken);
        }
        else
        {
            Assert.Equal((StatusCode.Cancelled, "Call canceled by the client."), await StatusOfCalls.FailureOf(call));
        }

        await _serverToken.Task;
    }

    [Fact]
    public async Task A_token_that_is_cancelled_already_sends_nothing()
    {
        await using var server = await StartAsync();

        Assert.Equal(StatusCode.Cancelled, (await StatusOfCalls.FailureOf(server.Client.SayAsync(new Ping(), cancellationToken: new CancellationToken(true)))).Item1);
        Assert.False(_entered.Task.IsCompleted);
    }

    [Fact]
    public async Task Disposing_a_unary_call_cancels_it()
    {
        await using var server = await StartAsync();
        var call = server.Client.SayAsync(new Ping());
        await _entered.Task;

        call.Dispose();

        Assert.Equal((StatusCode.Cancelled, "gRPC call disposed."), await StatusOfCalls.FailureOf(call));
        await _serverToken.Task;
    }

    [Fact]
    public async Task Disposing_an_ended_call_changes_nothing()
    {
        await using var server = await TestServer.StartAsync();
        var call = server.Client.SayAsync(new Ping());
        await call;
        call.Dispose();

        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Disposing_the_channel_cancels_its_calls()
    {
        await using var server = await StartAsync();
        var handler = new SocketsHttpHandler();
        var channel = server.Channel(options => options.HttpHandler = handler);
        var call = new Echo.EchoClient(channel).SayAsync(new Ping());
        await _entered.Task;

        channel.Dispose();

        Assert.Equal(StatusCode.Cancelled, (await StatusOfCalls.FailureOf(call)).Item1);
        await _serverToken.Task;
    }

    [Fact]
    public async Task A_server_stream_is_cancelled_in_its_middle()
    {
        await using var server = await StartAsync();
        using var source = new CancellationTokenSource();
        using var call = server.Client.Repeat(new Ping(), cancellationToken: source.Token);
        Assert.True(await call.ResponseStream.MoveNext());
        var next = call.ResponseStream.MoveNext();

        await source.CancelAsync();

        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(() => next)).StatusCode);
        await _serverToken.Task;
    }

    [Fact]
    public async Task Disposing_a_stream_that_nobody_reads_tells_the_server()
    {
        await using var server = await StartAsync();
        var call = server.Client.Repeat(new Ping());
        Assert.True(await call.ResponseStream.MoveNext());

        call.Dispose();

        await _serverToken.Task;
        Assert.Equal(StatusCode.Cancelled, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Leaving_the_enumeration_by_its_token_cancels_the_call()
    {
        await using var server = await StartAsync();
        using var source = new CancellationTokenSource();
        using var call = new Echo.EchoClient(server.Channel(options => options.ThrowOperationCanceledOnCancellation = true)).Repeat(new Ping());

        await Assert.ThrowsAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in call.ResponseStream.ReadAllAsync(source.Token))
                await source.CancelAsync();
        });

        await _serverToken.Task;
    }

    [Fact]
    public async Task A_handler_that_reads_hears_of_the_cancellation()
    {
        var heard = new TaskCompletionSource<Exception>();
        await using var server = await TestServer.StartAsync();
        server.Echo.OnChat = async (pings, _, _) =>
        {
            try
            {
                await pings.MoveNext();
                _entered.SetResult();
                await pings.MoveNext();
            }
            catch (Exception e)
            {
                heard.SetResult(e);
                throw;
            }
        };
        var call = server.Client.Chat();
        await call.RequestStream.WriteAsync(new Ping());
        await _entered.Task;

        call.Dispose();

        Assert.IsAssignableFrom<OperationCanceledException>(await heard.Task);
    }

    [Fact]
    public async Task A_cancelled_call_never_looks_like_the_end_of_its_requests()
    {
        const int Calls = 300;
        var ended = 0;
        await using var server = await TestServer.StartAsync();
        server.Echo.OnChat = async (pings, pongs, _) =>
        {
            try
            {
                await pings.MoveNext();
                await pongs.WriteAsync(new Pong());
                if (!await pings.MoveNext())
                    Interlocked.Increment(ref ended);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                // What the handler is to hear.
            }
        };
        var client = server.Client;

        for (var i = 0; i < Calls; i++)
        {
            var call = client.Chat();
            await call.RequestStream.WriteAsync(new Ping());
            if (i % 2 == 0)
                await call.ResponseStream.MoveNext();
            call.Dispose();
        }

        // A call may be cancelled before its handler begins.
        await server.StopAsync();
        Assert.Equal(0, ended);
    }

    [Fact]
    public async Task A_handler_that_writes_hears_of_the_cancellation()
    {
        var heard = new TaskCompletionSource<Exception>();
        await using var server = await TestServer.StartAsync();
        server.Echo.OnRepeat = async (_, pongs, _) =>
        {
            try
            {
                while (true)
                    await pongs.WriteAsync(new Pong { Text = "more" });
            }
            catch (Exception e)
            {
                heard.SetResult(e);
                throw;
            }
        };
        var call = server.Client.Repeat(new Ping());
        await call.ResponseStream.MoveNext();

        call.Dispose();

        Assert.IsAssignableFrom<OperationCanceledException>(await heard.Task);
    }

    [Fact]
    public async Task Cancelling_a_write_cancels_the_call()
    {
        await using var server = await StartAsync();
        using var source = new CancellationTokenSource();
        using var call = server.Client.Chat();
        await call.RequestStream.WriteAsync(new Ping(), source.Token);
        await _entered.Task;
        await source.CancelAsync();

        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(() => call.RequestStream.WriteAsync(new Ping(), source.Token))).StatusCode);
        await _serverToken.Task;
    }

    [Fact]
    public async Task A_token_cancelled_by_the_server_itself_is_an_unhandled_exception()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, _) => throw new OperationCanceledException("own reasons");

        Assert.Equal(StatusCode.Unknown, (await StatusOfCalls.FailureOf(server.Client.SayAsync(new Ping()))).Item1);
    }

    [Fact]
    public async Task Other_calls_of_the_connection_go_on_when_one_is_cancelled()
    {
        await using var server = await StartAsync();
        var client = server.Client;
        server.Echo.OnChat = new EchoService().OnChat;
        using var chat = client.Chat();
        var call = client.SayAsync(new Ping());
        await _entered.Task;

        call.Dispose();
        await _serverToken.Task;
        server.Echo.OnSay = (_, _) => Task.FromResult(new Pong { Text = "fine" });

        Assert.Equal("fine", (await client.SayAsync(new Ping())).Text);
        await chat.RequestStream.WriteAsync(new Ping { Text = "too" });
        Assert.True(await chat.ResponseStream.MoveNext());
        Assert.Equal("too", chat.ResponseStream.Current.Text);
    }

    /// <summary>All methods say that they are entered, wait for their token, and say that it came.</summary>
    async Task<TestServer> StartAsync()
    {
        var server = await TestServer.StartAsync();
        server.Echo.OnSay = async (_, context) =>
        {
            await WaitAsync(context);
            return new Pong();
        };
        server.Echo.OnRepeat = async (_, pongs, context) =>
        {
            await pongs.WriteAsync(new Pong());
            await WaitAsync(context);
        };
        server.Echo.OnChat = (_, _, context) => WaitAsync(context);
        return server;
    }

    async Task WaitAsync(ServerCallContext context)
    {
        var stop = new TaskCompletionSource();
        using var registration = context.CancellationToken.Register(stop.SetResult);
        _entered.TrySetResult();
        await stop.Task;
        _serverToken.TrySetResult();
        context.CancellationToken.ThrowIfCancellationRequested();
    }
}
