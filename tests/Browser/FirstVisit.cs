using System.Globalization;
using System.Text.Json;
using Microsoft.Playwright;
using Xunit;

namespace DaprPlatform.Testing;

/// <summary>What it takes a browser with nothing kept to show a page.</summary>
internal static class FirstVisit
{
    private const int MostRequests = 30;

    // Streams of events do not end and are not among the resources.
    private const string Read = """
        () => {
          const of = performance.getEntriesByType('resource')
          const script = of.filter(r => new URL(r.name).pathname.endsWith('.js'))
          return {
            ms: Math.round(performance.now()),
            requests: of.length + 1,
            script: script.reduce((n, r) => n + r.encodedBodySize, 0),
            bytes: of.reduce((n, r) => n + r.encodedBodySize, 0),
            twice: of.map(r => r.name).filter((name, i, all) => all.indexOf(name) !== i),
          }
        }
        """;

    /// <summary>Few requests, none of them twice, and a bounded number of bytes of script as they come. Writes how long it took since the navigation began, as the browser sees it.</summary>
    public static async Task AssertLightAsync(IPage page, int mostScript)
    {
        var seen = await page.EvaluateAsync<JsonElement>(Read);
        int Number(string name) => seen.GetProperty(name).GetInt32();
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{new Uri(page.Url).AbsolutePath}: {Number("ms")} ms, {Number("requests")} requests, {Number("bytes") / 1024} KB, of it {Number("script") / 1024} KB of script"));
        Assert.InRange(Number("requests"), 1, MostRequests);
        Assert.InRange(Number("script"), 1, mostScript);
        Assert.Empty(seen.GetProperty("twice").EnumerateArray().Select(t => t.GetString()));
    }
}
