using System.Text.Json.Nodes;
using DaprPlatform.Cli.Retail;
using DaprPlatform.EndToEnd.Tests;

namespace DaprPlatform.OpsBrowser.Tests;

[CollectionDefinition(Name)]
public sealed class ConsoleCollection : ICollectionFixture<ConsoleFixture>
{
    public const string Name = "console";
}

/// <summary>The console of a real stack, and the browser to look at it.</summary>
public sealed class ConsoleFixture(StackFixture stack) : IAsyncLifetime
{
    private Chromium? _chromium;

    internal StackFixture Stack => stack;

    public async ValueTask InitializeAsync()
    {
        if (Chromium.Path is null || TestEngine.IsMissing)
            return;
        Microsoft.Playwright.Assertions.SetDefaultExpectTimeout(Chromium.Patience);
        _chromium = await Chromium.StartAsync();
        // For its pictures the stack does what stacks do; the tests do not need it.
        if (!Look.TakesPictures)
            return;
        await stack.PlatformAsync(["import-catalog", Path.Combine(stack.Root, "tests", "data", "online-retail-excerpt.csv"), "--stock", "5000"], CancellationToken.None);
        await stack.PlatformAsync(["simulate", "--rate", "240", "--customers", "12", "--decline", "8", "--cancel", "6", "--seconds", "90"], CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null)
            await _chromium.DisposeAsync();
    }

    internal Task<Visitor> VisitAsync() =>
        _chromium!.VisitAsync(stack.Status.ConsoleUrl ?? throw new InvalidOperationException("The stack serves no console."), 1440, 900, o => o.ColorScheme = Microsoft.Playwright.ColorScheme.Dark);

    /// <summary>Places an order and does not wait for it.</summary>
    internal async Task<string> PlaceAsync(CancellationToken cancel)
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var customer = new Customer(gateway, $"watched-{Guid.NewGuid():N}@example.test", "Watched-Passw0rd-1");
        await customer.RegisterAsync("Watched", cancel);
        var order = new JsonObject
        {
            ["items"] = new JsonArray(new JsonObject { ["productId"] = await stack.PlentyAsync(gateway, cancel), ["quantity"] = 1 }),
            ["shippingAddress"] = "9 Console Street",
        };
        var answer = await customer.SendAsync(HttpMethod.Post, "api/v1/orders", order, cancel, ("Idempotency-Key", Guid.NewGuid().ToString()));
        Assert.True(answer.Succeeded, answer.ToString());
        return (string)answer.Data!["id"]!;
    }
}
