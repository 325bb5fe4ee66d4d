using Microsoft.Playwright;

namespace DaprPlatform.OpsPages.Tests;

/// <summary>Every page, for everyone: axe finds nothing, nothing stands out to the right, nothing fails.</summary>
[Collection(MockCollection.Name)]
public sealed class EveryPageTests(MockFixture console)
{
    // Instances of the mock: one that retries, one that waited for a human, one that was declined.
    private const string Retrying = "/workflows/orders/ORD-0000070194B";
    private const string Approved = "/workflows/orders/ORD-0000220FB61";
    private const string Declined = "/workflows/orders/ORD-0000370FCCD";

    /// <summary>Path and heading.</summary>
    public static TheoryData<string, string> Pages => new()
    {
        { "/", "Home" }, { "/status", "Home" }, { "/workflows", "Workflows" }, { Retrying, "ORD-0000070194B" },
        { Approved, "ORD-0000220FB61" }, { Declined + "?turn=4&tab=logs", "ORD-0000370FCCD" }, { Declined + "?tab=spans", "ORD-0000370FCCD" }, { "/traces", "Traces" },
        { "/traces/993437fa0217ce5d41c2a1c809c575c6", "Trace" }, { "/logs", "Logs" }, { "/metrics", "Metrics" }, { "/audit", "Audit" },
        { "/dapr", "Dapr" }, { "/dapr/configurations", "Dapr" }, { "/dapr/subscriptions", "Dapr" }, { "/dapr/topics?topic=order_created", "Dapr" },
        { "/dapr/topics?topic=parcels", "Dapr" }, { "/dapr/topics?topic=shop-bell", "Dapr" },
        { "/dapr/dead-letters?letter=order_status_changed.dlq%2F0%2F3", "Dapr" }, { "/dapr/state", "Dapr" }, { "/dapr/items", "Dapr" }, { "/dapr/resiliency", "Dapr" },
        { "/dapr/actors?type=Basket", "Dapr" }, { "/dapr/jobs", "Dapr" }, { "/dapr/locks", "Dapr" }, { "/dapr/calls", "Dapr" }, { "/nowhere", "There is no such page" },
    };

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task A_page_is_accessible_and_fits_any_window_in_dark_and_light(string path, string heading)
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync(path);
        foreach (var scheme in (ColorScheme[])[ColorScheme.Dark, ColorScheme.Light])
        {
            await page.EmulateMediaAsync(new() { ColorScheme = scheme });
            await LoadedAsync(page, heading);
            await Look.AssertAccessibleAsync(page);
            await Look.AssertStillAsync(page);
        }

        foreach (var width in (int[])[360, 3840])
        {
            await page.SetViewportSizeAsync(width, 900);
            await LoadedAsync(page, heading);
            await Look.AssertFitsAsync(page);
        }

        visitor.AssertQuiet();
    }

    [Fact]
    public async Task Dialogs_are_accessible()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync("/");
        await LoadedAsync(page, "Home");
        await page.GetByRole(AriaRole.Button, new() { Name = "Stop orders" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).WaitForAsync();
        await Look.AssertAccessibleAsync(page);
        await page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(page.GetByRole(AriaRole.Dialog)).ToHaveCountAsync(0);
        // The focus is where it was.
        await Assertions.Expect(page.GetByRole(AriaRole.Button, new() { Name = "Stop orders" })).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Control+k");
        await page.GetByRole(AriaRole.Combobox).WaitForAsync();
        await Look.AssertAccessibleAsync(page);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task The_keyboard_alone_finds_an_order()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync("/");
        await LoadedAsync(page, "Home");
        await page.Keyboard.PressAsync("Control+k");
        await page.GetByRole(AriaRole.Combobox).WaitForAsync();
        await page.Keyboard.TypeAsync("ORD-0000220FB61");
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync("**" + Approved);
        await LoadedAsync(page, "ORD-0000220FB61");
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task An_app_is_stopped_and_started_by_keyboard_alone()
    {
        // One of its own: it is changed.
        await using var own = await MockConsole.StartAsync();
        await using var visitor = await console.VisitAsync(own);
        var page = await visitor.OpenAsync("/");
        await page.TabToAsync(page.GetByRole(AriaRole.Button, new() { Name = "Stop orders", Exact = true }));
        await page.Keyboard.PressAsync("Enter");
        var dialog = page.GetByRole(AriaRole.Dialog);
        await page.TabToAsync(dialog.GetByRole(AriaRole.Button, new() { Name = "Stop orders" }));
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(dialog).ToHaveCountAsync(0);
        // The button has given way to the other one, which has the focus now.
        await Assertions.Expect(page.GetByRole(AriaRole.Button, new() { Name = "Start orders", Exact = true })).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.GetByRole(AriaRole.Button, new() { Name = "Stop orders", Exact = true }).WaitForAsync();
        await Assertions.Expect(page.Locator("[data-actions=orders] button:focus")).ToHaveCountAsync(1);
        visitor.AssertQuiet();
    }

    [Theory]
    [InlineData("/", "Home")]
    [InlineData("/workflows", "Workflows")]
    [InlineData(Retrying, "ORD-0000070194B")]
    [InlineData("/logs", "Logs")]
    [InlineData("/metrics", "Metrics")]
    [InlineData("/dapr/topics?topic=order_created", "Dapr")]
    [InlineData("/dapr/dead-letters?letter=order_status_changed.dlq%2F0%2F3", "Dapr")]
    public async Task A_page_fits_with_text_of_twice_the_size(string path, string heading)
    {
        await using var visitor = await console.VisitAsync(1280, 800);
        var page = await visitor.OpenAsync(path);
        await LoadedAsync(page, heading);
        var usual = await SizeOfTextAsync(page);
        await page.SetTextSizeAsync(32);
        await LoadedAsync(page, heading);
        Assert.Equal(2, await SizeOfTextAsync(page) / usual, 2);
        await Look.AssertFitsAsync(page);
        await Look.AssertAccessibleAsync(page);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_new_page_is_heard_by_its_heading()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync("/");
        await LoadedAsync(page, "Home");
        foreach (var name in (string[])["Workflows", "Metrics", "Home"])
        {
            await page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }).ClickAsync();
            await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1, Name = name })).ToBeFocusedAsync();
        }

        visitor.AssertQuiet();
    }

    [Fact]
    public async Task The_events_of_a_history_are_gone_through_by_keyboard()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync(Retrying);
        await LoadedAsync(page, "ORD-0000070194B");
        var events = page.GetByRole(AriaRole.List, new() { NameRegex = new("^History") }).GetByRole(AriaRole.Button, new() { NameRegex = new("^event ") });
        // One of them is in the order of the Tab key.
        await page.Locator("button[data-event][tabindex='0']").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("button[data-event]:focus")).ToHaveAttributeAsync("aria-pressed", "true");
        var first = await page.Locator("button[data-event]:focus").GetAttributeAsync("data-event");
        await page.Keyboard.PressAsync("ArrowDown");
        await Assertions.Expect(page.Locator("button[data-event]:focus")).Not.ToHaveAttributeAsync("data-event", first!);
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("button[data-event]:focus")).ToHaveAttributeAsync("aria-pressed", "true");
        await page.Keyboard.PressAsync("ArrowUp");
        await Assertions.Expect(page.Locator("button[data-event]:focus")).ToHaveAttributeAsync("data-event", first!);
        Assert.NotEqual(0, await events.CountAsync());
        await Look.AssertAccessibleAsync(page);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task What_somebody_else_changes_is_seen_without_asking()
    {
        // One of its own: it is changed.
        await using var own = await MockConsole.StartAsync();
        await using var visitor = await console.VisitAsync(own);
        var items = await visitor.OpenAsync("/dapr/items");
        await LoadedAsync(items, "Dapr");
        var state = await visitor.OpenAsync("/dapr/state");
        await LoadedAsync(state, "Dapr");
        var keys = state.GetByRole(AriaRole.List, new() { Name = "Keys" });
        var key = await keys.GetByRole(AriaRole.Button).First.Locator("span").First.InnerTextAsync();
        await state.GetByText("Live", new() { Exact = true }).WaitForAsync();
        await items.GetByText("Live", new() { Exact = true }).WaitForAsync();

        var other = visitor.Context.APIRequest;
        var headers = new Dictionary<string, string> { ["X-Console"] = "1" };
        await other.PutAsync("/api/v1/dapr/configuration/configstore/approval-threshold", new() { DataObject = new { value = "77777" }, Headers = headers });
        await items.GetByRole(AriaRole.Cell, new() { Name = "77777" }).WaitForAsync();
        await other.DeleteAsync($"/api/v1/dapr/state/basket/statestore/{Uri.EscapeDataString(key)}", new() { Headers = headers });
        await Assertions.Expect(keys.GetByText(key, new() { Exact = true })).ToHaveCountAsync(0);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task What_works_is_shown_while_other_parts_are_down()
    {
        await using var broken = await MockConsole.StartAsync("--broken", "/business", "--broken", "/traces", "--broken", "/logs");
        await using var visitor = await console.VisitAsync(broken);
        visitor.Expect("503");
        var page = await visitor.OpenAsync("/");
        await page.GetByRole(AriaRole.Cell, new() { Name = "notifications", Exact = true }).WaitForAsync();
        await page.GetByRole(AriaRole.Alert).First.WaitForAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).First).ToBeVisibleAsync();
        await page.GotoAsync(Approved);
        await page.GetByRole(AriaRole.Button, new() { NameRegex = new("^HoldStock") }).First.WaitForAsync();
        await Look.AssertAccessibleAsync(page);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task Nobody_sees_anything_before_signing_in()
    {
        await using var guarded = await MockConsole.StartAsync("--sign-in");
        await using var visitor = await console.VisitAsync(guarded);
        visitor.Expect("401");
        var page = await visitor.OpenAsync("/workflows");
        await page.GetByRole(AriaRole.Heading, new() { Name = "Sign in to the console" }).WaitForAsync();
        await Look.AssertAccessibleAsync(page);
        await page.GetByLabel("Name").FillAsync("ada");
        await page.GetByLabel("Password").FillAsync("wrong");
        await page.Keyboard.PressAsync("Enter");
        await page.GetByRole(AriaRole.Alert).WaitForAsync();
        await page.GetByLabel("Password").FillAsync("correct-horse");
        await page.Keyboard.PressAsync("Enter");
        await LoadedAsync(page, "Workflows");
        visitor.AssertQuiet();
    }

    private static Task<double> SizeOfTextAsync(IPage page) => page.EvaluateAsync<double>("() => parseFloat(getComputedStyle(document.querySelector('main h1')).fontSize)");

    private static async Task LoadedAsync(IPage page, string heading)
    {
        await page.GetByRole(AriaRole.Heading, new() { Level = 1, NameRegex = new("^" + System.Text.RegularExpressions.Regex.Escape(heading)) }).WaitForAsync();
        await Assertions.Expect(page.GetByLabel("Loading")).ToHaveCountAsync(0);
        await page.EvaluateAsync("async () => { await document.fonts.ready }");
    }
}
