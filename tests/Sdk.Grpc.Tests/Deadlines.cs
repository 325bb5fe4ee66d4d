using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class Deadlines
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    readonly ManualTime _clientClock = new();
    readonly ManualTime _serverClock = new();

    [Fact]
    public async Task The_caller_gives_up_at_the_deadline_whatever_the_server_does()
    {
        var entered = new TaskCompletionSource();
        var leave = new TaskCompletionSource();
        await using var server = await StartAsync();
        server.Echo.OnSay = async (_, _) =>
        {
            entered.SetResult();
            await leave.Task;
            return new Pong();
        };
        using var call = Client(server).SayAsync(new Ping(), deadline: ClientDeadline);
        await entered.Task;

        _clientClock.Advance(Limit);

        Assert.Equal((StatusCode.DeadlineExceeded, ""), await StatusOfCalls.FailureOf(call));
        Assert.Equal(StatusCode.DeadlineExceeded, call.GetStatus().StatusCode);
        Assert.Equal(StatusCode.DeadlineExceeded, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseHeadersAsync)).StatusCode);
        leave.SetResult();
    }

    [Fact]
    public async Task A_timer_that_is_early_does_not_end_the_call()
    {
        var entered = new TaskCompletionSource();
        var leave = new TaskCompletionSource();
        await using var server = await StartAsync();
        server.Echo.OnSay = async (_, _) =>
        {
            entered.SetResult();
            await leave.Task;
            return new Pong { Text = "in time" };
        };
        using var call = Client(server).SayAsync(new Ping(), deadline: ClientDeadline);
        await entered.Task;

        _clientClock.Advance(Limit - TimeSpan.FromTicks(1));
        leave.SetResult();

        Assert.Equal("in time", (await call).Text);
        Assert.Equal(0, _clientClock.PendingTimers);
        Assert.Equal(0, _serverClock.PendingTimers);
    }

    [Fact]
    public async Task A_deadline_in_the_past_sends_nothing()
    {
        await using var server = await StartAsync();
        server.Echo.OnSay = (_, _) => throw new InvalidOperationException("must not be reached");

        Assert.Equal((StatusCode.DeadlineExceeded, ""), await StatusOfCalls.FailureOf(Client(server).SayAsync(new Ping(), deadline: _clientClock.GetUtcNow().UtcDateTime)));
        using var streaming = Client(server).Chat(deadline: _clientClock.GetUtcNow().UtcDateTime);
        Assert.Equal(StatusCode.DeadlineExceeded, (await Assert.ThrowsAsync<RpcException>(() => streaming.ResponseStream.MoveNext())).StatusCode);
        Assert.Equal(StatusCode.DeadlineExceeded, (await Assert.ThrowsAsync<RpcException>(() => streaming.RequestStream.WriteAsync(new Ping()))).StatusCode);
    }

    [Fact]
    public async Task A_deadline_that_is_not_utc_is_refused()
    {
        await using var server = await StartAsync();

        Assert.Throws<InvalidOperationException>(() => Client(server).SayAsync(new Ping(), deadline: new DateTime(2030, 1, 1, 1, 0, 0, DateTimeKind.Local)));
    }

    [Fact]
    public async Task The_server_knows_the_deadline()
    {
        await using var server = await StartAsync();
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = context.Deadline.ToString("O", CultureInfo.InvariantCulture) });

        Assert.Equal((_serverClock.GetUtcNow().UtcDateTime + Limit).ToString("O", CultureInfo.InvariantCulture), (await Client(server).SayAsync(new Ping(), deadline: ClientDeadline)).Text);
        Assert.Equal(DateTime.MaxValue.ToString("O", CultureInfo.InvariantCulture), (await Client(server).SayAsync(new Ping())).Text);
    }

    [Fact]
    public async Task The_server_ends_a_call_at_its_deadline_though_the_handler_goes_on()
    {
        var entered = new TaskCompletionSource();
        var leave = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        await using var server = await StartAsync();
        server.Echo.OnSay = async (_, context) =>
        {
            context.CancellationToken.Register(cancelled.SetResult);
            entered.SetResult();
            await leave.Task;
            return new Pong();
        };
        using var http = RawCall.Client(server.Address);
        var sending = http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame(new Ping()), ("grpc-timeout", "10S")));
        await entered.Task;

        _serverClock.Advance(Limit);

        using var response = await sending;
        Assert.Equal(("4", "Deadline Exceeded"), (RawCall.Header(response, "grpc-status"), RawCall.Header(response, "grpc-message")));
        await cancelled.Task;
        leave.SetResult();
    }

    [Fact]
    public async Task A_handler_that_stops_at_the_deadline_adds_nothing_to_it()
    {
        var entered = new TaskCompletionSource();
        await using var server = await StartAsync();
        server.Echo.OnRepeat = async (_, pongs, context) =>
        {
            await pongs.WriteAsync(new Pong { Text = "before" });
            entered.SetResult();
            var stop = new TaskCompletionSource();
            using (context.CancellationToken.Register(stop.SetResult))
                await stop.Task;
            context.ResponseTrailers.Add("x-late", "1");
            await pongs.WriteAsync(new Pong { Text = "after" });
        };
        using var http = RawCall.Client(server.Address);
        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Repeat", RawCall.Frame(new Ping()), ("grpc-timeout", "10S")), HttpCompletionOption.ResponseHeadersRead);
        await entered.Task;

        _serverClock.Advance(Limit);

        Assert.Equal(RawCall.Frame(new Pong { Text = "before" }), await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("4", RawCall.Trailer(response, "grpc-status"));
        Assert.Null(RawCall.Trailer(response, "x-late"));
    }

    [Fact]
    public async Task A_write_that_hangs_is_broken_off_at_the_deadline()
    {
        var ended = new TaskCompletionSource<Exception>();
        var blocked = new TaskCompletionSource();
        await using var server = await StartAsync();
        server.Echo.OnRepeat = async (_, pongs, context) =>
        {
            try
            {
                var large = new Pong { Data = ByteString.CopyFrom(new byte[500_000]) };
                while (true)
                {
                    var write = pongs.WriteAsync(large);
                    if (!write.IsCompleted)
                        blocked.TrySetResult();
                    await write;
                }
            }
            catch (Exception e)
            {
                ended.SetResult(e);
                throw;
            }
        };
        using var http = RawCall.Client(server.Address);
        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Repeat", RawCall.Frame(new Ping()), ("grpc-timeout", "10S")), HttpCompletionOption.ResponseHeadersRead);
        await blocked.Task;

        _serverClock.Advance(Limit);

        Assert.IsType<OperationCanceledException>(await ended.Task);
        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_handler_that_waits_for_requests_is_woken_at_the_deadline()
    {
        var entered = new TaskCompletionSource();
        var ended = new TaskCompletionSource<Exception>();
        await using var server = await StartAsync();
        server.Echo.OnCollect = async (pings, _) =>
        {
            try
            {
                Assert.True(await pings.MoveNext());
                var next = pings.MoveNext();
                entered.SetResult();
                await next;
                return new Pong();
            }
            catch (Exception e)
            {
                ended.SetResult(e);
                throw;
            }
        };
        using var call = Client(server).Collect(deadline: ClientDeadline);
        await call.RequestStream.WriteAsync(new Ping());
        await entered.Task;

        _serverClock.Advance(Limit);

        Assert.IsType<OperationCanceledException>(await ended.Task);
        Assert.Equal(StatusCode.DeadlineExceeded, (await Assert.ThrowsAsync<RpcException>(async () => await call)).StatusCode);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("abc")]
    public async Task A_malformed_timeout_is_an_error(string timeout)
    {
        await using var server = await StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame(new Ping()), ("grpc-timeout", timeout)));

        Assert.Equal(("13", $"Malformed grpc-timeout value '{timeout}'."), (RawCall.Header(response, "grpc-status"), RawCall.Header(response, "grpc-message")));
    }

    [Fact]
    public async Task A_timeout_of_ages_is_none()
    {
        await using var server = await StartAsync();
        using var http = RawCall.Client(server.Address);

        using var response = await http.SendAsync(RawCall.Request("/sdk.tests.Echo/Say", RawCall.Frame(new Ping()), ("grpc-timeout", "99999999H")));

        Assert.Equal("0", RawCall.Trailer(response, "grpc-status"));
        Assert.Equal(0, _serverClock.PendingTimers);
    }

    [Fact]
    public async Task A_deadline_is_passed_on_to_the_calls_a_handler_makes()
    {
        await using var inner = await StartAsync();
        inner.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = $"{(context.Deadline - _serverClock.GetUtcNow().UtcDateTime).TotalSeconds}" });
        await using var outer = await StartAsync();
        var client = Client(inner);
        outer.Echo.OnSay = async (ping, context) => await client.SayAsync(ping, new CallOptions(propagationToken: context.CreatePropagationToken()));

        // The clocks of the client and the outer server show the same time.
        Assert.Equal("10", (await Client(outer).SayAsync(new Ping(), deadline: ClientDeadline)).Text);
    }

    [Fact]
    public async Task The_deadline_is_an_operation_cancelled_if_the_channel_says_so()
    {
        var entered = new TaskCompletionSource();
        var leave = new TaskCompletionSource();
        await using var server = await StartAsync();
        server.Echo.OnSay = async (_, _) =>
        {
            entered.SetResult();
            await leave.Task;
            return new Pong();
        };
        using var call = Client(server, options => options.ThrowOperationCanceledOnCancellation = true).SayAsync(new Ping(), deadline: ClientDeadline);
        await entered.Task;

        _clientClock.Advance(Limit);

        var failure = await Assert.ThrowsAsync<OperationCanceledException>(async () => await call);
        Assert.Equal(StatusCode.DeadlineExceeded, Assert.IsType<RpcException>(failure.InnerException).StatusCode);
        leave.SetResult();
    }

    DateTime ClientDeadline => _clientClock.GetUtcNow().UtcDateTime + Limit;

    Task<TestServer> StartAsync() => TestServer.StartAsync(grpc => grpc.TimeProvider = _serverClock);

    Echo.EchoClient Client(TestServer server, Action<GrpcChannelOptions>? configure = null) => new(server.Channel(options =>
    {
        options.TimeProvider = _clientClock;
        configure?.Invoke(options);
    }));
}
