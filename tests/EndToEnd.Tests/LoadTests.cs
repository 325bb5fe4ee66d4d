using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.LoadTest;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>A short <c>./platform loadtest</c>: every figure is measured, and the exit code says whether the limits were kept.</summary>
public sealed class LoadTests(StackFixture stack)
{
    private const string Stages = "3s:4,2s:4,1s:0";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Customers_order_are_told_and_every_limit_is_judged_by_what_was_measured()
    {
        // Limits for the slowest machine: this is about the driver, not about the machine.
        var (exitCode, report) = await RunAsync(new LoadLimits(120_000, 0.5, 120_000, 120_000, 0.5));

        Assert.Equal(0, exitCode);
        Assert.True(report.Passed);
        Assert.All(report.Thresholds, t => Assert.True(t.Passed, t.ToString()));
        Assert.True(report.Orders > 0);
        Assert.True(report.Requests > report.Iterations);
        Assert.True(report.EventMs is { Count: > 0, P95Ms: > 0 }, report.EventMs.ToString());
        Assert.True(report.OrderDecidedMs is { Count: > 0, P95Ms: > 0 }, report.OrderDecidedMs.ToString());
        Assert.True(report.RequestMs is { Count: > 0, P95Ms: > 0 }, report.RequestMs.ToString());
        Assert.All(report.Checks.Keys.Append("the customer is told of the order"), c => Assert.True(report.Checks[c].Passed > 0, c));
    }

    [Fact]
    public async Task A_limit_that_is_not_kept_is_named_and_the_exit_code_says_so()
    {
        var (exitCode, report) = await RunAsync(new LoadLimits(0.001, 0.5, 120_000, 120_000, 0.5));

        Assert.Equal(99, exitCode);
        Assert.False(report.Passed);
        Assert.StartsWith("http_req_duration", Assert.Single(report.Thresholds, t => !t.Passed).Metric, StringComparison.Ordinal);
    }

    private async Task<(int ExitCode, LoadReport Report)> RunAsync(LoadLimits limits)
    {
        var scenario = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(stack.Root, "loadtest", "scenario.json"), Cancel))!;
        scenario["thresholds"] = JsonSerializer.SerializeToNode(limits, JsonSerializerOptions.Web);
        (scenario["orderWaitSeconds"], scenario["eventWaitSeconds"]) = (60, 60);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, scenario.ToJsonString(), Cancel);
        var run = await stack.TryPlatformAsync(["loadtest", "--scenario", file, "--stages", Stages, "--json"], Cancel);
        File.Delete(file);
        var start = run.Output.IndexOf("\n{", StringComparison.Ordinal);
        Assert.True(start >= 0, run.Output);
        return (run.ExitCode, JsonSerializer.Deserialize<LoadReport>(run.Output[start..(run.Output.LastIndexOf('}') + 1)], ControlJson.Options)!);
    }
}
