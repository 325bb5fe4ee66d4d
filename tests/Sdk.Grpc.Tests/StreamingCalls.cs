using Google.Protobuf;
using Grpc.Core;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class StreamingCalls
{
    [Fact]
    public async Task All_requests_of_a_client_stream_reach_the_handler_in_order()
    {
        await using var server = await TestServer.StartAsync();
        using var call = server.Client.Collect();
        foreach (var text in (string[])["a", "b", "c"])
            await call.RequestStream.WriteAsync(new Ping { Text = text });
        await call.RequestStream.CompleteAsync();

        var pong = await call;

        Assert.Equal(("abc", 3), (pong.Text, pong.Count));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task A_client_stream_without_requests_has_a_response()
    {
        await using var server = await TestServer.StartAsync();
        using var call = server.Client.Collect();
        await call.RequestStream.CompleteAsync();

        Assert.Equal(0, (await call).Count);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(1000, 100)]
    [InlineData(50, 100_000)]
    public async Task All_responses_of_a_server_stream_reach_the_caller_in_order(int count, int size)
    {
        await using var server = await TestServer.StartAsync();
        using var call = server.Client.Repeat(new Ping { Count = count, Data = ByteString.CopyFrom(new byte[size]) });

        var pongs = await call.ResponseStream.ReadAllAsync().ToListAsync();

        Assert.Equal(Enumerable.Range(0, count), pongs.Select(pong => pong.Count));
        Assert.All(pongs, pong => Assert.Equal(size, pong.Data.Length));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.False(await call.ResponseStream.MoveNext());
    }

    [Fact]
    public async Task Requests_and_responses_of_a_duplex_call_alternate()
    {
        await using var server = await TestServer.StartAsync();
        using var call = server.Client.Chat();
        for (var i = 0; i < 100; i++)
        {
            await call.RequestStream.WriteAsync(new Ping { Count = i });
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal(i, call.ResponseStream.Current.Count);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task A_server_may_speak_first_and_after_the_last_request()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnChat = async (pings, pongs, _) =>
        {
            await pongs.WriteAsync(new Pong { Text = "first" });
            while (await pings.MoveNext())
            {
            }

            await pongs.WriteAsync(new Pong { Text = "last" });
        };
        using var call = server.Client.Chat();

        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal("first", call.ResponseStream.Current.Text);
        await call.RequestStream.WriteAsync(new Ping());
        await call.RequestStream.CompleteAsync();
        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal("last", call.ResponseStream.Current.Text);
        Assert.False(await call.ResponseStream.MoveNext());
    }

    [Fact]
    public async Task Many_duplex_calls_at_once_share_connections()
    {
        await using var server = await TestServer.StartAsync();
        var client = server.Client;

        await Task.WhenAll(Enumerable.Range(0, 150).Select(async id =>
        {
            using var call = client.Chat();
            var reading = call.ResponseStream.ReadAllAsync().Select(pong => pong.Count).ToListAsync();
            for (var i = 0; i < 20; i++)
                await call.RequestStream.WriteAsync(new Ping { Count = id * 1000 + i });
            await call.RequestStream.CompleteAsync();
            Assert.Equal(Enumerable.Range(id * 1000, 20), await reading);
        }));
    }

    [Fact]
    public async Task A_server_that_ends_early_ends_the_writing_too()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnChat = (_, _, _) => throw new RpcException(new Status(StatusCode.FailedPrecondition, "no more"));
        using var call = server.Client.Chat();

        var reading = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        var writing = await Assert.ThrowsAsync<RpcException>(() => call.RequestStream.WriteAsync(new Ping()));

        Assert.Equal((StatusCode.FailedPrecondition, "no more"), (reading.StatusCode, reading.Status.Detail));
        Assert.Equal(StatusCode.FailedPrecondition, writing.StatusCode);
    }

    [Fact]
    public async Task A_caller_that_only_writes_hears_of_the_end_from_its_writes()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnCollect = (_, _) => throw new RpcException(new Status(StatusCode.Aborted, "enough"));
        using var call = server.Client.Collect();

        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (true)
                await call.RequestStream.WriteAsync(new Ping { Data = ByteString.CopyFrom(new byte[1000]) });
        });

        Assert.Equal(StatusCode.Aborted, failure.StatusCode);
        Assert.Equal(StatusCode.Aborted, (await Assert.ThrowsAsync<RpcException>(async () => await call)).StatusCode);
    }

    [Fact]
    public async Task A_server_that_ends_early_with_success_leaves_writes_an_invalid_operation()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnChat = (_, _, _) => Task.CompletedTask;
        using var call = server.Client.Chat();

        Assert.False(await call.ResponseStream.MoveNext());
        await Assert.ThrowsAsync<InvalidOperationException>(() => call.RequestStream.WriteAsync(new Ping()));
    }

    [Fact]
    public async Task Nothing_is_written_after_the_stream_is_completed()
    {
        await using var server = await TestServer.StartAsync();
        using var call = server.Client.Chat();
        await call.RequestStream.CompleteAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(() => call.RequestStream.WriteAsync(new Ping()));
    }

    [Fact]
    public async Task A_second_read_at_the_same_time_is_refused_on_both_sides()
    {
        var secondOnServer = new TaskCompletionSource<Exception>();
        await using var server = await TestServer.StartAsync();
        server.Echo.OnChat = async (pings, _, _) =>
        {
            var first = pings.MoveNext();
            secondOnServer.SetResult(await Assert.ThrowsAsync<InvalidOperationException>(() => pings.MoveNext()));
            await first;
        };
        using var call = server.Client.Chat();
        var reading = call.ResponseStream.MoveNext();

        await Assert.ThrowsAsync<InvalidOperationException>(() => call.ResponseStream.MoveNext());
        await secondOnServer.Task;
        await call.RequestStream.CompleteAsync();
        Assert.False(await reading);
    }

    [Fact]
    public async Task Buffered_responses_arrive_with_the_first_that_is_not()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnRepeat = async (_, pongs, _) =>
        {
            pongs.WriteOptions = new WriteOptions(WriteFlags.BufferHint);
            for (var i = 0; i < 9; i++)
                await pongs.WriteAsync(new Pong { Count = i });
            pongs.WriteOptions = WriteOptions.Default;
            await pongs.WriteAsync(new Pong { Count = 9 });
        };
        using var call = server.Client.Repeat(new Ping());

        Assert.Equal(Enumerable.Range(0, 10), await call.ResponseStream.ReadAllAsync().Select(pong => pong.Count).ToListAsync());
    }

    [Fact]
    public async Task Buffered_responses_arrive_at_the_end_at_the_latest()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnRepeat = async (_, pongs, _) =>
        {
            pongs.WriteOptions = new WriteOptions(WriteFlags.BufferHint);
            await pongs.WriteAsync(new Pong { Count = 1 });
            throw new RpcException(new Status(StatusCode.DataLoss, "then lost"));
        };
        using var call = server.Client.Repeat(new Ping());

        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.DataLoss, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext())).StatusCode);
    }

    [Fact]
    public async Task A_fast_writer_waits_for_a_slow_reader()
    {
        var written = 0;
        await using var server = await TestServer.StartAsync();
        server.Echo.OnRepeat = async (ping, pongs, _) =>
        {
            for (; written < 400; written++)
                await pongs.WriteAsync(new Pong { Data = ping.Data });
        };
        using var call = server.Client.Repeat(new Ping { Data = ByteString.CopyFrom(new byte[100_000]) });

        var read = 0;
        while (await call.ResponseStream.MoveNext())
        {
            // The windows of stream and connection, pipes and sockets hold some of it, never all.
            if (read++ == 0)
                Assert.True(Volatile.Read(ref written) < 400);
        }

        Assert.Equal(400, read);
    }

    [Fact]
    public async Task A_write_the_handler_did_not_wait_for_is_finished_before_the_status()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnRepeat = (ping, pongs, context) =>
        {
            _ = pongs.WriteAsync(new Pong { Data = ping.Data });
            return Task.CompletedTask;
        };
        using var call = server.Client.Repeat(new Ping { Data = ByteString.CopyFrom(new byte[3_000_000]) });

        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal(3_000_000, call.ResponseStream.Current.Data.Length);
        Assert.False(await call.ResponseStream.MoveNext());
    }
}
