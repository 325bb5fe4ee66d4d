using System.Net;
using System.Net.Sockets;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Tests;

public sealed class KeptPortTests : IDisposable
{
    // What each descriptor that was named to the child is there, one a line.
    private const string Look = "for handle in $APP_PORT_HANDLES; do readlink /proc/self/fd/$handle; done; ls -l /proc/self/fd | grep -c socket:";

    private readonly string _folder = Directory.CreateTempSubdirectory("platform-ports-").FullName;
    private readonly int _number;
    private readonly KeptPort _port;

    public KeptPortTests()
    {
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            _number = ((IPEndPoint)free.LocalEndpoint).Port;
        }

        _port = new KeptPort(_number);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _port.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_connection_is_taken_while_nobody_serves_and_refused_once_the_port_is_let_go()
    {
        using var waiting = new TcpClient();
        await waiting.ConnectAsync(IPAddress.Loopback, _number, Cancel);
        Assert.True(waiting.Connected);

        _port.Dispose();

        using var late = new TcpClient();
        var refused = await Assert.ThrowsAsync<SocketException>(async () => await late.ConnectAsync(IPAddress.Loopback, _number, Cancel));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [Fact]
    public async Task A_child_that_is_lent_the_port_has_its_sockets_and_the_next_child_has_not()
    {
        var lent = await RunAsync("lent", _port);
        var other = await RunAsync("other", null);

        var sockets = _port.Handles.Split(' ').Length;
        Assert.Equal(sockets, lent.Count(line => line.StartsWith("socket:[", StringComparison.Ordinal)));
        Assert.Equal(sockets, int.Parse(lent[^1], System.Globalization.CultureInfo.InvariantCulture) - int.Parse(other[^1], System.Globalization.CultureInfo.InvariantCulture));
        Assert.Single(other);
    }

    [Fact]
    public void A_port_that_somebody_holds_is_refused_with_its_number()
    {
        var problem = Assert.Throws<CommandException>(() => new KeptPort(_number));

        Assert.Contains($"port {_number}", problem.Message, StringComparison.Ordinal);
    }

    private async Task<string[]> RunAsync(string name, KeptPort? port)
    {
        var log = Path.Combine(_folder, name);
        using var child = ChildProcess.Start(new ChildStart("/bin/sh", ["-c", Look], _folder, log) { Port = port });
        await child.Exited.WaitAsync(Cancel);
        return await File.ReadAllLinesAsync(log, Cancel);
    }
}
