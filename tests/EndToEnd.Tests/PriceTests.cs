using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>Orders may go by a price that was told a moment ago, and not for long.</summary>
public sealed class PriceTests(StackFixture stack)
{
    private readonly string _sku = $"PRICE-{Guid.NewGuid():N}";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_price_that_was_imported_takes_effect_while_orders_come_one_after_the_other()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var oper = stack.Operator(gateway);
        using var customer = new Customer(gateway, $"price-{Guid.NewGuid():N}@example.test", "Price-Passw0rd-1");
        await customer.RegisterAsync("Price", Cancel);
        await ImportAsync(oper, 700);
        Assert.Equal(700, await TotalAsync(customer));

        await ImportAsync(oper, 900);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        deadline.CancelAfter(TimeSpan.FromMinutes(1));
        long total;
        while ((total = await TotalAsync(customer)) != 900)
        {
            // That it is not asked for again meanwhile must not keep it.
            Assert.Equal(700, total);
            deadline.Token.ThrowIfCancellationRequested();
        }
    }

    private async Task ImportAsync(Customer oper, long price)
    {
        var products = new JsonArray(new JsonObject { ["sku"] = _sku, ["name"] = "Priced", ["priceMinor"] = price, ["stock"] = 100_000 });
        var answer = await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = products }, Cancel);
        Assert.True(answer.Succeeded, answer.ToString());
    }

    private async Task<long> TotalAsync(Customer customer)
    {
        var order = new JsonObject
        {
            ["items"] = new JsonArray(new JsonObject { ["productId"] = _sku, ["quantity"] = 1 }),
            ["shippingAddress"] = "1 Second Street",
        };
        var placed = await customer.SendAsync(HttpMethod.Post, "api/v1/orders", order, Cancel, ("Idempotency-Key", Guid.NewGuid().ToString()), ("Prefer", "wait=30"));
        Assert.True(placed.Succeeded, placed.ToString());
        return (long)placed.Data!["totalMinor"]!;
    }
}
