using Microsoft.Playwright;

namespace DaprPlatform.Testing;

/// <summary>
/// A headless Chromium of this machine (<c>tests/Browser/install.sh</c>, or the program that <c>CHROMIUM</c> names), driven by Playwright, whose driver comes with its package.
/// One for all tests of a project; each test opens a <see cref="Visitor"/> of its own.
/// </summary>
internal sealed class Chromium : IAsyncDisposable
{
    /// <summary>For whatever a test waits for: a machine may be slow, and a condition that never comes may cost a minute.</summary>
    public const float Patience = 90_000;

    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;

    private Chromium(IPlaywright playwright, IBrowser browser) => (_playwright, _browser) = (playwright, browser);

    /// <summary>The program, or null where there is none.</summary>
    public static string? Path { get; } = Find();

    /// <exception cref="InvalidOperationException">There is no Chromium: ask <see cref="Path"/> before.</exception>
    public static async Task<Chromium> StartAsync()
    {
        var path = Path ?? throw new InvalidOperationException("There is no Chromium on this machine: tests/Browser/install.sh installs it.");
        var playwright = await Playwright.CreateAsync();
        try
        {
            var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
            {
                ExecutablePath = path,
                Timeout = Patience,
                // As root it has no sandbox of its own; containers have a small /dev/shm.
                Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb"],
            });
            return new Chromium(playwright, browser);
        }
        catch
        {
            playwright.Dispose();
            throw;
        }
    }

    /// <summary>Somebody with cookies, storage and pages of his own.</summary>
    /// <param name="address">What relative addresses are relative to.</param>
    /// <param name="width">Of the window in pixels.</param>
    /// <param name="height">Likewise.</param>
    /// <param name="change">Further settings: colours, locale, reduced motion.</param>
    public async Task<Visitor> VisitAsync(string address, int width = 1280, int height = 900, Action<BrowserNewContextOptions>? change = null)
    {
        var options = new BrowserNewContextOptions
        {
            BaseURL = address,
            Locale = "en-US",
            TimezoneId = "UTC",
            ReducedMotion = ReducedMotion.Reduce,
            ViewportSize = new ViewportSize { Width = width, Height = height },
        };
        change?.Invoke(options);
        var context = await _browser.NewContextAsync(options);
        context.SetDefaultTimeout(Patience);
        context.SetDefaultNavigationTimeout(Patience);
        return new Visitor(context);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.CloseAsync();
        _playwright.Dispose();
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("CHROMIUM") is { Length: > 0 } given)
            return given;
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return ((string[])["chromium", "chromium-browser", "google-chrome"])
            .SelectMany(name => folders.Select(folder => System.IO.Path.Combine(folder, name)))
            .FirstOrDefault(File.Exists);
    }
}
