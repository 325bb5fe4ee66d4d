using System.Diagnostics;
using System.Runtime.InteropServices;

namespace DaprPlatform.Cli.Processes;

internal enum Signal
{
    Interrupt = 2,
    Kill = 9,
    Terminate = 15,
}

internal static partial class Signals
{
    /// <summary>Sends a signal to one process. On Windows, where there are none, the process is ended. A process that is gone is no error.</summary>
    public static void Send(int pid, Signal signal)
    {
        if (pid <= 1)
            throw new ArgumentOutOfRangeException(nameof(pid), pid, "Not a process of ours.");
        if (!OperatingSystem.IsWindows())
        {
            _ = Kill(pid, (int)signal);
            return;
        }

        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            Trace.WriteLine(e.Message);
        }
    }

    /// <summary>Sends a signal to every process of the group that <paramref name="leader"/> leads.</summary>
    public static void SendToGroup(int leader, Signal signal)
    {
        if (leader <= 1)
            throw new ArgumentOutOfRangeException(nameof(leader), leader, "Not a process of ours.");
        if (OperatingSystem.IsWindows())
            Send(leader, signal);
        else if (GetProcessGroup(leader) is var group && group == leader)
            _ = Kill(-leader, (int)signal);
        else if (group < 0)
            _ = Kill(-leader, (int)signal); // The leader is gone, its group may not be.
        else
            _ = Kill(leader, (int)signal);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "getpgid", SetLastError = true)]
    private static partial int GetProcessGroup(int pid);
}
