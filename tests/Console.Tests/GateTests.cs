using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli;
using DaprPlatform.Cli.OpsConsole;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>What stands before the endpoints.</summary>
public sealed class GateTests
{
    [Theory]
    [InlineData("localhost", true)]
    [InlineData("127.0.0.1:1337", true)]
    [InlineData("[::1]", true)]
    [InlineData("console.example", true)]
    [InlineData("attacker.example", false)]
    [InlineData("127.0.0.1.attacker.example", false)]
    [InlineData("192.168.1.7", false)]
    public async Task A_host_that_is_not_this_console_is_refused(string host, bool known)
    {
        await using var world = await ConsoleWorld.StartAsync();
        foreach (var path in (string[])["/api/v1/status", "/status", "/"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Host = host, Accept = { new("text/html") } } };
            using var response = await world.Http.SendAsync(request, ConsoleWorld.Cancel);
            Assert.Equal(known ? HttpStatusCode.OK : HttpStatusCode.MisdirectedRequest, response.StatusCode);
        }
    }

    [Theory]
    [InlineData(null, null, null, false)]
    [InlineData("1", null, null, true)]
    [InlineData("1", "own", "same-origin", true)]
    [InlineData("1", "http://attacker.example", null, false)]
    [InlineData("1", "null", null, false)]
    [InlineData("1", null, "cross-site", false)]
    [InlineData("1", null, "same-site", false)]
    [InlineData(null, "own", "same-origin", false)]
    public async Task A_change_needs_its_header_and_our_own_origin(string? header, string? origin, string? site, bool accepted)
    {
        await using var world = await ConsoleWorld.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/apps/alpha/start");
        if (header is not null)
            request.Headers.Add("X-Console", header);
        if (origin is not null)
            request.Headers.Add("Origin", origin == "own" ? world.Origin : origin);
        if (site is not null)
            request.Headers.Add("Sec-Fetch-Site", site);
        using var response = await world.Http.SendAsync(request, ConsoleWorld.Cancel);
        Assert.Equal(accepted ? HttpStatusCode.NoContent : HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal(accepted ? 1 : 0, world.System.Audit.Read(null, 10).Count);
    }

    [Theory]
    [InlineData("/", "text/html")]
    [InlineData("/api/v1/status", "application/json")]
    [InlineData("/api/v1/nothing", "application/json")]
    [InlineData("/status", "text/html")]
    public async Task Every_answer_has_the_headers_of_safety(string path, string accept)
    {
        await using var world = await ConsoleWorld.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Accept = { new(accept) } } };
        using var response = await world.Http.SendAsync(request, ConsoleWorld.Cancel);
        var policy = response.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'self'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("no-referrer", response.Headers.GetValues("Referrer-Policy").Single());
        Assert.False(response.Headers.Contains("Server"));
    }

    [Fact]
    public async Task Five_wrong_passwords_lock_the_right_one_out_for_a_minute()
    {
        var time = new ManualTime();
        await using var world = await ConsoleWorld.StartAsync(data => new Accounts(Path.Combine(data.Path, Accounts.FileName)).Set("ada", ConsoleRole.Viewer, ConsoleWorld.Password), time);
        for (var i = 0; i < 5; i++)
            Assert.Equal(HttpStatusCode.Unauthorized, await TryAsync("wrong-password"));
        Assert.Equal(HttpStatusCode.Unauthorized, await TryAsync(ConsoleWorld.Password));
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(HttpStatusCode.NoContent, await TryAsync(ConsoleWorld.Password));

        async Task<HttpStatusCode> TryAsync(string password)
        {
            using var response = await world.Http.SendAsync(ConsoleWorld.Change(HttpMethod.Post, "/api/v1/session", new { name = "ada", password }), ConsoleWorld.Cancel);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task A_session_ends_with_its_sign_out_and_with_its_account()
    {
        await using var world = await ConsoleWorld.StartAsync(data =>
        {
            var accounts = new Accounts(Path.Combine(data.Path, Accounts.FileName));
            accounts.Set("ada", ConsoleRole.Viewer, ConsoleWorld.Password);
            accounts.Set("bob", ConsoleRole.Viewer, ConsoleWorld.Password);
        });
        var (ada, bob) = (await world.SignInAsync("ada"), await world.SignInAsync("bob"));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(ada));
        using (var request = ConsoleWorld.Change(HttpMethod.Delete, "/api/v1/session"))
        {
            request.Headers.Add("Cookie", ada);
            using var response = await world.Http.SendAsync(request, ConsoleWorld.Cancel);
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(ada));
        Assert.True(world.System.Accounts.Remove("bob"));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(bob));

        async Task<HttpStatusCode> GetAsync(string cookie)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/status") { Headers = { { "Cookie", cookie } } };
            using var response = await world.Http.SendAsync(request, ConsoleWorld.Cancel);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task A_cookie_is_out_of_reach_of_scripts_and_other_sites()
    {
        await using var world = await ConsoleWorld.StartAsync(data => new Accounts(Path.Combine(data.Path, Accounts.FileName)).Set("ada", ConsoleRole.Viewer, ConsoleWorld.Password));
        using var response = await world.Http.SendAsync(ConsoleWorld.Change(HttpMethod.Post, "/api/v1/session", new { name = "ada", password = ConsoleWorld.Password }), ConsoleWorld.Cancel);
        var cookie = response.Headers.GetValues("Set-Cookie").Single();
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(ConsoleWorld.Password, await File.ReadAllTextAsync(Path.Combine(world.Data.Path, Accounts.FileName), ConsoleWorld.Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Elsewhere_than_on_this_machine_it_does_not_listen_without_an_account()
    {
        await using var world = await ConsoleWorld.StartAsync();
        await Assert.ThrowsAsync<CommandException>(() => ConsoleServer.StartAsync(world.System, new ConsoleDoor(false, IPAddress.Any), 0, ConsoleWorld.Cancel));
    }

    [Fact]
    public async Task An_unknown_app_and_a_bad_value_are_problems()
    {
        await using var world = await ConsoleWorld.StartAsync();
        using var missing = await world.Http.SendAsync(ConsoleWorld.Change(HttpMethod.Post, "/api/v1/apps/gamma/stop"), ConsoleWorld.Cancel);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        Assert.Equal("application/problem+json", missing.Content.Headers.ContentType!.MediaType);
        Assert.Contains("gamma", (string?)(await missing.Content.ReadFromJsonAsync<JsonNode>(ConsoleWorld.Cancel))!["detail"], StringComparison.Ordinal);
        foreach (var path in (string[])["/api/v1/logs?limit=0", "/api/v1/logs?limit=x", "/api/v1/logs?level=loud", "/api/v1/logs?before=%21", "/api/v1/stream?topics=nothing", "/api/v1/stream", "/api/v1/audit?before=x"])
        {
            using var bad = await world.Http.GetAsync(path, ConsoleWorld.Cancel);
            Assert.True(bad.StatusCode == HttpStatusCode.BadRequest, $"{path}: {bad.StatusCode}");
            Assert.Equal("application/problem+json", bad.Content.Headers.ContentType!.MediaType);
        }
    }

    [Fact]
    public async Task Status_is_a_page_for_browsers_and_JSON_for_others()
    {
        await using var world = await ConsoleWorld.StartAsync();
        foreach (var (accept, type) in ((string?, string)[])[(null, "application/json"), ("application/json", "application/json"), ("*/*", "application/json"), ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"), ("application/json,text/html;q=0.5", "application/json")])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/status");
            if (accept is not null)
                request.Headers.TryAddWithoutValidation("Accept", accept);
            using var response = await world.Http.SendAsync(request, ConsoleWorld.Cancel);
            Assert.Equal(type, response.Content.Headers.ContentType!.MediaType);
            Assert.Contains("Accept", response.Headers.Vary);
            Assert.Contains("alpha", await response.Content.ReadAsStringAsync(ConsoleWorld.Cancel), StringComparison.Ordinal);
        }

        var built = Directory.CreateDirectory(Path.Combine(world.Root, "artifacts", "web", "console")).FullName;
        await File.WriteAllTextAsync(Path.Combine(built, "index.html"), "<!doctype html><title>Console</title>", ConsoleWorld.Cancel);
        foreach (var path in (string[])["/status", "/", "/workflows/orders/42"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Accept = { new("text/html") } } };
            using var response = await world.Http.SendAsync(request, ConsoleWorld.Cancel);
            Assert.Contains("<title>Console</title>", await response.Content.ReadAsStringAsync(ConsoleWorld.Cancel), StringComparison.Ordinal);
        }

        using var outside = await world.Http.GetAsync("/..%2f..%2f..%2fdapr.yaml", ConsoleWorld.Cancel);
        Assert.Equal(HttpStatusCode.NotFound, outside.StatusCode);
    }
}
