namespace DaprPlatform.Cli.Processes;

/// <summary>
/// A process for good: pids are given again, a pid together with its start time is not.
/// <paramref name="Started"/> is in clock ticks since boot on Linux and in UTC ticks elsewhere; it is only ever compared.
/// </summary>
internal readonly record struct ProcessIdentity(int Pid, long Started);
