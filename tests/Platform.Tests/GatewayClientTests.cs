using System.Net;
using System.Net.Sockets;
using System.Text;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Tests;

/// <summary>A client whose server is killed now and then: what it sends again, and what it does not.</summary>
public sealed class GatewayClientTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_temporary_refusal_is_tried_again_and_counted()
    {
        var answers = new Queue<string>(["502 Bad Gateway", "503 Service Unavailable", "200 OK"]);
        using var listener = Listen(out var address);
        var serving = ServeAsync(listener, answers);
        using var gateway = new GatewayClient(address, TimeSpan.FromSeconds(30), TimeProvider.System);

        var answer = await gateway.SendAsync(HttpMethod.Get, "x", null, Cancel);

        Assert.Equal((HttpStatusCode.OK, 2L), (answer.Status, gateway.Retries));
        await serving;
    }

    [Theory]
    [InlineData("400 Bad Request")]
    [InlineData("404 Not Found")]
    [InlineData("422 Unprocessable Content")]
    [InlineData("500 Internal Server Error")]
    public async Task An_answer_is_an_answer(string status)
    {
        using var listener = Listen(out var address);
        var serving = ServeAsync(listener, new Queue<string>([status]));
        using var gateway = new GatewayClient(address, TimeSpan.FromSeconds(30), TimeProvider.System);

        var answer = await gateway.SendAsync(HttpMethod.Get, "x", null, Cancel);

        Assert.Equal((status[..3], 0L), ($"{(int)answer.Status}", gateway.Retries));
        await serving;
    }

    [Fact]
    public async Task Patience_ends_with_what_was_said_last()
    {
        using var listener = Listen(out var address);
        listener.Stop();
        using var gateway = new GatewayClient(address, TimeSpan.Zero, TimeProvider.System);

        var error = await Assert.ThrowsAsync<CommandException>(() => gateway.SendAsync(HttpMethod.Get, "x", null, Cancel));

        Assert.Contains("GET x", error.Message, StringComparison.Ordinal);
    }

    private static TcpListener Listen(out string address)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        address = $"http://{listener.LocalEndpoint}";
        return listener;
    }

    /// <summary>One connection for each answer.</summary>
    private static async Task ServeAsync(TcpListener listener, Queue<string> answers)
    {
        while (answers.TryDequeue(out var status))
        {
            using var connection = await listener.AcceptTcpClientAsync(Cancel);
            var stream = connection.GetStream();
            _ = await stream.ReadAsync(new byte[4096], Cancel);
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"), Cancel);
        }
    }
}
