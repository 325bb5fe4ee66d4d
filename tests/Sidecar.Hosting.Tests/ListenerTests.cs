using System.Net.Sockets;
using System.Text;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class ListenerTests
{
    [Fact]
    public async Task With_unix_sockets_the_APIs_are_on_no_port()
    {
        var sockets = Directory.CreateTempSubdirectory("uds-");
        await using (var sidecar = await RunningSidecar.StartAsync([], change: o => o with { UnixDomainSocket = sockets.FullName }))
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(sockets.FullName, "dapr-hosted-http.socket")));
            await socket.SendAsync("GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray());
            var answer = new byte[64];
            var read = await socket.ReceiveAsync(answer).WaitAsync(RunningSidecar.Patience);
            Assert.StartsWith("HTTP/1.1 204", Encoding.ASCII.GetString(answer, 0, read), StringComparison.Ordinal);
            Assert.True(File.Exists(Path.Combine(sockets.FullName, "dapr-hosted-grpc.socket")));
            Assert.False(await IsOpenAsync(sidecar.Sidecar.Options.HttpPort));
            Assert.False(await IsOpenAsync(sidecar.Sidecar.Options.GrpcPort));
            Assert.True(await IsOpenAsync(sidecar.Sidecar.Options.InternalGrpcPort));
        }

        sockets.Delete(recursive: true);
    }

    [Fact]
    public async Task Paths_of_metrics_are_matched_whatever_their_cardinality()
    {
        foreach (var high in new[] { true, false })
        {
            await using var sidecar = await RunningSidecar.StartAsync([], configuration: $"metrics: {{http: {{increasedCardinality: {(high ? "true" : "false")}, excludeVerbs: true, pathMatching: ['/v1.0/invoke/x/method/orders/{{id}}']}}}}");
            foreach (var path in new[] { "orders/1", "orders/2", "users/3" })
                await sidecar.SendAsync("GET", $"/v1.0/invoke/x/method/{path}");
            var series = (await sidecar.MetricsAsync()).Split('\n').Where(l => l.StartsWith("dapr_http_server_request_count{", StringComparison.Ordinal)).ToArray();
            Assert.Contains("""dapr_http_server_request_count{app_id="hosted",method="",path="/v1.0/invoke/x/method/orders/{id}",status="500"} 2""", series);
            Assert.Contains($$"""dapr_http_server_request_count{app_id="hosted",method="",path="{{(high ? "/v1.0/invoke/x/method/users/3" : "")}}",status="500"} 1""", series);
        }
    }

    [Theory]
    [InlineData("own")]
    [InlineData("peer")]
    [InlineData("endpoint")]
    public async Task What_a_Connection_header_names_ends_at_the_sidecar(string way)
    {
        await using var app = await StandInApp.StartAsync();
        var seen = new TaskCompletionSource<Microsoft.AspNetCore.Http.IHeaderDictionary>(TaskCreationOptions.RunContinuationsAsynchronously);
        app.Answers["/m"] = context =>
        {
            seen.TrySetResult(new Microsoft.AspNetCore.Http.HeaderDictionary(context.Request.Headers.ToDictionary()));
            context.Response.Headers.Connection = "x-answer-hop";
            context.Response.Headers["x-answer-hop"] = "1";
            context.Response.Headers["x-answer"] = "2";
            return Task.CompletedTask;
        };
        var endpoint = $"apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata:\n  name: outside\nspec:\n  baseUrl: http://127.0.0.1:{app.Port}\n";
        await using var sidecar = await RunningSidecar.StartAsync([endpoint], way == "own" ? app.Port : null);
        await using var peer = way == "peer" ? await RunningSidecar.StartAsync([], app.Port, change: o => o with { AppId = "peer" }, beside: sidecar) : null;
        using var socket = new TcpClient();
        await socket.ConnectAsync("127.0.0.1", sidecar.Sidecar.Options.HttpPort);
        var target = way switch { "own" => "hosted", "peer" => "peer", _ => "outside" };
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET /v1.0/invoke/{target}/method/m HTTP/1.1\r\nHost: x\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nKeep-Alive: 5\r\n\r\n"));
        using var reader = new StreamReader(socket.GetStream());
        var answer = (await reader.ReadToEndAsync().WaitAsync(RunningSidecar.Patience)).ToLowerInvariant();

        var headers = await seen.Task.WaitAsync(RunningSidecar.Patience);
        Assert.Equal("2", headers["X-End"].ToString());
        Assert.False(headers.ContainsKey("X-Hop"));
        Assert.False(headers.ContainsKey("Keep-Alive"));
        Assert.DoesNotContain("hop", headers.Connection.ToString(), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("x-answer: 2", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("x-answer-hop", answer, StringComparison.Ordinal);
    }

    private static async Task<bool> IsOpenAsync(int port)
    {
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
