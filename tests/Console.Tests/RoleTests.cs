using System.Net;
using System.Text.RegularExpressions;
using DaprPlatform.Cli.OpsConsole;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>Every endpoint of the running server with every role; the list of endpoints is checked in, and what is not in it fails.</summary>
public sealed class RoleTests
{
    private static readonly string Listed = Path.Combine(Root(), "tests", "Console.Tests", "roles.txt");

    [Fact]
    public async Task Every_endpoint_is_listed_with_the_role_it_needs()
    {
        await using var world = await ConsoleWorld.StartAsync();
        var found = Endpoints(world).Select(e => $"{e.Role} {e.Method} {e.Pattern}").Order(StringComparer.Ordinal).ToList();
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            await File.WriteAllLinesAsync(Listed, found, ConsoleWorld.Cancel);
        Assert.Equal(await File.ReadAllLinesAsync(Listed, ConsoleWorld.Cancel), found);
    }

    [Fact]
    public async Task Each_role_may_what_it_may_and_nothing_else()
    {
        await using var world = await ConsoleWorld.StartAsync(data =>
        {
            var accounts = new Accounts(Path.Combine(data.Path, Accounts.FileName));
            foreach (var role in Enum.GetValues<ConsoleRole>())
                accounts.Set($"{role}", role, ConsoleWorld.Password);
        });
        var wrong = new List<string>();
        var cookies = new List<(ConsoleRole? Role, string? Cookie)> { (null, null) };
        foreach (var role in Enum.GetValues<ConsoleRole>())
            cookies.Add((role, await world.SignInAsync($"{role}")));
        // A session and a collector refuse for reasons of their own.
        foreach (var (need, method, pattern) in Endpoints(world).Where(e => e.Role is not ("everybody" or "token")))
        {
            foreach (var (role, cookie) in cookies)
            {
                using var request = ConsoleWorld.Change(new HttpMethod(method), UrlOf(pattern), method is "POST" or "PUT" ? new { } : null);
                if (cookie is not null)
                    request.Headers.Add("Cookie", cookie);
                using var brief = CancellationTokenSource.CreateLinkedTokenSource(ConsoleWorld.Cancel);
                if (Waits(pattern))
                    brief.CancelAfter(TimeSpan.FromMilliseconds(300));
                HttpStatusCode status;
                try
                {
                    using var response = await world.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, brief.Token);
                    status = response.StatusCode;
                }
                catch (OperationCanceledException) when (!ConsoleWorld.Cancel.IsCancellationRequested)
                {
                    // Admitted, and waiting for what it shall tell.
                    status = HttpStatusCode.OK;
                }

                var may = role is { } has && has >= Enum.Parse<ConsoleRole>(need, ignoreCase: true);
                var expected = may ? (HttpStatusCode?)null : role is null ? HttpStatusCode.Unauthorized : HttpStatusCode.Forbidden;
                if (may ? status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden : status != expected)
                    wrong.Add($"{role?.ToString() ?? "nobody"} at {method} {pattern}: {status}");
            }
        }

        Assert.Empty(wrong);
    }

    private static bool Waits(string pattern) => pattern.EndsWith("/settled", StringComparison.Ordinal);

    private static string UrlOf(string pattern) => "/" + Regex.Replace(pattern.TrimStart('/'), @"\{[^}]*\}", "nothing");

    private static IEnumerable<(string Role, string Method, string Pattern)> Endpoints(ConsoleWorld world)
    {
        foreach (var endpoint in ((IEndpointRouteBuilder)world.Server.App).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>())
        {
            var metadata = endpoint.Metadata;
            var role = metadata.GetMetadata<OwnToken>() is not null ? "token" : metadata.GetMetadata<OpenToAll>() is not null ? "everybody" : metadata.GetMetadata<RequiredRole>()!.Role.ToString().ToLowerInvariant();
            foreach (var method in metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"])
                yield return (role, method, "/" + endpoint.RoutePattern.RawText!.TrimStart('/'));
        }
    }

    internal static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "DaprPlatform.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("the repository's root is not above the tests");
        return folder;
    }
}
