using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Chaos;

/// <param name="Orders">To be placed; more where they are all decided before so much was killed.</param>
/// <param name="Seed">Decides what is ordered, what becomes of it, and in which order what is killed. When a kill comes is left to the clock.</param>
/// <param name="Clients">Customers at the same time.</param>
/// <param name="Pause">From one kill to the next, on average.</param>
/// <param name="Patience">How long an order may take to be decided, everything to come to rest at the end, and how long orders go on for the sake of kills.</param>
/// <param name="LeastKills">Processes that are killed in any case: how long so many orders take is the machine's affair.</param>
internal sealed record ChaosOptions(int Orders, int Seed, int Clients, TimeSpan Pause, TimeSpan Patience, int LeastKills = 1);

/// <summary>What <c>chaos</c> prints.</summary>
internal sealed record ChaosReport
{
    public required int Seed { get; init; }

    /// <summary>That were placed.</summary>
    public required int Orders { get; init; }

    public required int Accepted { get; init; }

    public required int Confirmed { get; init; }

    public required IReadOnlyDictionary<string, int> Cancelled { get; init; }

    public required IReadOnlyDictionary<string, int> Refused { get; init; }

    public required IReadOnlyList<string> Undecided { get; init; }

    /// <summary>By what was killed.</summary>
    public required IReadOnlyDictionary<string, int> Kills { get; init; }

    /// <summary>Orders driven by events; the others by the workflow.</summary>
    public required long Choreographed { get; init; }

    public required long Retries { get; init; }

    public required double ElapsedSeconds { get; init; }

    public required long Lost { get; init; }

    public required long Doubled { get; init; }

    public required long Oversold { get; init; }

    public required long Leaked { get; init; }

    public required long Stuck { get; init; }

    public bool Succeeded => Lost == 0 && Doubled == 0 && Oversold == 0 && Leaked == 0 && Stuck == 0 && Undecided.Count == 0;
}

/// <summary>The stack under attack.</summary>
internal interface IChaosTarget
{
    Task<Control.StackStatus> StatusAsync(CancellationToken cancel);

    /// <summary>Starts the platform again after it was killed; returns when everything is healthy.</summary>
    Task UpAsync(CancellationToken cancel);

    Invariants Invariants();

    /// <summary>Sets who drives new orders, live.</summary>
    Task SetOrderModeAsync(string mode, CancellationToken cancel);
}
