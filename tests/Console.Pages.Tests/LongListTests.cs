using System.Globalization;
using Microsoft.Playwright;

namespace DaprPlatform.OpsPages.Tests;

/// <summary>100,000 instances and a million lines: only what is in sight is drawn, the rest comes by pages.</summary>
[Collection(MockCollection.Name)]
public sealed class LongListTests(MockFixture console)
{
    // More rows than any window shows, far fewer than the list has.
    private const int MostDrawn = 120;

    // Two frames after the rows are in the document they have been painted.
    private const string OpenList = """
        () => new Promise(resolve => {
          performance.clearResourceTimings()
          const start = performance.now()
          const observer = new MutationObserver(() => {
            if (!document.querySelector('[role=list][aria-label^="Workflow instances"] [role=listitem]')) return
            observer.disconnect()
            requestAnimationFrame(() => requestAnimationFrame(() => {
              const call = performance.getEntriesByType('resource').find(e => new URL(e.name).pathname === '/api/v1/workflows')
              resolve([performance.now() - start, call ? call.duration : 0])
            }))
          })
          observer.observe(document.body, { childList: true, subtree: true })
          document.querySelector('nav a[href="/workflows"]').click()
        })
        """;

    [Fact]
    public async Task A_list_of_100_000_instances_opens_and_goes_on_as_it_is_scrolled()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenTabAsync();
        var pages = 0;
        page.Request += (_, request) => pages += new Uri(request.Url).AbsolutePath == "/api/v1/workflows" ? 1 : 0;
        await page.GotoAsync("/workflows");
        var list = page.GetByRole(AriaRole.List, new() { NameRegex = new("^Workflow instances") });
        await list.GetByRole(AriaRole.Listitem).First.WaitForAsync();
        await page.GetByText("100,000 instances").WaitForAsync();
        Assert.InRange(await list.GetByRole(AriaRole.Listitem).CountAsync(), 20, MostDrawn);
        // What it takes to open is one page, however many there are.
        Assert.Equal(1, pages);
        await list.FocusAsync();
        var size = await SizeAsync(list);
        for (var known = size; size < 1500; known = size)
        {
            await page.Keyboard.PressAsync("End");
            size = await UntilAsync(async () => await SizeAsync(list), s => s > known);
            Assert.InRange(await list.GetByRole(AriaRole.Listitem).CountAsync(), 20, MostDrawn);
        }

        await page.Keyboard.PressAsync("Home");
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync("**/workflows/orders/ORD-0000070194B");
        // Back is the list again.
        await page.GoBackAsync();
        await list.GetByRole(AriaRole.Listitem).First.WaitForAsync();
        visitor.AssertQuiet();
    }

    /// <summary>From the click on a page that is warm to rows on the screen. How long it took, and how much of it was the call, is among the output (<c>-showLiveOutput</c>).</summary>
    [Fact]
    public async Task A_list_of_100_000_instances_opens_from_another_page_of_the_console()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync("/workflows");
        var list = page.GetByRole(AriaRole.List, new() { NameRegex = new("^Workflow instances") });
        var opened = new List<double>();
        var calls = new List<double>();
        for (var round = 0; round < 7; round++)
        {
            await list.GetByRole(AriaRole.Listitem).First.WaitForAsync();
            await page.GetByRole(AriaRole.Link, new() { Name = "Home", Exact = true }).ClickAsync();
            await page.GetByRole(AriaRole.Heading, new() { Level = 1, Name = "Home" }).WaitForAsync();
            var seen = await page.EvaluateAsync<double[]>(OpenList);
            opened.Add(seen[0]);
            calls.Add(seen[1]);
            Assert.InRange(await list.GetByRole(AriaRole.Listitem).CountAsync(), 20, MostDrawn);
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"100,000 instances: p50 {Median(opened):0} ms from the click to rows on the screen (most {opened.Max():0} ms), of it {Median(calls):0} ms the call"));
        visitor.AssertQuiet();
    }

    /// <summary>What a first visit takes, in requests and bytes: those do not depend on the machine. How long it took is among the output.</summary>
    [Theory]
    [InlineData("/", "Home")]
    [InlineData("/workflows", "Workflows")]
    [InlineData("/dapr/topics", "Dapr")]
    public async Task A_first_visit_takes_few_requests_and_no_more_script_than_a_page_may_have(string path, string heading)
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync(path);
        await page.GetByRole(AriaRole.Heading, new() { Level = 1, Name = heading }).WaitForAsync();
        await Assertions.Expect(page.GetByLabel("Loading")).ToHaveCountAsync(0);
        // The made-up console compresses nothing; what is compressed has its bound in the build.
        await FirstVisit.AssertLightAsync(page, mostScript: 450 << 10);
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task A_million_lines_are_read_backwards_while_new_ones_wait()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync("/logs");
        var list = page.GetByRole(AriaRole.List, new() { NameRegex = new("^Log lines") });
        await list.GetByRole(AriaRole.Listitem).First.WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await list.FocusAsync();
        var size = await SizeAsync(list);
        for (var known = size; size < 2400; known = size)
        {
            await page.Keyboard.PressAsync("Home");
            size = await UntilAsync(async () => await SizeAsync(list), s => s > known);
            Assert.InRange(await list.GetByRole(AriaRole.Listitem).CountAsync(), 20, MostDrawn);
        }

        var follow = page.GetByRole(AriaRole.Button, new() { NameRegex = new(@"^Follow \(\d+ new\)") });
        await follow.WaitForAsync();
        await follow.ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).WaitForAsync();
        visitor.AssertQuiet();
    }

    [Fact]
    public async Task Lines_are_filtered_by_app_level_and_text_and_the_address_says_so()
    {
        await using var visitor = await console.VisitAsync();
        var page = await visitor.OpenAsync("/logs?app=orders&level=error");
        var list = page.GetByRole(AriaRole.List, new() { NameRegex = new("^Log lines") });
        await list.GetByRole(AriaRole.Listitem).First.WaitForAsync();
        foreach (var line in await list.GetByRole(AriaRole.Listitem).AllInnerTextsAsync())
            Assert.Matches(@"orders(\.daprd)?\s+error", line);
        await page.GetByLabel("Text in the lines").FillAsync("no such text anywhere");
        await page.GetByText("No line").WaitForAsync();
        Assert.Contains("text=no+such+text", page.Url, StringComparison.Ordinal);
        visitor.AssertQuiet();
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static async Task<int> SizeAsync(ILocator list) =>
        int.Parse((await list.GetByRole(AriaRole.Listitem).First.GetAttributeAsync("aria-setsize"))!, CultureInfo.InvariantCulture);

    private static async Task<int> UntilAsync(Func<Task<int>> read, Func<int, bool> enough)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(Chromium.Patience));
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            var value = await read();
            if (enough(value))
                return value;
            await interval.WaitForNextTickAsync(deadline.Token);
        }
    }
}
