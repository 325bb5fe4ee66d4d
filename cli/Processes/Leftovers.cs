namespace DaprPlatform.Cli.Processes;

/// <summary>Ends processes that are not our children any more.</summary>
internal static class Leftovers
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Asks with <paramref name="signal"/>, kills after <paramref name="grace"/>, returns when all are gone.</summary>
    public static async Task EndAsync(IReadOnlyList<ProcessIdentity> processes, Signal signal, TimeSpan grace, CancellationToken cancel)
    {
        if (processes.Count == 0)
            return;
        foreach (var process in processes.Where(ProcessTable.IsAlive))
            Signals.Send(process.Pid, signal);
        using (var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel))
        {
            deadline.CancelAfter(grace);
            await GoneAsync(processes, deadline.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        cancel.ThrowIfCancellationRequested();
        await KillAsync(processes, cancel);
        await GoneAsync(processes, cancel);
    }

    /// <summary>
    /// Kills processes and what they started, and returns when all are gone. The processes of a database server lead groups of their own and end a moment after their parent;
    /// until then no other server can have its data.
    /// </summary>
    public static async Task KillAsync(IReadOnlyList<ProcessIdentity> roots, CancellationToken cancel)
    {
        var all = roots.Where(ProcessTable.IsAlive).SelectMany(p => ProcessTable.Tree(p.Pid)).Distinct().Select(ProcessTable.Find).OfType<ProcessIdentity>().ToList();
        foreach (var process in all)
            Signals.Send(process.Pid, Signal.Kill);
        await GoneAsync(all, cancel);
    }

    // There is nothing to wait on but their entries in the process table.
    private static async Task GoneAsync(IReadOnlyList<ProcessIdentity> processes, CancellationToken cancel)
    {
        using var interval = new PeriodicTimer(Interval);
        while (processes.Any(ProcessTable.IsAlive))
            await interval.WaitForNextTickAsync(cancel);
    }
}
