using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace DaprPlatform.Cli.Processes;

/// <summary>What the operating system says about its processes. Linux is read from /proc; elsewhere <see cref="Process"/> answers what it can.</summary>
internal static class ProcessTable
{
    private const int StartTimeField = 19;
    private const int ParentField = 1;

    public static ProcessIdentity? Find(int pid)
    {
        if (pid <= 0)
            return null;
        if (OperatingSystem.IsLinux())
            return Stat(pid) is { } fields && fields[0] is not "Z" && long.TryParse(fields[StartTimeField], CultureInfo.InvariantCulture, out var started)
                ? new ProcessIdentity(pid, started)
                : null;
        try
        {
            using var process = Process.GetProcessById(pid);
            return new ProcessIdentity(pid, process.StartTime.ToUniversalTime().Ticks);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    public static bool IsAlive(ProcessIdentity identity) => Find(identity.Pid) == identity;

    public static string? Command(int pid)
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                var text = File.ReadAllText($"/proc/{pid}/cmdline").TrimEnd('\0').Replace('\0', ' ');
                return text.Length > 0 ? text : null;
            }

            using var process = Process.GetProcessById(pid);
            return process.MainModule?.FileName ?? process.ProcessName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    public static int? Parent(int pid) =>
        OperatingSystem.IsLinux() && Stat(pid) is { } fields && int.TryParse(fields[ParentField], CultureInfo.InvariantCulture, out var parent) ? parent : null;

    /// <summary>
    /// Resident memory in bytes, 0 when the process is gone. On Linux pages that processes share are counted once over all of them (PSS), so that the
    /// figures of several add up; where that is not told, each counts what it sees.
    /// </summary>
    public static long ResidentBytes(int pid)
    {
        const int bytesPerKilobyte = 1024;
        try
        {
            if (!OperatingSystem.IsLinux())
            {
                using var process = Process.GetProcessById(pid);
                return process.WorkingSet64;
            }

            if (File.ReadLines($"/proc/{pid}/smaps_rollup").FirstOrDefault(l => l.StartsWith("Pss:", StringComparison.Ordinal)) is { } line)
                return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * bytesPerKilobyte;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException or FormatException)
        {
            return ResidentPages(pid) * Environment.SystemPageSize;
        }

        return ResidentPages(pid) * Environment.SystemPageSize;
    }

    /// <summary>Processor time of <paramref name="root"/> and of everything it started that still runs; zero where the system does not tell.</summary>
    public static TimeSpan ProcessorTime(int root) => ProcessorTime(OperatingSystem.IsLinux() ? Tree(root) : []);

    /// <summary>Processor time of several processes together; zero where the system does not tell.</summary>
    public static TimeSpan ProcessorTime(IEnumerable<int> pids)
    {
        const int userField = 11;
        const int systemField = 12;
        const int ticksPerSecond = 100; // USER_HZ, the same on every Linux that .NET runs on
        var ticks = 0L;
        foreach (var pid in OperatingSystem.IsLinux() ? pids : [])
        {
            if (Stat(pid) is { } fields)
                ticks += long.Parse(fields[userField], CultureInfo.InvariantCulture) + long.Parse(fields[systemField], CultureInfo.InvariantCulture);
        }

        return TimeSpan.FromSeconds((double)ticks / ticksPerSecond);
    }

    private static long ResidentPages(int pid)
    {
        const int residentField = 1;
        try
        {
            return long.Parse(File.ReadAllText($"/proc/{pid}/statm").Split(' ')[residentField], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or IndexOutOfRangeException)
        {
            return 0;
        }
    }

    public static IEnumerable<int> Pids()
    {
        if (!OperatingSystem.IsLinux())
            return Process.GetProcesses().Select(p => { using (p) return p.Id; });
        return Directory.EnumerateDirectories("/proc")
            .Select(Path.GetFileName)
            .Where(name => name is { Length: > 0 } && char.IsAsciiDigit(name[0]))
            .Select(name => int.Parse(name!, CultureInfo.InvariantCulture));
    }

    /// <summary>The pids of <paramref name="root"/> and of everything it started, as far as it is still attached.</summary>
    public static IReadOnlyList<int> Tree(int root) => Trees([root])[root];

    /// <summary>The same for several with one look at the table.</summary>
    public static IReadOnlyDictionary<int, IReadOnlyList<int>> Trees(IEnumerable<int> roots)
    {
        var children = (OperatingSystem.IsLinux() ? Pids() : []).Select(pid => (Pid: pid, Parent: Parent(pid))).Where(p => p.Parent is not null).ToLookup(p => p.Parent!.Value, p => p.Pid);
        return roots.Distinct().ToDictionary(root => root, root =>
        {
            var tree = new List<int> { root };
            for (var i = 0; i < tree.Count; i++)
                tree.AddRange(children[tree[i]]);
            return (IReadOnlyList<int>)tree;
        });
    }

    /// <summary>Whether the process was started with <c>name=value</c> in its environment. False where the system does not tell.</summary>
    public static bool HasEnvironment(int pid, string name, string value)
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            var entry = Encoding.UTF8.GetBytes($"{name}={value}");
            var environment = File.ReadAllBytes($"/proc/{pid}/environ").AsSpan();
            foreach (var range in environment.Split((byte)0))
            {
                if (environment[range].SequenceEqual(entry))
                    return true;
            }

            return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    // The command name in the second field may hold spaces and parentheses; everything after the last one is plain. Field 0 here is the state.
    private static string[]? Stat(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
