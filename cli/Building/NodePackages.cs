using System.Security.Cryptography;
using System.Text.Json;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Building;

/// <summary>The npm packages of the repository: installed when their lock file changed, built when they have a build.</summary>
internal static class NodePackages
{
    private static readonly HashSet<string> Skipped = ["node_modules", "bin", "obj", "artifacts", "dist", ".git", ".platform"];

    private static string Npm => OperatingSystem.IsWindows() ? "npm.cmd" : "npm";

    /// <summary>Folders below <paramref name="root"/> with a package.json, in order of their paths.</summary>
    public static IReadOnlyList<string> Find(string root)
    {
        var found = new List<string>();
        Collect(root, depth: 4);
        found.Sort(StringComparer.Ordinal);
        return found;

        void Collect(string folder, int depth)
        {
            if (File.Exists(Path.Combine(folder, "package.json")))
                found.Add(folder);
            if (depth == 0)
                return;
            foreach (var child in Directory.EnumerateDirectories(folder))
            {
                if (!Skipped.Contains(Path.GetFileName(child)))
                    Collect(child, depth - 1);
            }
        }
    }

    public static bool HasScript(string folder, string script)
    {
        using var package = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "package.json")));
        return package.RootElement.TryGetProperty("scripts", out var scripts) && scripts.TryGetProperty(script, out _);
    }

    /// <summary>Does nothing when what is installed and built is what the files say.</summary>
    /// <param name="output">The folder that the build writes outside of the package: without it nothing is built.</param>
    /// <param name="besides">Files and folders outside of the package that its build uses.</param>
    /// <param name="npm">The program; null: that of the machine.</param>
    /// <exception cref="CommandException">npm is not there, or failed.</exception>
    public static async Task PrepareAsync(Repository repository, string folder, Action<string> report, CancellationToken cancel, string? output = null, IReadOnlyList<string>? besides = null, string? npm = null)
    {
        var lockFile = Path.Combine(folder, "package-lock.json");
        if (File.Exists(lockFile))
        {
            var mark = Path.Combine(folder, "node_modules", ".installed-lock");
            var wanted = Convert.ToHexString(SHA256.HashData(await File.ReadAllBytesAsync(lockFile, cancel)));
            if (!File.Exists(mark) || await File.ReadAllTextAsync(mark, cancel) != wanted)
            {
                report($"npm ci in {repository.Relative(folder)}");
                await RunAsync(npm ?? Npm, repository, folder, ["ci", "--prefer-offline", "--no-audit", "--no-fund"], cancel);
                Directory.CreateDirectory(Path.GetDirectoryName(mark)!);
                await File.WriteAllTextAsync(mark, wanted, cancel);
            }
        }

        if (!HasScript(folder, "build"))
            return;
        var stamp = new SourceStamp(Path.Combine(repository.Artifacts, "stamps", repository.Relative(folder).Replace(Path.DirectorySeparatorChar, '-')), [folder, .. besides ?? []]);
        if (stamp.IsCurrent() && (output is null || Directory.Exists(output)))
            return;
        report($"npm run build in {repository.Relative(folder)}");
        var sources = stamp.Take();
        await RunAsync(npm ?? Npm, repository, folder, ["run", "build"], cancel);
        sources.Save();
    }

    private static async Task RunAsync(string npm, Repository repository, string folder, string[] arguments, CancellationToken cancel)
    {
        ToolResult result;
        try
        {
            result = await ToolRun.RunAsync(npm, arguments, folder, cancel, limit: TimeSpan.FromMinutes(10));
        }
        catch (CommandException e)
        {
            throw new CommandException($"{repository.Relative(folder)} is built by npm, which comes with Node.js 20 or later (https://nodejs.org). {e.Message}", e);
        }

        if (!result.Succeeded)
            throw new CommandException($"npm {string.Join(' ', arguments)} failed in {repository.Relative(folder)} (exit code {result.ExitCode}):\n{result.Output.TrimEnd()}");
    }
}
