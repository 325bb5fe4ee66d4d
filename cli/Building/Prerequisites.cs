using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Building;

/// <summary>The tools that building and running need.</summary>
internal static class Prerequisites
{
    private const int OldestNode = 20;
    private const int OldestSdk = 10;

    /// <exception cref="CommandException">One is missing or too old.</exception>
    public static async Task CheckAsync(RunFile file, CancellationToken cancel)
    {
        if (file.Apps.Any(a => a.Command is ["node" or "npm" or "npx", ..]) && await NodeAsync(cancel) is { Problem: { } problem })
            throw new CommandException(problem);
    }

    public static async Task<(string? Version, string? Problem)> NodeAsync(CancellationToken cancel, string node = "node") =>
        await AskAsync(node, OldestNode, "Node.js", "https://nodejs.org", cancel);

    public static async Task<(string? Version, string? Problem)> SdkAsync(CancellationToken cancel) =>
        await AskAsync(Repository.DotnetHost, OldestSdk, "The .NET SDK", "https://dot.net", cancel);

    private static async Task<(string? Version, string? Problem)> AskAsync(string tool, int oldest, string name, string source, CancellationToken cancel)
    {
        try
        {
            var said = await ToolRun.RunAsync(tool, ["--version"], Environment.CurrentDirectory, cancel, limit: TimeSpan.FromSeconds(30));
            var version = said.Output.Trim().TrimStart('v');
            return said.Succeeded && int.TryParse(version.Split('.')[0], out var major) && major >= oldest
                ? (version, null)
                : (version, $"{name} is too old ({version}): version {oldest} or newer is needed ({source}).");
        }
        catch (CommandException)
        {
            return (null, $"{name} is missing: install version {oldest} or newer ({source}) and run this again.");
        }
    }
}
