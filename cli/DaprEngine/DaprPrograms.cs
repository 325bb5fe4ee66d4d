namespace DaprPlatform.Cli.DaprEngine;

/// <summary>Dapr's own executables.</summary>
/// <param name="Daprd">The sidecar.</param>
/// <param name="Placement">Null: not on this machine.</param>
/// <param name="Scheduler">Null: not on this machine.</param>
internal sealed record DaprPrograms(string Daprd, string? Placement, string? Scheduler)
{
    public const string Hint = "Dapr is not on this machine: set DAPRD (and PLACEMENT, SCHEDULER) to its executables, put them on PATH, or run `dapr init --slim`.";

    /// <summary>By variable (<c>DAPRD</c>, <c>PLACEMENT</c>, <c>SCHEDULER</c>), then on PATH, then where the Dapr CLI puts them. Null where there is no daprd.</summary>
    /// <exception cref="CommandException">A variable names something that is not there.</exception>
    public static DaprPrograms? Find() => Find("daprd") is { } daprd ? new DaprPrograms(daprd, Find("placement"), Find("scheduler")) : null;

    /// <summary>An executable on PATH; null: none.</summary>
    public static string? OnPath(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? name + ".exe" : name)).FirstOrDefault(File.Exists);

    private static string? Find(string name)
    {
        var variable = name.ToUpperInvariant();
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } given)
            return File.Exists(given) ? Path.GetFullPath(given) : throw new CommandException($"{variable} names {given}, which is not there.");
        var ofCli = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dapr", "bin", OperatingSystem.IsWindows() ? name + ".exe" : name);
        return OnPath(name) ?? (File.Exists(ofCli) ? ofCli : null);
    }
}
