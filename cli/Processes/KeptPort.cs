using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace DaprPlatform.Cli.Processes;

/// <summary>
/// A port of this machine whose listening sockets are ours and are lent to the process that serves it (socket activation). While that process is started again,
/// connections wait in the kernel's queue, and none is refused.
/// </summary>
internal sealed partial class KeptPort : IDisposable
{
    /// <summary>The variable that names the sockets to the child: their descriptors, separated by spaces.</summary>
    public const string Variable = "APP_PORT_HANDLES";

    private const int Backlog = 512;
    private const int SetDescriptorFlags = 2;
    private const int CloseOnExec = 1;

    private readonly List<Socket> _sockets = [];

    /// <exception cref="CommandException">The port is taken.</exception>
    public KeptPort(int port)
    {
        try
        {
            Listen(IPAddress.Loopback, port);
            if (HasIPv6)
                Listen(IPAddress.IPv6Loopback, port);
        }
        catch (SocketException e)
        {
            Dispose();
            throw new CommandException($"port {port}: {e.Message}", e);
        }
    }

    public string Handles => string.Join(' ', _sockets.Select(s => ((int)s.Handle).ToString(CultureInfo.InvariantCulture)));

    /// <summary>Whether a process that is started from now on gets the sockets.</summary>
    public void Lend(bool lent)
    {
        foreach (var socket in _sockets)
            if (SetDescriptor((int)socket.Handle, SetDescriptorFlags, lent ? 0 : CloseOnExec) < 0)
                throw new CommandException($"a socket cannot be lent: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    public void Dispose()
    {
        foreach (var socket in _sockets)
            socket.Dispose();
    }

    // A kernel may speak IPv6 on a machine that has no address of it.
    private static bool HasIPv6 => NetworkInterface.GetAllNetworkInterfaces()
        .Any(i => i.NetworkInterfaceType == NetworkInterfaceType.Loopback && i.GetIPProperties().UnicastAddresses.Any(a => a.Address.Equals(IPAddress.IPv6Loopback)));

    private void Listen(IPAddress address, int port)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _sockets.Add(socket);
        socket.Bind(new IPEndPoint(address, port));
        socket.Listen(Backlog);
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int SetDescriptor(int descriptor, int command, int value);
}
