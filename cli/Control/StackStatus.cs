using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.Cli.Control;

/// <summary>What <c>status --json</c> prints and the control channel answers.</summary>
internal sealed record StackStatus
{
    public required bool Running { get; init; }

    /// <summary>Every app and the database serve.</summary>
    public required bool Healthy { get; init; }

    public int? Pid { get; init; }

    public string? RunFile { get; init; }

    public string? DataDirectory { get; init; }

    /// <summary>The platform's own metrics: restarts, dead letters. Apps and sidecars have theirs.</summary>
    public string? MetricsUrl { get; init; }

    public double UptimeSeconds { get; init; }

    /// <summary>From the start of the command (after builds) to everything healthy; null before that.</summary>
    public double? StartSeconds { get; init; }

    /// <summary>Of the platform with its sidecars, the apps and PostgreSQL; pages that they share are counted once where the system tells (Linux).</summary>
    public long ResidentBytes { get; init; }

    public long RuntimeResidentBytes { get; init; }

    /// <summary>Of one processor, everything together; null where the system does not tell.</summary>
    public double? CpuPercent { get; init; }

    public double? RuntimeCpuPercent { get; init; }

    public MachineStatus? Machine { get; init; }

    /// <summary>Where the operations console is; null: nowhere.</summary>
    public string? ConsoleUrl { get; init; }

    public IReadOnlyList<AppStatus> Apps { get; init; } = [];

    public PostgresStatus? Postgres { get; init; }

    public IReadOnlyList<ComponentStatus> Components { get; init; } = [];

    public static StackStatus None { get; } = new() { Running = false, Healthy = false };
}

internal sealed record AppStatus
{
    public required string App { get; init; }

    public required UnitState State { get; init; }

    public int? Pid { get; init; }

    public string? Url { get; init; }

    public string? SwaggerUrl { get; init; }

    public required int DaprHttpPort { get; init; }

    public required int DaprGrpcPort { get; init; }

    public bool SidecarHealthy { get; init; }

    public int Restarts { get; init; }

    /// <summary>What went wrong last.</summary>
    public string? Note { get; init; }

    public double? HealthySeconds { get; init; }

    public long ResidentBytes { get; init; }

    /// <summary>Of one processor, since the figures before; null where the system does not tell.</summary>
    public double? CpuPercent { get; init; }

    /// <summary>Of the app itself.</summary>
    public string? MetricsUrl { get; init; }

    public string? HealthUrl { get; init; }

    /// <summary>Processes of the app.</summary>
    public int Instances { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>By a person, since the platform started.</summary>
    public LastAction? LastAction { get; init; }
}

/// <summary>What somebody did to an app: start, stop, restart.</summary>
internal sealed record LastAction(string Action, string Who, DateTimeOffset At);

/// <summary>The machine that everything runs on.</summary>
internal sealed record MachineStatus(int Cpus, double? LoadAverage, long MemoryTotalBytes, long MemoryAvailableBytes, long DiskTotalBytes, long DiskFreeBytes);

internal sealed record PostgresStatus
{
    public required UnitState State { get; init; }

    public int? Pid { get; init; }

    public required int Port { get; init; }

    public required string Version { get; init; }

    public int Restarts { get; init; }

    public string? Note { get; init; }

    public long ResidentBytes { get; init; }

    public double? CpuPercent { get; init; }
}

/// <param name="Name">As the apps know it.</param>
/// <param name="Type">As its file says.</param>
/// <param name="StandsFor">The embedded implementation that serves it; null when the type means itself.</param>
/// <param name="Apps">Those in its scopes.</param>
internal sealed record ComponentStatus(string Name, string Type, string? StandsFor, IReadOnlyList<string> Apps);
