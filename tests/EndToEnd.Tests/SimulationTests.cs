using System.Text.Json.Nodes;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>A short <c>./platform simulate</c> with every fault: the platform bears them, and they end with it.</summary>
public sealed class SimulationTests(StackFixture stack)
{
    private static readonly string[] Flags = ["fault-payment-failure-percent", "fault-slow-inventory-ms", "fault-broker-lag-ms"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Virtual_customers_shop_while_faults_are_injected_that_end_with_them()
    {
        var output = await stack.PlatformAsync(
            ["simulate", "--seconds", "12", "--rate", "600", "--customers", "4", "--workers", "1", "--decline", "0", "--cancel", "0",
                "--fail-payments", "100", "--slow-stock", "50", "--broker-lag", "200", "--json"], Cancel);
        var seen = JsonNode.Parse(output[output.LastIndexOf("\n{", StringComparison.Ordinal)..(output.LastIndexOf('}') + 1)])!.AsObject();

        Assert.True((int)seen["visits"]! > 0, output);
        // What the flag says is what happens to each charge; one that was under way before it arrived may have gone through.
        Assert.True((int?)seen["cancelled: PAYMENT_DECLINED"] > ((int?)seen["confirmed"] ?? 0), output);
        foreach (var flag in Flags)
            Assert.Equal("0", (await stack.PlatformAsync(["config", "get", flag], Cancel)).Trim());
    }
}
