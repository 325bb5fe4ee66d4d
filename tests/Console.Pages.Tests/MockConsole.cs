using System.Diagnostics;
using System.Globalization;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.OpsPages.Tests;

/// <summary>The console's pages as they are built, on made-up data: 100,000 instances and a million lines, parts that are down, a sign-in.</summary>
internal sealed class MockConsole : IAsyncDisposable
{
    private static readonly SemaphoreSlim Building = new(1, 1);
    private readonly Process _process;

    private MockConsole(Process process, string address) => (_process, Address) = (process, address);

    public string Address { get; }

    /// <param name="arguments">Of web/console/mock/server.mjs.</param>
    public static async Task<MockConsole> StartAsync(params string[] arguments)
    {
        var repository = Repository.Find();
        var folder = Path.Combine(repository.Root, "web", "console");
        var output = WebBuild.OutputOf(repository, "console");
        await Building.WaitAsync();
        try
        {
            // All of them: axe is installed with the shop.
            await WebBuild.PrepareAsync(repository, static _ => { }, CancellationToken.None);
        }
        finally
        {
            Building.Release();
        }

        var port = PortOwners.FindFree().ToString(CultureInfo.InvariantCulture);
        var process = Process.Start(new ProcessStartInfo("node", [Path.Combine("mock", "server.mjs"), "--port", port, "--static", output, .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
        })!;
        var first = await process.StandardOutput.ReadLineAsync();
        Assert.StartsWith("mock on", first, StringComparison.Ordinal);
        return new MockConsole(process, $"http://127.0.0.1:{port}");
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}

[CollectionDefinition(Name)]
public sealed class MockCollection : ICollectionFixture<MockFixture>
{
    public const string Name = "mock";
}

/// <summary>A browser, and a console that nobody changes.</summary>
public sealed class MockFixture : IAsyncLifetime
{
    private Chromium? _chromium;
    private MockConsole? _console;

    public async ValueTask InitializeAsync()
    {
        if (Chromium.Path is null)
            return;
        Microsoft.Playwright.Assertions.SetDefaultExpectTimeout(Chromium.Patience);
        _chromium = await Chromium.StartAsync();
        _console = await MockConsole.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null)
            await _chromium.DisposeAsync();
        if (_console is not null)
            await _console.DisposeAsync();
    }

    internal Task<Visitor> VisitAsync(int width = 1440, int height = 900, Action<Microsoft.Playwright.BrowserNewContextOptions>? change = null) => VisitAsync(_console!, width, height, change);

    internal Task<Visitor> VisitAsync(MockConsole console, int width = 1440, int height = 900, Action<Microsoft.Playwright.BrowserNewContextOptions>? change = null) =>
        _chromium!.VisitAsync(console.Address, width, height, change);
}
