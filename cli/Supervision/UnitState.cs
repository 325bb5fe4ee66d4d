using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Supervision;

internal enum UnitState
{
    Stopped,
    Starting,
    Healthy,

    /// <summary>It ended by itself; the next start waits.</summary>
    Waiting,
    Stopping,
}

/// <summary>What is known of a supervised program at one moment.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Process">Its process, while there is one.</param>
/// <param name="Restarts">Starts after the first that nobody asked for.</param>
/// <param name="Note">What went wrong last, or null.</param>
/// <param name="HealthySeconds">From its last start to the moment it served; null before that.</param>
internal sealed record UnitSnapshot(string Name, UnitState State, ProcessIdentity? Process, int Restarts, string? Note, double? HealthySeconds)
{
    /// <summary>When its process was started; null while there is none.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    public int? Pid => Process?.Pid;
}
