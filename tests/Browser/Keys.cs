using Microsoft.Playwright;
using Xunit;

namespace DaprPlatform.Testing;

/// <summary>What somebody without a mouse does.</summary>
internal static class Keys
{
    private const int MostSteps = 200;

    /// <summary>Presses Tab until an element has the focus; it must be within the reach of the key.</summary>
    public static async Task TabToAsync(this IPage page, ILocator target)
    {
        await target.WaitForAsync();
        for (var step = 0; step < MostSteps; step++)
        {
            if (await target.EvaluateAsync<bool>("e => e === document.activeElement"))
                return;
            await page.Keyboard.PressAsync("Tab");
        }

        Assert.Fail($"{page.Url}: {target} is not reached by the Tab key.");
    }

    /// <summary>The text is as large as for somebody who has chosen another size in the browser; 16 is usual.</summary>
    public static async Task SetTextSizeAsync(this IPage page, int pixels)
    {
        var session = await page.Context.NewCDPSessionAsync(page);
        await session.SendAsync("Page.setFontSizes", new Dictionary<string, object> { ["fontSizes"] = new Dictionary<string, object> { ["standard"] = pixels, ["fixed"] = pixels * 13 / 16 } });
        await page.ReloadAsync();
    }
}
