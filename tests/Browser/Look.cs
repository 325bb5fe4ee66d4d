using System.Text.Json;
using Microsoft.Playwright;
using Xunit;

namespace DaprPlatform.Testing;

/// <summary>What a page must be for everyone.</summary>
internal static class Look
{
    private const string Run = "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
        + ".map(v => `${v.id} (${v.impact}): ${v.help}\\n` + v.nodes.slice(0, 5).map(n => `    ${n.target.join(' ')}: ${n.failureSummary}`).join('\\n'))";

    private static readonly Lazy<string> Axe = new(() => File.ReadAllText(Path.Combine(Root(), "web", "storefront", "node_modules", "axe-core", "axe.min.js")));

    /// <summary>The folder of the clone.</summary>
    public static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "DaprPlatform.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests run outside of their repository.");
    }

    /// <summary>No rule of axe-core is violated: contrast, names, roles, order of headings.</summary>
    public static async Task AssertAccessibleAsync(IPage page)
    {
        // By the debugger's protocol: the policy of the page forbids scripts of others.
        await page.EvaluateAsync(Axe.Value);
        var violations = await page.EvaluateAsync<JsonElement>(Run);
        Assert.True(violations.GetArrayLength() == 0, $"{page.Url}\n{string.Join('\n', violations.EnumerateArray())}");
    }

    /// <summary>Nothing stands out to the right.</summary>
    public static async Task AssertFitsAsync(IPage page)
    {
        var outside = await page.EvaluateAsync<string[]>(
            """
            () => {
              const width = document.documentElement.clientWidth
              if (document.documentElement.scrollWidth <= width) return []
              return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1).slice(0, 10)
                .map(e => `${e.tagName} ${e.className} ends at ${e.getBoundingClientRect().right} of ${width}`)
                .concat([`the page is ${document.documentElement.scrollWidth} of ${width} wide`])
            }
            """);
        Assert.True(outside.Length == 0, $"{page.Url}\n{string.Join('\n', outside)}");
    }

    /// <summary>For somebody who wants no motion nothing moves.</summary>
    public static Task AssertStillAsync(IPage page) => page.WaitForFunctionAsync("() => document.getAnimations().every(a => a.playState !== 'running')");

    /// <summary>Whether this run renews the pictures of the documentation: <c>UPDATE_DOCS=1</c>.</summary>
    public static bool TakesPictures { get; } = Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1";

    /// <summary>With <c>UPDATE_DOCS=1</c> writes <c>docs/images/NAME.png</c>.</summary>
    public static async Task PhotographAsync(IPage page, string name)
    {
        if (!TakesPictures)
            return;
        // A picture tells nothing of the machine that it was taken on.
        var text = await page.EvaluateAsync<string>("() => document.body.innerText");
        foreach (var own in (string[])[Root(), Path.GetTempPath(), Environment.MachineName])
            Assert.DoesNotContain(own, text, StringComparison.OrdinalIgnoreCase);
        var folder = Path.Combine(Root(), "docs", "images");
        Directory.CreateDirectory(folder);
        await page.EvaluateAsync("async () => { await document.fonts.ready }");
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, name + ".png"), Animations = ScreenshotAnimations.Disabled, Scale = ScreenshotScale.Css });
    }
}
