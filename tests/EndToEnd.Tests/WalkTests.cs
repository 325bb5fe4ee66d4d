using System.Text.RegularExpressions;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>What the README tells a new user to type.</summary>
public sealed partial class WalkTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_walk_of_the_readme_ends_with_a_confirmed_order()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(stack.Root, "README.md"), Cancel);
        var section = readme[readme.IndexOf("## A walk", StringComparison.Ordinal)..];
        var script = Fence().Match(section).Groups[1].Value;
        Assert.Contains("auth/register", script, StringComparison.Ordinal);

        var run = await ToolRun.RunAsync("bash", ["-euo", "pipefail", "-c", script.Replace("http://localhost:8080", stack.GatewayUrl, StringComparison.Ordinal)], stack.Root, Cancel,
            limit: TimeSpan.FromMinutes(1));

        Assert.True(run.Succeeded, run.Output);
        Assert.Contains("\"status\":\"CONFIRMED\"", run.Output.Split('\n').Last(l => l.Length > 0), StringComparison.Ordinal);
    }

    [Fact]
    public void The_two_commands_stand_in_the_readme()
    {
        var readme = File.ReadAllText(Path.Combine(stack.Root, "README.md"));

        Assert.Contains("./platform up", readme, StringComparison.Ordinal);
        Assert.Contains("./platform test", readme, StringComparison.Ordinal);
    }

    [GeneratedRegex("```bash\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Fence();
}
