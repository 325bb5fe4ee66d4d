using System.Net;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>One contract, whoever drives the orders: the workflow, or the events from service to service.</summary>
public sealed class OrderModeTests(StackFixture stack) : IAsyncDisposable
{
    private const string Plenty = "MODE-001";
    private const string Orchestrated = "orchestrated";
    private const int Buyers = 12;
    private const int Left = 5;
    private readonly string _scarce = $"MODE-{Guid.NewGuid():N}";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync() => await SetModeAsync(Orchestrated, CancellationToken.None);

    [Theory]
    [InlineData(Orchestrated)]
    [InlineData("choreographed")]
    public async Task Orders_end_the_same_way_whoever_drives_them(string mode)
    {
        await SetModeAsync(mode, Cancel);
        using var gateway = stack.Gateway(Patience);
        using var oper = stack.Operator(gateway);
        await StockAsync(oper);
        using var customer = new Customer(gateway, $"mode-{Guid.NewGuid():N}@example.test", "Mode-Passw0rd-1");
        await customer.RegisterAsync("Mode", Cancel);
        var invariants = stack.Invariants();
        var start = await invariants.StockAsync(Cancel);
        var flow = new OrderFlow(oper, Patience, TimeProvider.System);

        var confirmed = await PlaceAsync(flow, customer, Plenty, "tok_approve");
        TestContext.Current.TestOutputHelper?.WriteLine($"confirmed after {confirmed.Milliseconds:F0} ms");
        Assert.Equal((OrderFate.Confirmed, null), (confirmed.Fate, confirmed.Reason));
        Assert.Equal(mode, await invariants.ModeOfAsync(confirmed.OrderId!, Cancel));
        Assert.Equal(["PENDING", "CONFIRMED"], await HistoryAsync(customer, confirmed.OrderId!));

        var awaited = await customer.SendAsync(HttpMethod.Post, "api/v1/orders", Order(Plenty, "tok_approve", 1), Cancel, ("Prefer", "wait=30"));
        Assert.Equal((HttpStatusCode.Created, "CONFIRMED"), (awaited.Status, (string?)awaited.Data?["status"]));
        Assert.Equal($"/api/v1/orders/{awaited.Data!["id"]}", awaited.Headers.Location?.ToString());

        var declined = await PlaceAsync(flow, customer, Plenty, "tok_decline");
        TestContext.Current.TestOutputHelper?.WriteLine($"declined after {declined.Milliseconds:F0} ms");
        Assert.Equal((OrderFate.Cancelled, "PAYMENT_DECLINED"), (declined.Fate, declined.Reason));

        // More buyers than pieces, each posting twice with one key: the pieces are sold, and nobody gets two orders.
        var keys = Enumerable.Range(0, Buyers).Select(_ => Guid.NewGuid().ToString()).ToArray();
        var outcomes = await Task.WhenAll(keys.Concat(keys).Select(key => PlaceAsync(flow, customer, _scarce, "tok_approve", key)));
        var orders = outcomes.GroupBy(o => o.OrderId).Select(g => g.First()).ToList();
        Assert.Equal(Buyers, orders.Count);
        TestContext.Current.TestOutputHelper?.WriteLine($"the last of {orders.Count} after {orders.Max(o => o.Milliseconds):F0} ms");
        Assert.Equal(Left, orders.Count(o => o.Fate == OrderFate.Confirmed));
        Assert.Equal(Buyers - Left, orders.Count(o => o is { Fate: OrderFate.Cancelled, Reason: "OUT_OF_STOCK" }));

        await CancelAsync(customer, confirmed.OrderId!);
        var large = await PlaceAsync(flow, customer, Plenty, "tok_approve", quantity: 100);
        Assert.Equal(OrderFate.Confirmed, large.Fate);
        // A human decides on it, so the workflow drives it.
        Assert.Equal(Orchestrated, await invariants.ModeOfAsync(large.OrderId!, Cancel));
        await Books.BalanceAsync(invariants, start, stack, Cancel);
    }

    [Fact]
    public async Task An_order_whose_chain_of_events_is_slow_can_be_cancelled_meanwhile()
    {
        await SetModeAsync("choreographed", Cancel);
        using var gateway = stack.Gateway(Patience);
        using var oper = stack.Operator(gateway);
        await StockAsync(oper);
        using var customer = new Customer(gateway, $"mode-{Guid.NewGuid():N}@example.test", "Mode-Passw0rd-1");
        await customer.RegisterAsync("Mode", Cancel);
        var invariants = stack.Invariants();
        var start = await invariants.StockAsync(Cancel);
        await stack.SetAsync("fault-broker-lag-ms", "1000", Cancel);
        try
        {
            await stack.UntilLoggedAsync("orders", "The setting fault-broker-lag-ms is ", "1000", Cancel);
            var placed = await customer.SendAsync(HttpMethod.Post, "api/v1/orders", Order(Plenty, "tok_approve", 1), Cancel, ("Idempotency-Key", Guid.NewGuid().ToString()));
            await CancelAsync(customer, (string)placed.Data!["id"]!);
        }
        finally
        {
            await stack.SetAsync("fault-broker-lag-ms", "0", CancellationToken.None);
        }

        await Books.BalanceAsync(invariants, start, stack, Cancel);
    }

    private async Task SetModeAsync(string mode, CancellationToken cancel)
    {
        await stack.SetAsync("order-mode", mode, cancel);
        await stack.UntilLoggedAsync("orders", "The setting order-mode is ", mode, cancel);
    }

    private async Task StockAsync(Customer oper)
    {
        var products = new JsonArray(
            new JsonObject { ["sku"] = Plenty, ["name"] = "Plenty", ["priceMinor"] = 6_000, ["stock"] = 100_000 },
            new JsonObject { ["sku"] = _scarce, ["name"] = "Scarce", ["priceMinor"] = 100, ["stock"] = Left });
        Assert.True((await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = products }, Cancel)).Succeeded);
    }

    private static async Task CancelAsync(Customer customer, string order)
    {
        var answer = await customer.SendAsync(HttpMethod.Post, $"api/v1/orders/{order}/cancel", new JsonObject { ["reason"] = "changed my mind" }, Cancel);
        Assert.True(answer.Succeeded, answer.ToString());
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(Patience);
        JsonNode? read;
        while ((string?)(read = (await customer.SendAsync(HttpMethod.Get, $"api/v1/orders/{order}", null, deadline.Token)).Data)!["status"] != "CANCELLED")
            await interval.WaitForNextTickAsync(deadline.Token);
        Assert.Equal("CANCELLED_BY_CUSTOMER", (string?)read["reason"]);
    }

    private static async Task<IEnumerable<string?>> HistoryAsync(Customer customer, string order) =>
        (await customer.SendAsync(HttpMethod.Get, $"api/v1/orders/{order}", null, Cancel)).Data!["history"]!.AsArray().Select(h => (string?)h!["status"]);

    private static Task<OrderOutcome> PlaceAsync(OrderFlow flow, Customer customer, string sku, string token, string? key = null, int quantity = 1) =>
        flow.PlaceAsync(customer, sku, key ?? Guid.NewGuid().ToString(), Order(sku, token, quantity), Cancel);

    private static JsonObject Order(string sku, string token, int quantity) => new()
    {
        ["items"] = new JsonArray(new JsonObject { ["productId"] = sku, ["quantity"] = quantity }),
        ["shippingAddress"] = "5 Two Ways Street",
        ["payment"] = new JsonObject { ["method"] = "CREDIT_CARD", ["token"] = token },
    };
}
