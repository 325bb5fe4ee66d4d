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
