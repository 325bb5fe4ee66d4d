namespace DaprPlatform.Storefront.Tests;

/// <summary>Every page, as anybody finds it.</summary>
[Collection(ShopCollection.Name)]
public sealed class PageTests(ShopFixture shop)
{
    [Fact]
    public async Task The_shop_opens()
    {
        await using var visitor = await shop.VisitAsync();
        var page = await visitor.OpenAsync("/");
        await page.GetByRole(Microsoft.Playwright.AriaRole.Heading).First.WaitForAsync();
        await Look.AssertFitsAsync(page);
        visitor.AssertQuiet();
    }
}
