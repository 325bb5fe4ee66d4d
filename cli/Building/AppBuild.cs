using System.Diagnostics;
using System.Security;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Building;

/// <summary>Builds the apps of a run file: the .NET projects in one go, each npm package where its files changed.</summary>
internal static class AppBuild
{
    private static readonly string[] SharedFolders = ["services", "workflows", "sdk", "protos"];
    private static readonly string[] NodeCommands = ["node", "npm", "npx"];

    /// <exception cref="CommandException">A build failed; the message is its output.</exception>
    public static async Task PrepareAsync(Repository repository, RunFile file, Action<string> report, CancellationToken cancel)
    {
        var projects = file.Apps.Select(DotnetRun.From).OfType<DotnetRun>().DistinctBy(r => (r.Project, r.Configuration)).ToList();
        foreach (var group in projects.GroupBy(p => p.Configuration))
            await BuildAsync(repository, group.Key, [.. group], report, cancel);
        foreach (var folder in file.Apps.Where(a => a.Command.Count > 0 && NodeCommands.Contains(a.Command[0])).Select(a => a.Folder).Distinct())
        {
            if (File.Exists(Path.Combine(folder, "package.json")))
                await NodePackages.PrepareAsync(repository, folder, report, cancel);
        }
    }

    /// <summary>The programs of the apps that are started directly, as they were built.</summary>
    public static IEnumerable<string> Programs(RunFile file) => file.Apps.Select(DotnetRun.From).OfType<DotnetRun>().Select(r => r.Assembly).OfType<string>().Distinct();

    private static async Task BuildAsync(Repository repository, string configuration, List<DotnetRun> projects, Action<string> report, CancellationToken cancel)
    {
        var folders = SharedFolders.Select(f => Path.Combine(repository.Root, f)).Concat(projects.Select(p => Path.GetDirectoryName(p.Project)!)).Distinct();
        string[] files = [.. Directory.GetFiles(repository.Root, "Directory.*"), Path.Combine(repository.Root, "global.json"), .. projects.Select(p => p.Project)];
        var stamp = new SourceStamp(Path.Combine(repository.Artifacts, "stamps", $"apps-{configuration}"), [.. folders, .. files]);
        if (stamp.IsCurrent() && projects.TrueForAll(p => p.Assembly is not null))
            return;

        var watch = Stopwatch.StartNew();
        report($"building {projects.Count} apps");
        var sources = stamp.Take();
        Directory.CreateDirectory(repository.Artifacts);
        var solution = Path.Combine(repository.Artifacts, $"apps-{configuration}.slnx");
        var entries = projects.Select(p => $"  <Project Path=\"{SecurityElement.Escape(Path.GetRelativePath(repository.Artifacts, p.Project))}\" />\n");
        await File.WriteAllTextAsync(solution, $"<Solution>\n{string.Concat(entries)}</Solution>\n", cancel);
        var built = await ToolRun.RunAsync(Repository.DotnetHost,
            ["build", solution, "-c", configuration, "-v", "q", "-nologo", "-nodeReuse:false", "-clp:NoSummary",
                // What the apps refer to is not in this solution and would be built for Debug.
                "-p:ShouldUnsetParentConfigurationAndPlatform=false"], repository.Root, cancel, limit: TimeSpan.FromMinutes(20));
        if (!built.Succeeded)
            throw new CommandException($"The build of the apps failed (exit code {built.ExitCode}):\n{built.Output.TrimEnd()}");
        sources.Save();
        report($"built in {watch.Elapsed.TotalSeconds:F1} s");
    }
}
