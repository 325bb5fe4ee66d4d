using System.Security;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Building;

/// <summary>Publishes programs of the clone for linux-x64, all by one build, each into a folder named as its project's.</summary>
internal static class ProgramPublication
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);

    /// <param name="repository">The clone.</param>
    /// <param name="projects">Project files of programs.</param>
    /// <param name="output">Gets <c>services/orders</c> and the like; <c>bin/platform</c> and <c>bin/daprd</c> for those two.</param>
    /// <param name="dotnet">Where the programs look for .NET, relative to their folder; null: where the machine has it.</param>
    /// <param name="cancel">Ends the build.</param>
    /// <exception cref="CommandException">The build failed; the message is its output.</exception>
    public static async Task PublishAsync(Repository repository, IEnumerable<string> projects, string output, string? dotnet, CancellationToken cancel)
    {
        Directory.CreateDirectory(repository.Artifacts);
        var solution = Path.Combine(repository.Artifacts, "publication.slnx");
        var entries = projects.Select(p => $"  <Project Path=\"{SecurityElement.Escape(Path.GetRelativePath(repository.Artifacts, p))}\" />\n");
        await File.WriteAllTextAsync(solution, $"<Solution>\n{string.Concat(entries)}</Solution>\n", cancel);
        var published = await ToolRun.RunAsync(Repository.DotnetHost,
            ["publish", solution, "-c", Repository.Configuration, "-v", "q", "-nologo", "-nodeReuse:false", "-clp:NoSummary",
                "-p:ShouldUnsetParentConfigurationAndPlatform=false", $"-p:CustomAfterMicrosoftCommonTargets={Path.Combine(repository.Root, "cli", "Building", "Publication.targets")}",
                $"-p:PublicationFolder={output}", $"-p:PublicationDotNet={dotnet}"],
            repository.Root, cancel, limit: Limit);
        if (!published.Succeeded)
            throw new CommandException($"The programs cannot be published (exit code {published.ExitCode}):\n{published.Output.TrimEnd()}");
    }
}
