using System.Text.Json;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Building;

/// <summary>A Node.js service as it runs elsewhere: what its build made, and the packages that it needs at run time.</summary>
internal static class NodePublication
{
    private const string Packages = "node_modules";

    /// <summary>Builds where something changed, and copies to <paramref name="target"/>.</summary>
    /// <exception cref="CommandException">npm failed.</exception>
    public static async Task CopyAsync(Repository repository, string folder, string target, Action<string> report, CancellationToken cancel)
    {
        await NodePackages.PrepareAsync(repository, folder, report, cancel);
        FileTree.Delete(target);
        Directory.CreateDirectory(target);
        FileTree.Copy(Path.Combine(folder, "dist"), Path.Combine(target, "dist"), path => !IsTest(path));
        foreach (var file in (string[])["package.json", "package-lock.json"])
            File.Copy(Path.Combine(folder, file), Path.Combine(target, file));
        var development = DevelopmentPackages(Path.Combine(folder, "package-lock.json"));
        FileTree.Copy(Path.Combine(folder, Packages), Path.Combine(target, Packages),
            path => !development.Contains($"{Packages}/{path.Replace('\\', '/')}") && path is not (".bin" or ".package-lock.json" or ".installed-lock"));
    }

    /// <summary>The Node.js of this machine, when it is one program that finds everything else in the C and C++ libraries; null when it is spread over a machine.</summary>
    public static async Task<string?> FindSelfContainedNodeAsync(CancellationToken cancel)
    {
        try
        {
            var asked = await ToolRun.RunAsync("node", ["-p", "process.execPath + '\\n' + (process.config.variables.node_shared ?? false)"], Environment.CurrentDirectory, cancel, limit: TimeSpan.FromMinutes(1));
            var lines = asked.Output.Split('\n', StringSplitOptions.TrimEntries);
            return asked.Succeeded && lines is [var path, "false", ..] && File.Exists(path) ? path : null;
        }
        catch (CommandException)
        {
            return null;
        }
    }

    private static bool IsTest(string path) => path.Contains(".test.", StringComparison.Ordinal) || path is "test" or "tests";

    private static HashSet<string> DevelopmentPackages(string lockFile)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(lockFile));
        return [.. document.RootElement.GetProperty("packages").EnumerateObject().Where(p => p.Value.TryGetProperty("dev", out var dev) && dev.GetBoolean()).Select(p => p.Name)];
    }
}
