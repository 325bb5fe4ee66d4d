using DaprPlatform.Cli;
using DaprPlatform.Cli.Processes;

// One after the other: two of them install the same packages, and npm empties the folder under the other's feet.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace DaprPlatform.Deployment.Tests;

internal static class Support
{
    public static string Root { get; } = Repository.Find().Root;

    public static string At(params string[] parts) => Path.Combine([Root, .. parts]);

    public static Task<ToolResult> RunAsync(string tool, params string[] arguments) =>
        ToolRun.RunAsync(tool, arguments, Root, TestContext.Current.CancellationToken, limit: TimeSpan.FromMinutes(5));
}
