using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;
using DaprPlatform.EndToEnd.Tests;

[assembly: DaprPlatform.Storefront.Tests.SkippedWithoutChromium]

namespace DaprPlatform.Storefront.Tests;

[CollectionDefinition(Name)]
public sealed class ShopCollection : ICollectionFixture<ShopFixture>
{
    public const string Name = "shop";
}

/// <summary>The shop of a real stack, filled, and the browser to look at it.</summary>
public sealed class ShopFixture(StackFixture stack) : IAsyncLifetime
{
    /// <summary>Never sold out.</summary>
    internal const string Plenty = "LAMP-204";
    private Chromium? _chromium;

    internal string Address => stack.GatewayUrl;

    internal StackFixture Stack => stack;

    public async ValueTask InitializeAsync()
    {
        if (Chromium.Path is null || TestEngine.IsMissing)
            return;
        _chromium = await Chromium.StartAsync();
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var oper = stack.Operator(gateway);
        var answer = await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["setStock"] = true, ["products"] = Catalogue() }, CancellationToken.None);
        Assert.True(answer.Succeeded, answer.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null)
            await _chromium.DisposeAsync();
    }

    internal Task<Visitor> VisitAsync(int width = 1280, int height = 900, Action<Microsoft.Playwright.BrowserNewContextOptions>? change = null) =>
        _chromium!.VisitAsync(Address, width, height, change);

    internal async Task StockAsync(string sku, string name, int stock, CancellationToken cancel)
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var oper = stack.Operator(gateway);
        var answer = await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject
        {
            ["setStock"] = true,
            ["products"] = new JsonArray(Product(sku, name, 2500, stock, "home-kitchen")),
        }, cancel);
        Assert.True(answer.Succeeded, answer.ToString());
    }

    private static JsonArray Catalogue()
    {
        (string Sku, string Name, int Price, string Category)[] goods =
        [
            ("LAMP-204", "Desk Lamp, brass", 8900, "home-kitchen"), ("KETTLE-017", "Pour-over Kettle", 6450, "home-kitchen"), ("BOARD-330", "Oak Cutting Board", 4200, "home-kitchen"),
            ("BOWL-112", "Stoneware Bowl", 2350, "home-kitchen"), ("PRESS-008", "French Press, 1 l", 3990, "home-kitchen"), ("TOWEL-071", "Linen Tea Towel", 1450, "home-kitchen"),
            ("RADIO-055", "Kitchen Radio", 12900, "electronics"), ("SPEAKER-021", "Shelf Speaker", 24900, "electronics"), ("KEYS-640", "Quiet Keyboard", 11900, "electronics"),
            ("CLOCK-404", "Alarm Clock", 3450, "electronics"), ("HUB-009", "USB Hub, seven ports", 3990, "electronics"), ("TORCH-118", "Bicycle Torch", 2790, "electronics"),
        ];
        var more = Enumerable.Range(1, 30).Select(i => ($"NOTE-{i:000}", $"Notebook No. {i}", 890 + i, "home-kitchen"));
        return [.. goods.Concat(more).Select(g => (JsonNode)Product(g.Item1, g.Item2, g.Item3, 1_000_000, g.Item4))];
    }

    private static JsonObject Product(string sku, string name, int price, int stock, string category) =>
        new() { ["sku"] = sku, ["name"] = name, ["priceMinor"] = price, ["stock"] = stock, ["categoryId"] = category };
}
