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

    [Theory]
    [InlineData("/", "Good things, plainly sold.")]
    [InlineData("/products", "Products")]
    public async Task A_first_visit_takes_few_requests_and_no_more_script_than_a_shop_may_have(string path, string heading)
    {
        await using var visitor = await shop.VisitAsync();
        var page = await visitor.OpenAsync(path);
        await page.HeadingAsync(heading);
        await page.GetByText(new System.Text.RegularExpressions.Regex(@"^\$")).First.WaitForAsync();
        await Assertions.Expect(page.Locator("[aria-busy=true]")).ToHaveCountAsync(0);
        await FirstVisit.AssertLightAsync(page, mostScript: 150 << 10);
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
    public async Task A_shopper_buys_asks_for_money_back_and_cancels_by_keyboard_alone()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        var page = await visitor.OpenAsync($"/products/{ShopFixture.Plenty}");
        await EnterAsync(page, page.GetByRole(AriaRole.Button, new() { Name = "Put in the cart" }));
        await EnterAsync(page, page.GetByRole(AriaRole.Link, new() { Name = "Go to the cart" }));
        await FocusedAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Cart", Level = 1 }));
        await EnterAsync(page, page.GetByRole(AriaRole.Link, new() { Name = "Go to checkout" }));
        await FocusedAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Checkout", Level = 1 }));
        foreach (var (label, text) in ((string, string)[])[("Street and number", "12 St James Square"), ("Postcode", "SW1Y 4JH"), ("City", "London"), ("Country", "United Kingdom")])
        {
            await page.TabToAsync(page.GetByLabel(label));
            await page.Keyboard.TypeAsync(text);
        }

        await page.TabToAsync(page.GetByRole(AriaRole.Button, new() { Name = "…1111" }));
        await page.Keyboard.PressAsync("Space");
        await EnterAsync(page, page.GetByRole(AriaRole.Button, new() { Name = "Place the order" }));
        await page.OrderAsync();
        await FocusedAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Order no. 1", Level = 1 }));
        await page.StatusAsync("CONFIRMED");

        // Whatever way a question is left, the focus is where it was.
        var ask = page.GetByRole(AriaRole.Button, new() { Name = "Ask for money back" });
        await EnterAsync(page, ask);
        await Look.AssertAccessibleAsync(page);
        await page.Keyboard.PressAsync("Escape");
        await FocusedAsync(ask);
        await page.Keyboard.PressAsync("Enter");
        await EnterAsync(page, page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Leave it" }));
        await FocusedAsync(ask);

        await EnterAsync(page, page.GetByRole(AriaRole.Button, new() { Name = "Cancel the order" }));
        await EnterAsync(page, page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Cancel the order" }));
        await page.StatusAsync("CANCELLED");
        await FocusedAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Order no. 1", Level = 1 }));
        await Look.AssertAccessibleAsync(page);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task Taking_something_out_and_turning_pages_loses_no_focus()
    {
        await using var visitor = await shop.VisitAsync();
        var page = await visitor.OpenTabAsync();
        await page.PutInCartAsync(ShopFixture.Plenty);
        await page.GotoAsync("/cart");
        await EnterAsync(page, page.GetByRole(AriaRole.Button, new() { Name = "Take out Desk Lamp, brass" }));
        await FocusedAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Your cart is empty" }));
        await page.GotoAsync("/products?search=notebook");
        await EnterAsync(page, page.GetByRole(AriaRole.Button, new() { Name = "Next page" }));
        await page.GetByRole(AriaRole.Link, new() { Name = "Notebook No. 30", Exact = true }).WaitForAsync();
        await FocusedAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Products", Level = 1 }));
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task Every_page_fits_with_text_of_twice_the_size()
    {
        await using var visitor = await shop.VisitAsync();
        var page = await visitor.OpenAsync("/");
        await page.HeadingAsync("Good things, plainly sold.");
        await page.SetTextSizeAsync(32);
        await page.PutInCartAsync(ShopFixture.Plenty);
        Assert.InRange(await page.EvaluateAsync<double>("() => parseFloat(getComputedStyle(document.documentElement).fontSize)"), 32, 36);
        foreach (var (_, path, heading) in Open.Where(o => o.Path != "/cart").Append(("cart", "/cart", "Cart")))
            await ShowAsync(page, path, heading, null);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task What_is_filled_in_wrongly_is_said_beside_it_and_gets_the_focus()
    {
        await using var visitor = await shop.VisitAsync();
        visitor.Expect("400");
        var page = await visitor.OpenAsync("/register");
        await page.GetByLabel("First name").FillAsync("Ada");
        await page.GetByLabel("Last name").FillAsync("Lovelace");
        await page.GetByLabel("E-mail").FillAsync("no address");
        await page.GetByLabel("Password").FillAsync(Shopper.Password);
        await page.GetByRole(AriaRole.Button, new() { Name = "Create the account" }).ClickAsync();
        await FocusedAsync(page.GetByLabel("E-mail"));
        await Look.AssertAccessibleAsync(page);
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

    private static async Task EnterAsync(IPage page, ILocator target)
    {
        await page.TabToAsync(target);
        await page.Keyboard.PressAsync("Enter");
    }

    private static Task FocusedAsync(ILocator target) => Assertions.Expect(target).ToBeFocusedAsync(new() { Timeout = Chromium.Patience });

    private static async Task ShowAsync(IPage page, string path, string heading, string? picture)
    {
        await page.GotoAsync(path);
        await page.HeadingAsync(heading);
        // Nothing grey is left: what loads has loaded.
        await Assertions.Expect(page.Locator("[aria-busy=true]")).ToHaveCountAsync(0, new() { Timeout = Chromium.Patience });
        await Look.AssertAccessibleAsync(page);
        await Look.AssertFitsAsync(page);
        await Look.AssertStillAsync(page);
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
