using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace DaprPlatform.Cli.Processes;

/// <summary>Who listens on a port. <see cref="Pid"/> is null where the system does not tell.</summary>
internal sealed record PortOwner(int Port, int? Pid, string? Command)
{
    public override string ToString() => (Pid, Command) switch
    {
        (null, _) => "a process that this account cannot see",
        (_, null) => $"pid {Pid}",
        _ => $"pid {Pid} ({(Command.Length > 120 ? Command[..117] + "..." : Command)})",
    };
}

internal static class PortOwners
{
    private const string Listening = "0A";
    private const int LastGiven = 1000;
    private const int Attempts = 1000;
    private static readonly Queue<int> Given = new();

    /// <summary>The owners of those of <paramref name="ports"/> that something listens on already.</summary>
    public static IReadOnlyList<PortOwner> Of(IReadOnlyCollection<int> ports)
    {
        if (!OperatingSystem.IsLinux())
            return [.. ports.Where(port => !IsFree(port)).Select(port => new PortOwner(port, null, null))];

        var inodes = new Dictionary<string, int>();
        foreach (var table in (string[])["/proc/net/tcp", "/proc/net/tcp6"])
        {
            if (!File.Exists(table))
                continue;
            foreach (var (port, inode) in Listeners(File.ReadLines(table)))
            {
                if (ports.Contains(port))
                    inodes[inode] = port;
            }
        }

        if (inodes.Count == 0)
            return [];
        var owners = new Dictionary<int, PortOwner>();
        foreach (var pid in ProcessTable.Pids())
        {
            foreach (var inode in Sockets(pid))
            {
                if (inodes.TryGetValue(inode, out var port))
                    owners.TryAdd(port, new PortOwner(port, pid, ProcessTable.Command(pid)));
            }
        }

        return [.. inodes.Values.Distinct().Order().Select(port => owners.GetValueOrDefault(port) ?? new PortOwner(port, null, null))];
    }

    /// <summary>Ports and socket inodes of the listeners in a table like /proc/net/tcp.</summary>
    internal static IEnumerable<(int Port, string Inode)> Listeners(IEnumerable<string> table)
    {
        foreach (var line in table.Skip(1))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > 9 && fields[3] == Listening && fields[1].LastIndexOf(':') is > 0 and var colon
                && int.TryParse(fields[1].AsSpan(colon + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var port))
                yield return (port, fields[9]);
        }
    }

    /// <summary>A port of this machine that nothing uses at this moment, and none of the last thousand that were given: who asked for those may not have opened them yet.</summary>
    public static int FindFree()
    {
        lock (Given)
        {
            for (var attempt = 1; ; attempt++)
            {
                using var listener = new TcpListener(IPAddress.Loopback, 0);
                listener.Start();
                var port = ((IPEndPoint)listener.LocalEndpoint).Port;
                // Where the system has so few that it gives no other, twice the same is better than none.
                if (Given.Contains(port) && attempt < Attempts)
                    continue;
                if (Given.Count == LastGiven)
                    Given.Dequeue();
                Given.Enqueue(port);
                return port;
            }
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port) { ExclusiveAddressUse = true };
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static List<string> Sockets(int pid)
    {
        const string prefix = "socket:[";
        var found = new List<string>();
        try
        {
            foreach (var descriptor in new DirectoryInfo($"/proc/{pid}/fd").EnumerateFileSystemInfos())
            {
                if (descriptor.LinkTarget is { } target && target.StartsWith(prefix, StringComparison.Ordinal))
                    found.Add(target[prefix.Length..^1]);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return found;
        }

        return found;
    }
}
