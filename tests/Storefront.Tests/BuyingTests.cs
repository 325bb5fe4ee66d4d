using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace DaprPlatform.Storefront.Tests;

/// <summary>From the shelf to the order, and what can come in between.</summary>
[Collection(ShopCollection.Name)]
public sealed class BuyingTests(ShopFixture shop)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_shopper_registers_finds_buys_and_sees_the_order_confirmed_live()
    {
        await using var visitor = await shop.VisitAsync();
        var page = await visitor.OpenAsync("/");
        await page.GetByRole(AriaRole.Link, new() { Name = "Products", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Searchbox).FillAsync("desk lamp");
        await page.GetByRole(AriaRole.Searchbox).PressAsync("Enter");
        await page.GetByRole(AriaRole.Link, new() { Name = "Desk Lamp, brass" }).ClickAsync();
        await page.HeadingAsync("Desk Lamp, brass");
        await page.GetByRole(AriaRole.Button, new() { Name = "One more of Desk Lamp, brass" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Put in the cart" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Go to the cart" }).ClickAsync();
        await page.TextAsync("$178.00");
        await page.GetByRole(AriaRole.Link, new() { Name = "Go to checkout" }).ClickAsync();

        // Nobody orders without a name.
        await page.HeadingAsync("First, who are you?");
        await page.GetByRole(AriaRole.Link, new() { Name = "Create an account" }).ClickAsync();
        await page.GetByLabel("First name").FillAsync("Ada");
        await page.GetByLabel("Last name").FillAsync("Lovelace");
        await page.GetByLabel("E-mail").FillAsync(Shopper.NewEmail());
        await page.GetByLabel("Password").FillAsync(Shopper.Password);
        await page.GetByRole(AriaRole.Button, new() { Name = "Create the account" }).ClickAsync();

        await page.HeadingAsync("Checkout");
        await page.FillCheckoutAsync();
        await page.EvaluateAsync("() => { window.sameDocument = true }");
        await page.PlaceAsync();
        var order = await page.OrderAsync();
        await page.StatusAsync("CONFIRMED");
        using var gateway = shop.Stack.Gateway(TimeSpan.FromMinutes(2));
        using var oper = shop.Stack.Operator(gateway);
        foreach (var status in new[] { "PROCESSING", "SHIPPED", "DELIVERED" })
        {
            Assert.True((await oper.SendAsync(HttpMethod.Put, $"api/v1/orders/{order}/status", new JsonObject { ["status"] = status }, Cancel)).Succeeded);
            await page.StatusAsync(status);
        }

        Assert.True(await page.EvaluateAsync<bool>("() => window.sameDocument === true"));
        await page.GetByRole(AriaRole.Link, new() { Name = "Orders", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Order no. 1" }).WaitForAsync();
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_declined_card_ends_the_order_and_the_cart_can_be_filled_again()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        var page = await visitor.OpenTabAsync();
        await page.PutInCartAsync(ShopFixture.Plenty);
        await page.GotoAsync("/checkout");
        await page.FillCheckoutAsync("0002");
        await page.PlaceAsync();
        await page.StatusAsync("CANCELLED");
        await page.TextAsync("The payment was declined.");
        await Look.AssertAccessibleAsync(page);
        await page.GetByRole(AriaRole.Button, new() { Name = "Put everything in the cart again" }).ClickAsync();
        await page.HeadingAsync("Cart");
        await page.TextAsync("Desk Lamp, brass");
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task Stock_that_runs_out_at_the_checkout_cancels_the_order_with_its_reason()
    {
        var sku = $"LAST-{Guid.NewGuid():N}"[..16].ToUpperInvariant();
        await shop.StockAsync(sku, "Last Vase", 1, Cancel);
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        var page = await visitor.OpenTabAsync();
        await page.GotoAsync($"/products/{sku}");
        await page.TextAsync("Only 1 left");
        await page.PutInCartAsync(sku);
        await page.GotoAsync("/checkout");
        await page.FillCheckoutAsync();
        await shop.StockAsync(sku, "Last Vase", 0, Cancel);
        await page.PlaceAsync();
        await page.StatusAsync("CANCELLED");
        await page.TextAsync("There was not enough on our shelf.");
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task An_answer_that_is_lost_is_asked_for_again_and_there_is_one_order()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        // Meant: the first two answers never come.
        visitor.Expect("ERR_FAILED");
        var page = await visitor.OpenTabAsync();
        await page.PutInCartAsync(ShopFixture.Plenty);
        var keys = new List<string>();
        await page.RouteAsync("**/api/v1/orders", async route =>
        {
            if (route.Request.Method != "POST")
            {
                await route.ContinueAsync();
                return;
            }

            keys.Add(route.Request.Headers["idempotency-key"]);
            // It arrives, and nobody hears of it.
            var answer = await route.FetchAsync(new() { Timeout = Chromium.Patience });
            if (keys.Count <= 2)
                await route.AbortAsync();
            else
                await route.FulfillAsync(new() { Response = answer });
        });
        await page.GotoAsync("/checkout");
        await page.FillCheckoutAsync();
        await page.PlaceAsync();
        var order = await page.OrderAsync();
        Assert.Equal(3, keys.Count);
        Assert.Single(keys.Distinct());
        await page.StatusAsync("CONFIRMED");
        Assert.Equal([order], await visitor.OrdersAsync(shop.Address));
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task After_a_reload_it_is_still_the_same_order()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        visitor.Expect("ERR_FAILED");
        var page = await visitor.OpenTabAsync();
        await page.PutInCartAsync(ShopFixture.Plenty);
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Func<IRoute, Task> lose = async route =>
        {
            if (route.Request.Method == "POST" && !arrived.Task.IsCompleted)
            {
                await route.FetchAsync(new() { Timeout = Chromium.Patience });
                arrived.TrySetResult();
            }

            await route.AbortAsync();
        };
        await page.RouteAsync("**/api/v1/orders", lose);
        await page.GotoAsync("/checkout");
        await page.FillCheckoutAsync();
        await page.PlaceAsync();
        await arrived.Task.WaitAsync(TimeSpan.FromMilliseconds(Chromium.Patience), Cancel);
        await page.HeadingAsync("Your order is on its way to us");
        await Look.AssertAccessibleAsync(page);
        await page.UnrouteAsync("**/api/v1/orders", lose);
        await page.ReloadAsync();
        var order = await page.OrderAsync();
        await page.StatusAsync("CONFIRMED");
        Assert.Equal([order], await visitor.OrdersAsync(shop.Address));
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task An_order_is_cancelled_and_its_money_goes_back()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        var page = await visitor.OpenTabAsync();
        await page.PutInCartAsync(ShopFixture.Plenty);
        await page.GotoAsync("/checkout");
        await page.FillCheckoutAsync();
        await page.PlaceAsync();
        await page.OrderAsync();
        await page.StatusAsync("CONFIRMED");

        await page.GetByRole(AriaRole.Button, new() { Name = "Ask for money back" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByLabel("Amount in USD").FillAsync("100");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Ask for it" }).ClickAsync();
        await dialog.GetByText("At most $89.00").WaitForAsync();
        await dialog.GetByLabel("Amount in USD").FillAsync("9.50");
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Ask for it" }).ClickAsync();
        await page.TextAsync("$9.50 back");

        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel the order" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Cancel the order" }).ClickAsync();
        await page.StatusAsync("CANCELLED");
        await page.TextAsync("You cancelled this order.");
        visitor.AssertQuiet();
    }
}
