using Microsoft.Playwright;

namespace DaprPlatform.Storefront.Tests;

/// <summary>Who is signed in: over tabs, over time, and where no script can look.</summary>
[Collection(ShopCollection.Name)]
public sealed class SessionTests(ShopFixture shop)
{
    private const string ExpiredToken = """{"type":"urn:problem:unauthorized","title":"Not authenticated","status":401,"code":"unauthorized"}""";

    [Fact]
    public async Task Two_tabs_have_one_cart_and_one_session()
    {
        await using var visitor = await shop.VisitAsync();
        var email = await AccountAsync();
        var one = await visitor.OpenAsync("/login");
        var two = await visitor.OpenAsync("/products/MUG-001");
        await one.SignInAsync(email);
        await two.GetByRole(AriaRole.Link, new() { Name = "Ada" }).WaitForAsync();
        await two.PutInCartAsync(ShopFixture.Plenty);
        await one.GetByRole(AriaRole.Link, new() { Name = "Cart 1 thing" }).WaitForAsync();

        // Both exchange the cookie at once, again and again: a token that is used twice would end the session.
        for (var i = 0; i < 4; i++)
        {
            await Task.WhenAll(one.ReloadAsync(), two.ReloadAsync());
            await Task.WhenAll(one.GetByRole(AriaRole.Link, new() { Name = "Ada" }).WaitForAsync(), two.GetByRole(AriaRole.Link, new() { Name = "Ada" }).WaitForAsync());
        }

        await two.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await one.GetByRole(AriaRole.Link, new() { Name = "Sign in" }).WaitForAsync();
        await one.GetByRole(AriaRole.Link, new() { Name = "Cart 0 things" }).WaitForAsync();
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_page_that_is_left_while_it_opens_costs_nobody_the_session()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        var page = await visitor.OpenAsync("/");
        for (var i = 0; i < 6; i++)
        {
            try
            {
                await page.ReloadAsync(new() { WaitUntil = WaitUntilState.Commit });
            }
            catch (PlaywrightException e) when (e.Message.Contains("Not attached", StringComparison.Ordinal))
            {
                // The page before was left so early that the browser had not shown it yet.
            }
        }

        await page.GetByRole(AriaRole.Link, new() { Name = "Ada" }).WaitForAsync();
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task An_expired_token_is_exchanged_and_nobody_notices()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        visitor.Expect("401");
        var page = await visitor.OpenAsync("/");
        await page.GetByRole(AriaRole.Link, new() { Name = "Ada" }).WaitForAsync();
        var refused = 0;
        await page.RouteAsync("**/api/v1/orders?*", async route =>
        {
            if (refused++ == 0)
                await route.FulfillAsync(new() { Status = 401, ContentType = "application/problem+json", Body = ExpiredToken });
            else
                await route.ContinueAsync();
        });
        var refreshed = page.WaitForResponseAsync(r => r.Url.EndsWith("/auth/session/refresh", StringComparison.Ordinal) && r.Status == 200);
        await page.GetByRole(AriaRole.Link, new() { Name = "Orders", Exact = true }).ClickAsync();
        await page.TextAsync("You have not ordered anything yet");
        await refreshed;
        Assert.True(refused >= 2);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_session_that_has_ended_leads_to_the_door_and_back()
    {
        await using var visitor = await shop.VisitAsync();
        var email = await visitor.HasAccountAsync(shop.Address);
        visitor.Expect("401");
        var page = await visitor.OpenAsync("/");
        await page.GetByRole(AriaRole.Link, new() { Name = "Ada" }).WaitForAsync();
        await visitor.Context.ClearCookiesAsync();
        var first = true;
        await page.RouteAsync("**/api/v1/users/profile", async route =>
        {
            if (!first)
            {
                await route.ContinueAsync();
                return;
            }

            first = false;
            await route.FulfillAsync(new() { Status = 401, ContentType = "application/problem+json", Body = ExpiredToken });
        });
        await page.GetByRole(AriaRole.Link, new() { Name = "Ada" }).ClickAsync();
        await page.HeadingAsync("First, who are you?");
        await page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Link, new() { Name = "Sign in" }).ClickAsync();
        await page.SignInAsync(email);
        await page.HeadingAsync("Your profile");
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_wrong_password_is_told_and_nothing_more()
    {
        await using var visitor = await shop.VisitAsync();
        visitor.Expect("401");
        var page = await visitor.OpenAsync("/login");
        await page.SignInAsync("nobody@example.com");
        await page.TextAsync("The e-mail address or the password is not right.");
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task No_script_can_reach_a_token()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        var page = await visitor.OpenTabAsync();
        await page.PutInCartAsync(ShopFixture.Plenty);
        await page.GetByRole(AriaRole.Link, new() { Name = "Ada" }).WaitForAsync();
        var kept = await page.EvaluateAsync<string>("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])");
        Assert.DoesNotContain("eyJ", kept, StringComparison.Ordinal);
        Assert.DoesNotContain("refresh", kept, StringComparison.OrdinalIgnoreCase);
        var cookie = Assert.Single(await visitor.Context.CookiesAsync());
        Assert.True(cookie.HttpOnly);
        Assert.Equal(SameSiteAttribute.Strict, cookie.SameSite);
        Assert.Equal("/api/v1/auth/session", cookie.Path);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_profile_that_was_changed_elsewhere_is_not_overwritten()
    {
        await using var visitor = await shop.VisitAsync();
        await visitor.HasAccountAsync(shop.Address);
        visitor.Expect("412");
        var one = await visitor.OpenAsync("/profile");
        var two = await visitor.OpenAsync("/profile");
        await one.GetByLabel("Phone").FillAsync("+44 20 7946 0000");
        await two.GetByLabel("Phone").FillAsync("+44 20 7946 0001");
        await one.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await one.TextAsync("Saved.");
        await two.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
        await two.TextAsync("This was changed somewhere else in the meantime.");
        await two.GetByRole(AriaRole.Button, new() { Name = "Show the newest version" }).ClickAsync();
        await Assertions.Expect(two.GetByLabel("Phone")).ToHaveValueAsync("+44 20 7946 0000", new() { Timeout = Chromium.Patience });
        visitor.AssertQuiet();
    }

    private async Task<string> AccountAsync()
    {
        await using var other = await shop.VisitAsync();
        return await other.HasAccountAsync(shop.Address);
    }
}
