using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Xunit;

namespace DaprPlatform.Testing;

/// <summary>
/// A browser of one person. Whatever its pages complain about is kept: errors on the console, exceptions, requests that failed or were refused. A test says what it means
/// (<see cref="Expect"/>) and asserts in the end that there was nothing else (<see cref="AssertQuiet"/>).
/// </summary>
internal sealed class Visitor : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _complaints = new();
    private readonly ConcurrentBag<Regex> _expected = [];

    public Visitor(IBrowserContext context)
    {
        Context = context;
        context.Page += (_, page) => Watch(page);
    }

    public IBrowserContext Context { get; }

    /// <summary>A new tab.</summary>
    public Task<IPage> OpenTabAsync() => Context.NewPageAsync();

    /// <summary>A new tab at an address.</summary>
    public async Task<IPage> OpenAsync(string address)
    {
        var page = await OpenTabAsync();
        await page.GotoAsync(address);
        return page;
    }

    /// <summary>What is meant to fail: complaints that the pattern finds. Requests read <c>402 POST http://…/path</c>, what the browser says of them on its console ends with their address.</summary>
    public void Expect([System.Diagnostics.CodeAnalysis.StringSyntax(System.Diagnostics.CodeAnalysis.StringSyntaxAttribute.Regex)] string pattern) =>
        _expected.Add(new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)));

    /// <summary>Fails with every complaint that was not expected.</summary>
    public void AssertQuiet() => Assert.Equal([], _complaints.Where(c => !_expected.Any(e => e.IsMatch(c))));

    public ValueTask DisposeAsync() => new(Context.CloseAsync());

    private void Watch(IPage page)
    {
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                _complaints.Enqueue($"console {message.Type}: {message.Text} at {message.Location}");
        };
        page.PageError += (_, error) => _complaints.Enqueue($"exception: {error}");
        page.RequestFailed += (_, request) =>
        {
            // A page that is left ends what it waits for.
            if (request.Failure != "net::ERR_ABORTED")
                _complaints.Enqueue($"{request.Failure} {request.Method} {request.Url}");
        };
        page.Response += (_, response) =>
        {
            if (response.Status >= 400)
                _complaints.Enqueue($"{response.Status} {response.Request.Method} {response.Url}");
        };
    }
}
