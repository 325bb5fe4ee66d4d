using System.Text.Json;
using Microsoft.Playwright;

namespace DaprPlatform.Storefront.Tests;

/// <summary>What people do in the shop, as they would.</summary>
internal static class Shopper
{
    public const string Password = "correct-horse-1";

    public static string NewEmail() => $"shopper-{Guid.NewGuid():N}@example.com";

    /// <summary>An account, and its cookie in this browser. By the API: the form has a test of its own.</summary>
    public static async Task<string> HasAccountAsync(this Visitor visitor, string address)
    {
        var email = NewEmail();
        var answer = await visitor.Context.APIRequest.PostAsync(address.TrimEnd('/') + "/api/v1/auth/session/register", new APIRequestContextOptions
        {
            Headers = new Dictionary<string, string> { ["X-Requested-By"] = "tests" },
            DataObject = new { email, password = Password, firstName = "Ada", lastName = "Lovelace" },
            Timeout = Chromium.Patience,
        });
        Assert.True(answer.Ok, await answer.TextAsync());
        return email;
    }

    public static async Task SignInAsync(this IPage page, string email)
    {
        await page.GetByLabel("E-mail").FillAsync(email);
        await page.GetByLabel("Password").FillAsync(Password);
        await page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
    }

    public static async Task PutInCartAsync(this IPage page, string sku)
    {
        await page.GotoAsync($"/products/{sku}");
        await page.GetByRole(AriaRole.Button, new() { Name = "Put in the cart" }).ClickAsync();
        await page.GetByText("in your cart.", new() { Exact = false }).First.WaitForAsync();
    }

    /// <summary>At the checkout: everything but the last click.</summary>
    public static async Task FillCheckoutAsync(this IPage page, string lastDigits = "1111")
    {
        await page.GetByLabel("Street and number").FillAsync("12 St James Square");
        await page.GetByLabel("Postcode").FillAsync("SW1Y 4JH");
        await page.GetByLabel("City").FillAsync("London");
        await page.GetByLabel("Country").FillAsync("United Kingdom");
        await page.GetByRole(AriaRole.Button, new() { Name = "…" + lastDigits }).ClickAsync();
    }

    public static Task PlaceAsync(this IPage page) => page.GetByRole(AriaRole.Button, new() { Name = "Place the order" }).ClickAsync();

    /// <summary>Returns when the page of the placed order is there, with its id.</summary>
    public static async Task<string> OrderAsync(this IPage page)
    {
        await page.WaitForURLAsync("**/orders/ORD-*");
        return page.Url[(page.Url.LastIndexOf('/') + 1)..];
    }

    /// <summary>Returns when the order has that status, without a word to the page.</summary>
    public static Task StatusAsync(this IPage page, string status) => page.Locator($"main [data-status={status}]").First.WaitForAsync();

    public static Task TextAsync(this IPage page, string text) => page.GetByText(text).First.WaitForAsync();

    public static Task HeadingAsync(this IPage page, string name) => page.GetByRole(AriaRole.Heading, new() { Name = name, Level = 1 }).WaitForAsync();

    /// <summary>The orders of whoever is signed in, as the API lists them.</summary>
    public static async Task<IReadOnlyList<string>> OrdersAsync(this Visitor visitor, string address)
    {
        var root = address.TrimEnd('/');
        var session = await visitor.Context.APIRequest.PostAsync(root + "/api/v1/auth/session/refresh", new APIRequestContextOptions
        {
            Headers = new Dictionary<string, string> { ["X-Requested-By"] = "tests" },
            Timeout = Chromium.Patience,
        });
        var token = JsonDocument.Parse(await session.TextAsync()).RootElement.GetProperty("data").GetProperty("accessToken").GetString();
        var answer = await visitor.Context.APIRequest.GetAsync(root + "/api/v1/orders", new APIRequestContextOptions
        {
            Headers = new Dictionary<string, string> { ["Authorization"] = "Bearer " + token },
            Timeout = Chromium.Patience,
        });
        return [.. JsonDocument.Parse(await answer.TextAsync()).RootElement.GetProperty("data").EnumerateArray().Select(o => o.GetProperty("id").GetString()!)];
    }
}
