using Microsoft.Playwright;

namespace DaprPlatform.Storefront.Tests;

/// <summary>Every page for everybody: any width, light and dark, by keyboard and by ear.</summary>
[Collection(ShopCollection.Name)]
public sealed class PageTests(ShopFixture shop)
{
    private static readonly (string Name, string Path, string Heading)[] Open =
    [
        ("home", "/", "Good things, plainly sold."), ("products", "/products", "Products"), ("product", $"/products/{ShopFixture.Plenty}", "Desk Lamp, brass"),
        ("empty-cart", "/cart", "Your cart is empty"), ("gate", "/checkout", "First, who are you?"), ("login", "/login", "Sign in"), ("register", "/register", "Create an account"),
        ("not-allowed", "/not-allowed", "This is not for your account"), ("not-found", "/nowhere", "There is nothing at this address"),
    ];

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(360, ColorScheme.Light)]
    [InlineData(3840, ColorScheme.Light)]
    public async Task Every_page_is_readable_for_everybody_and_fits(int width, ColorScheme colors)
    {
        await using var visitor = await shop.VisitAsync(width, width > 2000 ? 2160 : 800, options => options.ColorScheme = colors);
        var page = await visitor.OpenTabAsync();
        foreach (var (name, path, heading) in Open)
            await ShowAsync(page, path, heading, PictureOf(name, width, colors));

        await visitor.HasAccountAsync(shop.Address);
        await page.PutInCartAsync(ShopFixture.Plenty);
        await page.PutInCartAsync("KETTLE-017");
        await ShowAsync(page, "/cart", "Cart", PictureOf("cart", width, colors));
        await ShowAsync(page, "/checkout", "Checkout", PictureOf("checkout", width, colors));
        await page.FillCheckoutAsync();
        await page.PlaceAsync();
        var order = await page.OrderAsync();
        await page.StatusAsync("CONFIRMED");
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel the order" }).ClickAsync();
        await Look.AssertAccessibleAsync(page);
        await Look.AssertFitsAsync(page);
        await page.Keyboard.PressAsync("Escape");
        await ShowAsync(page, $"/orders/{order}", "Order no. 1", PictureOf("order", width, colors));
        await ShowAsync(page, "/orders", "Orders", PictureOf("orders", width, colors));
        await ShowAsync(page, "/profile", "Your profile", PictureOf("profile", width, colors));
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task The_back_button_goes_to_what_was_seen_where_it_was()
    {
        await using var visitor = await shop.VisitAsync();
        var page = await visitor.OpenAsync("/products?search=notebook");
        await page.TextAsync("30 products");
        await page.GetByRole(AriaRole.Button, new() { Name = "Next page" }).ClickAsync();
        var last = page.GetByRole(AriaRole.Link, new() { Name = "Notebook No. 30", Exact = true });
        await last.ScrollIntoViewIfNeededAsync();
        await page.EvaluateAsync("() => window.scrollTo(0, document.documentElement.scrollHeight)");
        var place = await page.EvaluateAsync<double>("() => window.scrollY");
        await last.ClickAsync();
        await page.HeadingAsync("Notebook No. 30");
        await page.GoBackAsync();
        await last.WaitForAsync();
        await page.WaitForFunctionAsync("place => Math.abs(window.scrollY - place) < 2", place);
        await page.GoBackAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Notebook No. 1", Exact = true }).WaitForAsync();
        Assert.EndsWith("/products?search=notebook", page.Url, StringComparison.Ordinal);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task Back_from_an_order_that_was_placed_does_not_lead_to_its_checkout()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        var page = await visitor.OpenTabAsync();
        await page.PutInCartAsync(ShopFixture.Plenty);
        await page.GetByRole(AriaRole.Link, new() { Name = "Go to the cart" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Go to checkout" }).ClickAsync();
        await page.FillCheckoutAsync();
        await page.PlaceAsync();
        await page.OrderAsync();
        await page.GoBackAsync();
        await page.HeadingAsync("Your cart is empty");
        visitor.AssertQuiet();
    }

    [Theory]
    [InlineData("/products/NO-SUCH-THING", "We do not have this product")]
    [InlineData("/orders/ORD-01900000-0000-7000-8000-00000000dead", "There is no such order in your account")]
    [InlineData("/products/%E0%A4%A", "There is nothing at this address")]
    public async Task What_is_not_there_is_said_so(string path, string heading)
    {
        await using var visitor = await shop.VisitAsync();
        visitor.Expect("404");
        visitor.Expect("400");
        await visitor.HasAccountAsync(shop.Address);
        var page = await visitor.OpenAsync(path);
        await page.HeadingAsync(heading);
        await Look.AssertAccessibleAsync(page);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_shopper_needs_no_mouse()
    {
        await using var visitor = await shop.VisitAsync();
        var page = await visitor.OpenAsync("/");
        await page.HeadingAsync("Good things, plainly sold.");
        await page.Keyboard.PressAsync("Tab");
        await Assertions.Expect(page.GetByRole(AriaRole.Link, new() { Name = "Skip to the content" })).ToBeFocusedAsync(new() { Timeout = Chromium.Patience });
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Tab");
        await Assertions.Expect(page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Link, new() { Name = "See all products" })).ToBeFocusedAsync(new() { Timeout = Chromium.Patience });
        await page.Keyboard.PressAsync("Enter");
        // The new page is heard: its heading has the focus.
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Products", Level = 1 })).ToBeFocusedAsync(new() { Timeout = Chromium.Patience });
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_service_that_is_away_is_told_and_asked_again()
    {
        await using var visitor = await shop.VisitAsync();
        visitor.Expect("503");
        var page = await visitor.OpenTabAsync();
        Func<IRoute, Task> away = route => route.FulfillAsync(new() { Status = 503, ContentType = "application/problem+json", Body = """{"status":503,"code":"unavailable"}""" });
        await page.RouteAsync("**/api/v1/inventory/products?*", away);
        await page.GotoAsync("/products");
        await page.TextAsync("One of our services is away for a moment.");
        await Look.AssertAccessibleAsync(page);
        await page.UnrouteAsync("**/api/v1/inventory/products?*", away);
        await page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Alarm Clock" }).WaitForAsync();
        visitor.AssertQuiet();
    }

    [Fact]
    public void The_script_is_small()
    {
        const long most = 150 * 1024;
        var assets = Path.Combine(Look.Root(), "artifacts", "web", "storefront", "assets");
        Assert.InRange(Directory.GetFiles(assets, "*.js.gz").Sum(f => new FileInfo(f).Length), 1, most);
    }

    private static async Task ShowAsync(IPage page, string path, string heading, string? picture)
    {
        await page.GotoAsync(path);
        await page.HeadingAsync(heading);
        // Nothing grey is left: what loads has loaded.
        await Assertions.Expect(page.Locator("[aria-busy=true]")).ToHaveCountAsync(0, new() { Timeout = Chromium.Patience });
        await Look.AssertAccessibleAsync(page);
        await Look.AssertFitsAsync(page);
        if (picture is not null)
            await Look.PhotographAsync(page, "storefront-" + picture);
    }

    private static string? PictureOf(string name, int width, ColorScheme colors) => (width, colors) switch
    {
        (1280, ColorScheme.Light) => name,
        (1280, ColorScheme.Dark) when name is "product" or "order" => name + "-dark",
        (360, _) when name is "home" or "order" => name + "-small",
        _ => null,
    };
}
