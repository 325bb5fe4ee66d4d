using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>Each service is asked to stop and started again while customers order: what is under way is finished, and what comes meanwhile is served after it.</summary>
public sealed class RollingRestartTests(StackFixture stack) : IAsyncDisposable
{
    private const int Customers = 4;
    // Below the limit of a call (components/resiliency.yaml).
    private static readonly TimeSpan Held = TimeSpan.FromSeconds(7);
    private static readonly string[] Apps = ["payments", "inventory", "users", "basket", "orders", "webhooks", "notifications", "gateway"];
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => new(stack.ServesAgainAsync());

    [Fact]
    public async Task No_order_fails_while_every_service_is_restarted_in_turn()
    {
        using var gateway = stack.Gateway(Patience);
        using var oper = stack.Operator(gateway);
        var product = new JsonObject { ["sku"] = "ROLL-001", ["name"] = "Rolling", ["priceMinor"] = 100, ["stock"] = 1_000_000 };
        Assert.True((await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = new JsonArray(product) }, Cancel)).Succeeded);
        var invariants = stack.Invariants();
        var start = await invariants.StockAsync(Cancel);
        var outcomes = new ConcurrentBag<OrderOutcome>();
        using var restarted = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var ordering = Task.WhenAll(Enumerable.Range(0, Customers).Select(_ => OrderAsync(gateway, outcomes, restarted.Token)));

        foreach (var app in Apps)
        {
            var (ended, again, started) = (outcomes.Count, gateway.Retries, TimeProvider.System.GetTimestamp());
            await stack.PlatformAsync(["restart", app], Cancel);
            using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
            // Orders go on behind the restart before the next one.
            while ((await stack.RefreshAsync(Cancel)).Apps.Single(a => a.App == app).State != UnitState.Healthy || outcomes.Count < ended + Customers)
            {
                Assert.False(ordering.IsFaulted, ordering.Exception?.ToString());
                await interval.WaitForNextTickAsync(Cancel);
            }

            var (took, retries) = (TimeProvider.System.GetElapsedTime(started), gateway.Retries - again);
            TestContext.Current.TestOutputHelper?.WriteLine($"{app}: {took.TotalSeconds:F1} s, {retries} requests sent again");
            // Calls wait for the service behind the gateway, as long as their time limit lets them, and connections for the gateway itself, whose port the platform
            // keeps. What a customer sends just when the gateway closes an idle connection is sent again: the price of keeping connections.
            if (took < Held)
                Assert.InRange(retries, 0, app == "gateway" ? Customers : 0);
        }

        await restarted.CancelAsync();
        await ordering;
        TestContext.Current.TestOutputHelper?.WriteLine($"{outcomes.Count} orders, {gateway.Retries} requests sent again");
        Assert.DoesNotContain(outcomes, o => o.Fate != OrderFate.Confirmed);
        await Books.BalanceAsync(invariants, start, stack, Cancel);
    }

    private static async Task OrderAsync(GatewayClient gateway, ConcurrentBag<OrderOutcome> outcomes, CancellationToken until)
    {
        using var customer = new Customer(gateway, $"rolling-{Guid.NewGuid():N}@example.test", "Rolling-Passw0rd-1");
        await customer.RegisterAsync("Rolling", Cancel);
        var flow = new OrderFlow(null, Patience, TimeProvider.System);
        while (!until.IsCancellationRequested)
        {
            var order = new JsonObject { ["items"] = new JsonArray(new JsonObject { ["productId"] = "ROLL-001", ["quantity"] = 1 }), ["shippingAddress"] = "9 Rolling Restart Road" };
            outcomes.Add(await flow.PlaceAsync(customer, "", Guid.NewGuid().ToString(), order, Cancel));
        }
    }
}
