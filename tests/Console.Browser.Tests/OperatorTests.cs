using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace DaprPlatform.OpsBrowser.Tests;

/// <summary>What an operator does in the console, on a real stack.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class OperatorTests(ConsoleFixture console)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_order_waits_while_payments_is_stopped_and_ends_when_it_is_started_again()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync("/");
        try
        {
            await page.GetByRole(AriaRole.Button, new() { Name = "Stop payments", Exact = true }).ClickAsync();
            await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Stop payments" }).ClickAsync();
            await page.GetByRole(AriaRole.Button, new() { Name = "Start payments", Exact = true }).WaitForAsync();
            await Look.AssertAccessibleAsync(page);
            await Look.PhotographAsync(page, "console-stopped");

            var order = await console.PlaceAsync(Cancel);
            await JumpAsync(page, order);
            var row = page.GetByRole(AriaRole.Button, new() { NameRegex = new("^AuthorizePayment") }).First;
            await row.WaitForAsync();
            await page.GetByText("Waits for").WaitForAsync();
            await page.GetByText("running", new() { Exact = true }).First.WaitForAsync();
            await Look.PhotographAsync(page, "console-order-waits");

            await page.GetByRole(AriaRole.Link, new() { Name = "Home", Exact = true }).ClickAsync();
            await page.GetByRole(AriaRole.Button, new() { Name = "Start payments", Exact = true }).ClickAsync();
            await page.GetByRole(AriaRole.Button, new() { Name = "Stop payments", Exact = true }).WaitForAsync();
            await JumpAsync(page, order);
            await page.GetByText("completed", new() { Exact = true }).First.WaitForAsync();
            await page.GetByRole(AriaRole.Button, new() { NameRegex = new("^ConfirmOrder") }).First.WaitForAsync();
            await Look.AssertAccessibleAsync(page);
            await Look.PhotographAsync(page, "console-order");
            visitor.AssertQuiet();
        }
        finally
        {
            await console.Stack.PlatformAsync(["restart", "payments"], CancellationToken.None);
            await console.Stack.ServesAgainAsync();
        }
    }

    [Fact]
    public async Task The_history_of_an_order_is_stepped_through_turn_by_turn()
    {
        var order = await console.PlaceAsync(Cancel);
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync($"/order/{order}");
        await page.GetByText("completed", new() { Exact = true }).First.WaitForAsync();
        var confirm = page.GetByRole(AriaRole.Button, new() { NameRegex = new("^ConfirmOrder") });
        await confirm.First.WaitForAsync();

        // At the first turn nothing is confirmed yet, and the first step is awaited.
        await page.GetByRole(AriaRole.Button, new() { Name = "First turn" }).ClickAsync();
        await page.GetByText("After turn 1 it waits for").WaitForAsync();
        await Assertions.Expect(confirm).ToHaveCountAsync(0);
        var next = page.GetByRole(AriaRole.Button, new() { Name = "Next turn" });
        while (await next.IsEnabledAsync())
            await next.ClickAsync();
        await confirm.First.WaitForAsync();
        await confirm.First.ClickAsync();
        await page.GetByRole(AriaRole.Heading, new() { Name = "ConfirmOrder" }).WaitForAsync();
        await Look.AssertAccessibleAsync(page);
        await Look.PhotographAsync(page, "console-step");
        await page.GetByRole(AriaRole.Button, new() { Name = "Now", Exact = true }).ClickAsync();
        await page.SetViewportSizeAsync(360, 800);
        await Look.AssertAccessibleAsync(page);
        await Look.AssertFitsAsync(page);
        await Look.PhotographAsync(page, "console-order-small");
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task One_trace_leads_from_the_order_through_every_service_and_back()
    {
        var order = await console.PlaceAsync(Cancel);
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync($"/order/{order}");
        await page.GetByText("completed", new() { Exact = true }).First.WaitForAsync();
        await page.GetByRole(AriaRole.Link, new() { NameRegex = new("^[0-9a-f]{16}…$") }).ClickAsync();
        await page.GetByRole(AriaRole.Heading, new() { Name = "Waterfall" }).WaitForAsync();
        var services = page.GetByRole(AriaRole.List, new() { Name = "Services" });
        // Spans come in as they end, those of the services a moment after their sidecars': the page follows.
        foreach (var service in (string[])["gateway", "orders", "inventory", "payments"])
            await services.GetByText(new Regex($@"^{service}\s")).First.WaitForAsync();
        await page.GetByText("POST /api/v1/orders").First.WaitForAsync();
        await Look.AssertAccessibleAsync(page);
        await Look.PhotographAsync(page, "console-trace");
        await page.GetByRole(AriaRole.Link, new() { NameRegex = new("^Order ") }).ClickAsync();
        await page.GetByRole(AriaRole.Heading, new() { Level = 1, NameRegex = new(order) }).WaitForAsync();
        // Its lines, of more than one app.
        await page.GetByRole(AriaRole.Tab, new() { NameRegex = new("^Logs") }).ClickAsync();
        await page.GetByRole(AriaRole.Group, new() { Name = "Log lines of all apps" }).GetByText(order).First.WaitForAsync();
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_dead_letter_is_looked_at_and_replayed()
    {
        var id = Guid.NewGuid().ToString();
        using var sidecar = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{console.Stack.Status.Apps.Single(a => a.App == "payments").DaprHttpPort}") };
        using var poison = new StringContent(
            $$$"""{"specversion":"1.0","id":"{{{id}}}","source":"payments","type":"payments.v1.payment_processed","datacontenttype":"application/json","data":{"order_id":17}}""",
            Encoding.UTF8, "application/cloudevents+json");
        Assert.Equal(HttpStatusCode.NoContent, (await sidecar.PostAsync("/v1.0/publish/pubsub/payment_processed", poison, Cancel)).StatusCode);

        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync("/dapr/dead-letters");
        await page.GetByRole(AriaRole.Button, new() { Name = id }).First.ClickAsync();
        await page.GetByRole(AriaRole.Group, new() { Name = "The event" }).GetByText("payments.v1.payment_processed").WaitForAsync();
        await Look.AssertAccessibleAsync(page);
        await Look.PhotographAsync(page, "console-dead-letters");
        await page.GetByRole(AriaRole.Button, new() { Name = "Replay", Exact = true }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Replay" }).ClickAsync();
        await page.GetByText("Replayed 1 event").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "with those that are done" }).ClickAsync();
        await page.GetByText("replayed", new() { Exact = true }).First.WaitForAsync();
        // Who did it is on record.
        await page.GotoAsync("/audit");
        await page.GetByRole(AriaRole.Cell, new() { NameRegex = new(@"^payment_processed\.dlq") }).First.WaitForAsync();
        visitor.AssertQuiet();
    }

    [Theory]
    [InlineData("/", "home")]
    [InlineData("/logs?app=orders&app=inventory&app=payments", "logs")]
    [InlineData("/workflows", "workflows")]
    [InlineData("/traces", "traces")]
    [InlineData("/metrics", "metrics")]
    [InlineData("/audit", "audit")]
    [InlineData("/dapr/components", "dapr")]
    [InlineData("/dapr/configurations", "configurations")]
    [InlineData("/dapr/subscriptions", "subscriptions")]
    [InlineData("/dapr/topics?topic=order_status_changed", "topics")]
    [InlineData("/dapr/state", "state")]
    [InlineData("/dapr/items", "items")]
    [InlineData("/dapr/resiliency", "resiliency")]
    [InlineData("/dapr/actors", "actors")]
    [InlineData("/dapr/jobs", "jobs")]
    [InlineData("/dapr/locks", "locks")]
    [InlineData("/dapr/calls", "calls")]
    public async Task A_page_shows_what_the_stack_has(string path, string picture)
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync(path);
        await ShownAsync(page);
        await Look.PhotographAsync(page, $"console-{picture}");
        await page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        await ShownAsync(page);
        if (path == "/")
            await Look.PhotographAsync(page, "console-home-light");
        foreach (var width in (int[])[360, 3840])
        {
            await page.SetViewportSizeAsync(width, 900);
            await ShownAsync(page);
        }

        visitor.AssertQuiet();
    }

    private static async Task ShownAsync(IPage page)
    {
        await page.GetByRole(AriaRole.Heading, new() { Level = 1 }).WaitForAsync();
        await Assertions.Expect(page.GetByLabel("Loading")).ToHaveCountAsync(0);
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToHaveCountAsync(0);
        await Look.AssertAccessibleAsync(page);
        await Look.AssertFitsAsync(page);
    }

    private static async Task JumpAsync(IPage page, string order)
    {
        await page.Keyboard.PressAsync("Control+k");
        await page.GetByRole(AriaRole.Combobox, new() { NameRegex = new("^An order") }).FillAsync(order);
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync(new Regex($"/workflows/[^/]+/{order}"));
    }
}
