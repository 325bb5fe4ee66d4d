using Grpc.Core;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

public sealed class MetadataOfCalls
{
    [Fact]
    public void Keys_are_lower_case_and_found_in_any_case()
    {
        var metadata = new Metadata { { "X-Key", "1" }, { "x-key", "2" }, { "Data-Bin", [7] } };

        Assert.Equal("x-key", metadata[0].Key);
        Assert.Equal("2", metadata.GetValue("X-KEY"));
        Assert.Equal(["1", "2"], metadata.GetAll("x-key").Select(entry => entry.Value));
        Assert.Equal([7], metadata.GetValueBytes("data-bin"));
        Assert.Null(metadata.Get("none"));
        Assert.Throws<InvalidOperationException>(() => metadata.GetValue("data-bin"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData(":path")]
    [InlineData("schlüssel")]
    [InlineData("a\n")]
    public void An_illegal_key_is_refused(string key)
    {
        Assert.Throws<ArgumentException>(() => new Metadata.Entry(key, "v"));
    }

    [Fact]
    public void Bytes_need_a_bin_key_and_text_another()
    {
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("key", [1]));
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("key-bin", "text"));
        Assert.Throws<InvalidOperationException>(() => Metadata.Empty.Add("a", "b"));
    }

    [Fact]
    public async Task Headers_reach_the_handler_and_protocol_headers_do_not()
    {
        Metadata? seen = null;
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) =>
        {
            seen = context.RequestHeaders;
            return Task.FromResult(new Pong());
        };
        var headers = new Metadata { { "x-text", "a, b" }, { "x-data-bin", [0, 255, 1] }, { "x-data-bin", [2] }, { "x-empty", "" }, { "grpc-timeout", "1n" }, { "te", "nothing" } };

        await server.Client.SayAsync(new Ping(), headers);

        Assert.Equal("a, b", seen!.GetValue("x-text"));
        Assert.Equal("", seen.GetValue("x-empty"));
        Assert.Equal(["00FF01", "02"], seen.GetAll("x-data-bin").Select(entry => Convert.ToHexString(entry.ValueBytes)));
        Assert.StartsWith("grpc-dotnet/", seen.GetValue("user-agent"));
        Assert.DoesNotContain(seen, entry => entry.Key is "te" or "content-type" or "grpc-timeout" or "grpc-accept-encoding" || entry.Key[0] == ':');
    }

    [Fact]
    public async Task A_user_agent_of_the_caller_replaces_the_own()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = context.RequestHeaders.GetValue("user-agent") });

        Assert.Equal("dapr-sdk-dotnet/v1 (x)", (await server.Client.SayAsync(new Ping(), new Metadata { { "user-agent", "dapr-sdk-dotnet/v1 (x)" } })).Text);
    }

    [Fact]
    public async Task Response_headers_arrive_before_the_first_message()
    {
        var go = new TaskCompletionSource();
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = async (_, context) =>
        {
            await context.WriteResponseHeadersAsync(new Metadata { { "x-early", "yes" }, { "x-early-bin", [9] } });
            await go.Task;
            await Assert.ThrowsAsync<InvalidOperationException>(() => context.WriteResponseHeadersAsync(new Metadata()));
            return new Pong { Text = "late" };
        };
        using var call = server.Client.SayAsync(new Ping());

        var headers = await call.ResponseHeadersAsync;
        Assert.False(call.ResponseAsync.IsCompleted);
        Assert.Equal("yes", headers.GetValue("x-early"));
        Assert.Equal([9], headers.GetValueBytes("x-early-bin"));
        Assert.Throws<InvalidOperationException>(() => call.GetStatus());
        Assert.Throws<InvalidOperationException>(() => call.GetTrailers());
        go.SetResult();
        Assert.Equal("late", (await call).Text);
    }

    [Fact]
    public async Task Trailers_arrive_with_the_status()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnRepeat = async (_, pongs, context) =>
        {
            context.ResponseTrailers.Add("x-sum", "3");
            await pongs.WriteAsync(new Pong());
            context.ResponseTrailers.Add("x-sum-bin", [3]);
        };
        using var call = server.Client.Repeat(new Ping());
        await call.ResponseStream.ReadAllAsync().ToListAsync();

        Assert.Equal(["[Entry: key=x-sum, value=3]", "[Entry: key=x-sum-bin, valueBytes=03]"], call.GetTrailers().Select(entry => entry.ToString()));
    }

    [Fact]
    public async Task Trailers_of_a_unary_call_come_with_its_success()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) =>
        {
            context.ResponseTrailers.Add("x-cost", "1");
            return Task.FromResult(new Pong());
        };
        using var call = server.Client.SayAsync(new Ping());
        await call;

        Assert.Equal("1", call.GetTrailers().GetValue("x-cost"));
        Assert.Null((await call.ResponseHeadersAsync).GetValue("x-cost"));
    }

    [Fact]
    public async Task A_trailer_that_is_no_header_value_is_left_out_and_the_status_comes_all_the_same()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) =>
        {
            context.ResponseTrailers.Add("x-good", "1");
            context.ResponseTrailers.Add("x-wrong", "a\r\nb");
            return Task.FromResult(new Pong { Text = "ok" });
        };
        using var call = server.Client.SayAsync(new Ping());

        Assert.Equal("ok", (await call).Text);
        Assert.Equal(["x-good"], call.GetTrailers().Select(entry => entry.Key));
    }

    [Fact]
    public async Task Call_credentials_add_headers_where_they_may_be_sent()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = (_, context) => Task.FromResult(new Pong { Text = context.RequestHeaders.GetValue("authorization") ?? "none" });
        AuthInterceptorContext? asked = null;
        var credentials = CallCredentials.FromInterceptor(async (context, metadata) =>
        {
            await Task.Yield();
            asked = context;
            metadata.Add("authorization", "Bearer t");
        });

        var plain = new Echo.EchoClient(server.Channel());
        var trusting = new Echo.EchoClient(server.Channel(options => options.UnsafeUseInsecureChannelCallCredentials = true));

        Assert.Equal("none", (await plain.SayAsync(new Ping(), new CallOptions(credentials: credentials))).Text);
        Assert.Null(asked);
        Assert.Equal("Bearer t", (await trusting.SayAsync(new Ping(), new CallOptions(credentials: credentials))).Text);
        Assert.Equal(($"http://{server.Address.Authority}/sdk.tests.Echo", "Say"), (asked!.ServiceUrl, asked.MethodName));
    }
}
