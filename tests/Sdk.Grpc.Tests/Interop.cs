using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Sdk.Grpc.Tests.Proto;

namespace Sdk.Grpc.Tests;

/// <summary>Against @grpc/grpc-js, where Node.js and that module are at hand: in the conformance suite's folder or the one CONFORMANCE_MODULES names.</summary>
public sealed class Interop
{
    [Fact]
    public async Task A_client_of_grpc_js_is_served()
    {
        await using var server = await TestServer.StartAsync();
        server.Echo.OnSay = async (ping, context) =>
        {
            if (ping.Text == "hang")
                await new TaskCompletionSource().Task.WaitAsync(context.CancellationToken);
            if (ping.Text == "fail")
                throw new RpcException(new Status(StatusCode.FailedPrecondition, "nicht größer als 100%"), new Metadata { { "x-own", "o" }, { "grpc-status-details-bin", [9, 8, 7] } });
            var headers = new Metadata();
            foreach (var entry in context.RequestHeaders.Where(entry => entry.Key.StartsWith("x-", StringComparison.Ordinal)))
                headers.Add(entry);
            await context.WriteResponseHeadersAsync(headers);
            context.ResponseTrailers.Add("x-trailer", "tail");
            context.ResponseTrailers.Add("x-trailer-bin", [1, 2, 3, 4]);
            return new Pong { Text = ping.Text, Data = ping.Data, Count = ping.Count };
        };
        using var node = Node("client", server.Address.Authority);

        var output = await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);

        var results = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)
            .Select(line => $"{line.GetProperty("check").GetString()}: {line.GetProperty("result").GetRawText()}");
        Assert.True(errors.Length == 0, errors);
        Assert.Equal(
        [
            "unary: [\"hi\",3,\"one\",\"00ff07\",\"tail\",\"01020304\"]",
            "big: [3000000,true]",
            "error: [9,\"nicht größer als 100%\",\"o\",\"090807\"]",
            "unimplemented: 12",
            "deadline: 4",
            "cancel: 1",
            "client stream: [\"abc\",3]",
            "server stream: [100,99,0]",
            "duplex: 20",
            "gzip: 10000",
            "after keep-alive: \"still\"",
        ], results);
    }

    [Fact]
    public async Task A_server_of_grpc_js_is_called()
    {
        using var node = Node("server", "");
        var port = await node.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        if (port is null)
            Assert.Fail(await node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port}", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true, KeepAlivePingDelay = TimeSpan.FromSeconds(1), KeepAlivePingTimeout = TimeSpan.FromSeconds(5), KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always },
            DisposeHttpClient = true,
        });
        var client = new Echo.EchoClient(channel);

        using (var call = client.SayAsync(new Ping { Text = "hi", Count = 3 }, new Metadata { { "x-text", "one" }, { "x-data-bin", [0, 255, 7] } }))
        {
            Assert.Equal(new Pong { Text = "hi", Count = 3 }, await call);
            var headers = await call.ResponseHeadersAsync;
            Assert.Equal("one", headers.GetValue("x-text"));
            Assert.Equal([0, 255, 7], headers.GetValueBytes("x-data-bin"));
            Assert.Equal("tail", call.GetTrailers().GetValue("x-trailer"));
            Assert.Equal([1, 2, 3, 4], call.GetTrailers().GetValueBytes("x-trailer-bin"));
        }

        Assert.Equal(3_000_000, (await client.SayAsync(new Ping { Data = ByteString.CopyFrom(new byte[3_000_000]) })).Data.Length);
        Assert.Equal(10_000, (await client.SayAsync(new Ping { Text = new string('z', 10_000) }, new Metadata { { "grpc-internal-encoding-request", "gzip" } })).Text.Length);

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await client.SayAsync(new Ping { Text = "fail" }));
        Assert.Equal((StatusCode.FailedPrecondition, "nicht größer als 100%"), (failure.StatusCode, failure.Status.Detail));
        Assert.Equal([9, 8, 7], failure.Trailers.GetValueBytes("grpc-status-details-bin"));
        Assert.Equal(StatusCode.Unimplemented, (await StatusOfCalls.FailureOf(client.NotThereAsync(new Ping()))).Item1);
        Assert.Equal(StatusCode.DeadlineExceeded, (await StatusOfCalls.FailureOf(client.SayAsync(new Ping { Text = "hang" }, deadline: DateTime.UtcNow.AddMilliseconds(200)))).Item1);

        using (var collect = client.Collect())
        {
            foreach (var text in (string[])["a", "b", "c"])
                await collect.RequestStream.WriteAsync(new Ping { Text = text });
            await collect.RequestStream.CompleteAsync();
            Assert.Equal(new Pong { Text = "abc", Count = 3 }, await collect);
        }

        using (var repeat = client.Repeat(new Ping { Count = 100, Text = "r" }))
            Assert.Equal(Enumerable.Range(0, 100), await repeat.ResponseStream.ReadAllAsync().Select(pong => pong.Count).ToListAsync());

        using var chat = client.Chat();
        for (var i = 0; i < 20; i++)
        {
            await chat.RequestStream.WriteAsync(new Ping { Count = i });
            Assert.True(await chat.ResponseStream.MoveNext());
            Assert.Equal(i, chat.ResponseStream.Current.Count);
        }

        await chat.RequestStream.CompleteAsync();
        Assert.False(await chat.ResponseStream.MoveNext());
        node.StandardInput.Close();
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    static Process Node(string mode, string address, [CallerFilePath] string source = "")
    {
        var tests = Path.GetDirectoryName(Path.GetDirectoryName(source))!;
        var modules = new[] { Environment.GetEnvironmentVariable("CONFORMANCE_MODULES"), Path.Combine(tests, "conformance") }
            .FirstOrDefault(folder => folder is not null && Directory.Exists(Path.Combine(folder, "node_modules", "@grpc", "grpc-js")));
        Assert.SkipWhen(modules is null, "@grpc/grpc-js is not installed (set CONFORMANCE_MODULES to the folder that has node_modules).");
        var folder = Path.GetDirectoryName(source)!;
        var start = new ProcessStartInfo("node", [Path.Combine(folder, "interop", "interop.mjs"), modules!, Path.Combine(folder, "echo.proto"), mode, address])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start)!;
    }
}
