using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>The commands of the runbooks, as they stand there.</summary>
public sealed partial class RunbookTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_commands_of_the_runbooks_work()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var customer = new Customer(gateway, $"runbook-{Guid.NewGuid():N}@example.test", "Runbook-Passw0rd-1");
        await customer.RegisterAsync("Runbook", Cancel);
        var order = new JsonObject { ["items"] = new JsonArray(new JsonObject { ["productId"] = "MUG-001", ["quantity"] = 1 }), ["shippingAddress"] = "6 Runbook Street" };
        var placed = await new OrderFlow(null, TimeSpan.FromMinutes(2), TimeProvider.System).PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, Cancel);
        Assert.NotNull(placed.OrderId);

        var text = await File.ReadAllTextAsync(Path.Combine(stack.Root, "docs", "runbooks.md"), Cancel);
        var blocks = Fence().Matches(text).Select(m => m.Groups[1].Value).ToList();
        Assert.NotEmpty(blocks);
        foreach (var block in blocks)
        {
            var script = Command().Replace(block, $"./platform $1 --data-dir '{stack.DataPath}'$2")
                .Replace("$ORDER", placed.OrderId, StringComparison.Ordinal).Replace("http://localhost:8080", stack.GatewayUrl, StringComparison.Ordinal);
            var run = await ToolRun.RunAsync("bash", ["-euo", "pipefail", "-c", script], stack.Root, Cancel, limit: TimeSpan.FromMinutes(3));
            Assert.True(run.Succeeded, $"{script}\n{run.Output}");
        }
    }

    [GeneratedRegex("```bash\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^\./platform (.*?)( \|\| true)?$", RegexOptions.Multiline)]
    private static partial Regex Command();
}
