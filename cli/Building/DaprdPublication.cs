using System.Runtime.InteropServices;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Building;

/// <summary>
/// Makes the sidecar's executable for machines without .NET. With the runtime packs of NuGet it is one file; where they cannot be had, a folder beside the executable holds a copy
/// of the .NET runtime of this machine.
/// </summary>
internal static class DaprdPublication
{
    private const string Target = "linux-x64";
    private const string Runtime = "daprd-runtime";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);

    // NuGet's and the SDK's words for packages that are not to be had.
    private static readonly string[] MissingPacks = ["NU1100", "NU1101", "NU1102", "NU1103", "NU1301", "NETSDK1112", "NETSDK1094"];

    /// <returns>The executable.</returns>
    /// <exception cref="CommandException">The build failed; the message is its output.</exception>
    public static async Task<string> PublishAsync(Repository repository, string output, Action<string> report, CancellationToken cancel)
    {
        var project = Path.Combine(repository.Root, "sidecar", "Daprd", "Daprd.csproj");
        Directory.CreateDirectory(output);
        var work = Path.Combine(repository.Artifacts, "publish", Target);
        FileTree.Delete(work);
        report($"publishing daprd for {Target}");
        var published = await RunAsync(["--self-contained", "-r", Target, "-p:PublishSingleFile=true"]);
        var executable = Path.Combine(output, "daprd");
        if (published.Succeeded)
        {
            Replace(Path.Combine(work, "daprd"), executable);
            FileTree.Delete(Path.Combine(output, Runtime));
            return executable;
        }

        if (!MissingPacks.Any(code => published.Output.Contains(code, StringComparison.Ordinal)) || RuntimeInformation.RuntimeIdentifier != Target)
            throw new CommandException($"daprd cannot be published (exit code {published.ExitCode}):\n{published.Output.TrimEnd()}");
        report("the runtime packs cannot be restored here: a copy of this machine's .NET goes into the folder");
        FileTree.Delete(work);
        var dependent = await RunAsync(["--no-self-contained", "-p:UseAppHost=true", "-p:AppHostDotNetSearch=AppRelative", $"-p:AppHostRelativeDotNet={Runtime}"]);
        if (!dependent.Succeeded)
            throw new CommandException($"daprd cannot be published (exit code {dependent.ExitCode}):\n{dependent.Output.TrimEnd()}");
        DotnetRuntime.CopyTo(Path.Combine(work, Runtime));
        foreach (var file in Directory.EnumerateFiles(work, "*", SearchOption.AllDirectories))
            Replace(file, Path.Combine(output, Path.GetRelativePath(work, file)));
        return executable;

        Task<ToolResult> RunAsync(string[] arguments) => ToolRun.RunAsync(Repository.DotnetHost,
            ["publish", project, "-c", Repository.Configuration, "-o", work, .. arguments, "-v", "q", "-nologo", "-nodeReuse:false", "-clp:NoSummary"], repository.Root, cancel, limit: Limit);
    }

    // By renaming, so that an executable that runs goes on with what it has.
    private static void Replace(string from, string to)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        var next = to + ".new";
        File.Copy(from, next, overwrite: true);
        File.Move(next, to, overwrite: true);
    }
}
