using System.Net.Sockets;
using System.Text;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>From HTTP/1.1 to cleartext HTTP/2 on the HTTP port, as daprd's server allows it.</summary>
public sealed class Http2UpgradeTests
{
    private static readonly byte[] Preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    private static readonly byte[] NoSettings = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    [Fact]
    public async Task A_client_that_offers_it_is_switched_over_and_answered_as_stream_1()
    {
        await using var sidecar = await RunningSidecar.StartAsync([]);
        using var client = await Client.ConnectAsync(sidecar);

        // Over a connection that has served HTTP/1.1 before.
        await client.SendAsync("GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 204", await client.HeadAsync(), StringComparison.Ordinal);
        await client.SendAsync("GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
        var head = await client.HeadAsync();
        await client.SendAsync(Preface);
        await client.SendAsync(NoSettings);

        Assert.StartsWith("HTTP/1.1 101 Switching Protocols", head, StringComparison.Ordinal);
        Assert.Contains("\r\nConnection: Upgrade\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nUpgrade: h2c\r\n", head, StringComparison.Ordinal);
        var (type, stream, payload) = await client.FrameAsync(headersOnly: true);
        Assert.Equal((1, 1), (type, stream));
        // The status 204 has the index 9 of HPACK's own table.
        Assert.Equal(0x89, payload[0]);
    }

    [Theory]
    [InlineData("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")]
    [InlineData("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\nHTTP2-Settings: AAMAAABk\r\n")]
    [InlineData("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n")]
    public async Task What_is_no_full_offer_is_answered_over_HTTP_1(string headers)
    {
        await using var sidecar = await RunningSidecar.StartAsync([]);
        using var client = await Client.ConnectAsync(sidecar);

        await client.SendAsync($"GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n");

        Assert.StartsWith("HTTP/1.1 204", await client.HeadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_cleartext_HTTP_2_is_off_no_offer_is_taken()
    {
        await using var sidecar = await RunningSidecar.StartAsync([], change: o => o with { Environment = new Dictionary<string, string> { ["DAPR_HTTP_DISABLE_H2C"] = "true" } });
        using var client = await Client.ConnectAsync(sidecar);

        await client.SendAsync("GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 204", await client.HeadAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_stays_open_does_not_hold_the_shutdown_up(bool speaks)
    {
        await using var sidecar = await RunningSidecar.StartAsync([], change: o => o with { GracefulShutdown = RunningSidecar.Patience });
        using var client = await Client.ConnectAsync(sidecar);
        await client.SendAsync("GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
        await client.HeadAsync();
        if (speaks)
        {
            await client.SendAsync(Preface);
            await client.SendAsync(NoSettings);
            await client.FrameAsync(headersOnly: true);
        }

        Assert.True(await sidecar.Sidecar.StopAsync());
    }

    [Fact]
    public async Task A_request_under_way_when_the_sidecar_stops_is_finished()
    {
        await using var app = await StandInApp.StartAsync();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        app.Answers["/slow"] = _ => release.Task;
        await using var sidecar = await RunningSidecar.StartAsync([], app.Port, change: o => o with { GracefulShutdown = RunningSidecar.Patience });
        using var client = await Client.ConnectAsync(sidecar);
        await client.SendAsync("GET /v1.0/invoke/hosted/method/slow HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
        await client.HeadAsync();
        await client.SendAsync(Preface);
        await client.SendAsync(NoSettings);
        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Contains("GET /slow")), "the app is called");

        var stopped = sidecar.Sidecar.StopAsync();
        const int GoAway = 7;
        while ((await client.FrameAsync(headersOnly: false)).Type != GoAway)
        {
        }

        release.SetResult();
        var (_, stream, payload) = await client.FrameAsync(headersOnly: true);
        Assert.Equal(1, stream);
        // The status 200 has the index 8 of HPACK's own table.
        Assert.Equal(0x88, payload[0]);
        Assert.True(await stopped.WaitAsync(RunningSidecar.Patience));
    }

    private sealed class Client(TcpClient tcp) : IDisposable
    {
        private readonly NetworkStream _stream = tcp.GetStream();
        private readonly CancellationTokenSource _limit = new(RunningSidecar.Patience);

        public static async Task<Client> ConnectAsync(RunningSidecar sidecar)
        {
            var tcp = new TcpClient();
            await tcp.ConnectAsync("127.0.0.1", sidecar.Sidecar.Options.HttpPort);
            return new Client(tcp);
        }

        public Task SendAsync(string text) => SendAsync(Encoding.ASCII.GetBytes(text));

        public async Task SendAsync(byte[] bytes) => await _stream.WriteAsync(bytes, _limit.Token);

        public async Task<string> HeadAsync()
        {
            var head = new StringBuilder();
            var one = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                await _stream.ReadExactlyAsync(one, _limit.Token);
                head.Append((char)one[0]);
            }

            return head.ToString();
        }

        public async Task<(int Type, int Stream, byte[] Payload)> FrameAsync(bool headersOnly)
        {
            while (true)
            {
                var header = new byte[9];
                await _stream.ReadExactlyAsync(header, _limit.Token);
                var payload = new byte[(header[0] << 16) | (header[1] << 8) | header[2]];
                await _stream.ReadExactlyAsync(payload, _limit.Token);
                if (!headersOnly || header[3] == 1)
                    return (header[3], header[8], payload);
            }
        }

        public void Dispose()
        {
            tcp.Dispose();
            _limit.Dispose();
        }
    }
}
