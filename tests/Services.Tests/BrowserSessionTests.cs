using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Contracts.Users;
using DaprPlatform.Gateway.Api;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using NSubstitute;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>Sign-in by cookie: what the page gets, what it never sees, and who may ask.</summary>
public sealed class BrowserSessionTests : IDisposable
{
    private readonly IAccounts _accounts = Substitute.For<IAccounts>();
    private readonly ServiceApp<RateLimits> _app = new(("SIGN_IN_LIMIT_PER_MINUTE", "3"), ("FRONTEND_ORIGINS", "https://shop.example"));
    private readonly WebApplicationFactory<RateLimits> _host;
    private readonly HttpClient _client;

    public BrowserSessionTests()
    {
        _host = _app.WithWebHostBuilder(builder => builder.ConfigureTestServices(services => services.Replace(ServiceDescriptor.Singleton(_accounts))));
        _client = _host.CreateClient(new WebApplicationFactoryClientOptions { HandleCookies = false });
        _accounts.LoginAsync(default!, TestContext.Current.CancellationToken).ReturnsForAnyArgs(SessionOf("secret-1"));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _client.Dispose();
        _host.Dispose();
        _app.Dispose();
    }

    [Fact]
    public async Task The_refresh_token_is_in_a_cookie_that_no_script_reads_and_nowhere_else()
    {
        using var answer = await SignInAsync();
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = await answer.Content.ReadAsStringAsync(Cancel);
        Assert.Equal("access of secret-1", (string?)JsonNode.Parse(body)!["data"]!["accessToken"]);
        Assert.DoesNotContain("\"secret-1\"", body, StringComparison.Ordinal);
        Assert.DoesNotContain("refreshToken", body, StringComparison.Ordinal);
        Assert.True(answer.Headers.CacheControl!.NoStore);
        var cookie = answer.Headers.GetValues("Set-Cookie").Single();
        Assert.StartsWith("refresh_token=secret-1;", cookie, StringComparison.Ordinal);
        Assert.Contains("path=/api/v1/auth/session", cookie, StringComparison.Ordinal);
        Assert.Contains("samesite=strict", cookie, StringComparison.Ordinal);
        Assert.Contains("httponly", cookie, StringComparison.Ordinal);
        Assert.DoesNotContain("secure", cookie, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Behind_tls_the_cookie_travels_by_tls_alone()
    {
        using var answer = await SignInAsync(("X-Forwarded-Proto", "https"));
        Assert.Contains("; secure", answer.Headers.GetValues("Set-Cookie").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refresh_replaces_the_cookie()
    {
        _accounts.RefreshAsync(default!, TestContext.Current.CancellationToken).ReturnsForAnyArgs(SessionOf("secret-2"));
        using var answer = await SendAsync(HttpMethod.Post, "/refresh", null, ("Cookie", "refresh_token=secret-1"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.StartsWith("refresh_token=secret-2;", answer.Headers.GetValues("Set-Cookie").Single(), StringComparison.Ordinal);
        await _accounts.Received(1).RefreshAsync(Arg.Is<RefreshRequest>(r => r.RefreshToken == "secret-1"), Arg.Any<CancellationToken>());
    }

    [Fact]
    public async Task Nobody_signed_in_is_an_answer_and_no_failure()
    {
        using var answer = await SendAsync(HttpMethod.Post, "/refresh", null);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }

    [Fact]
    public async Task A_cookie_that_is_no_longer_good_is_taken_back()
    {
        _accounts.RefreshAsync(default!, TestContext.Current.CancellationToken).ReturnsForAnyArgs<Task<Session>>(_ => throw Refusals.Unauthorized("invalid-refresh-token", "The refresh token is not valid."));
        using var answer = await SendAsync(HttpMethod.Post, "/refresh", null, ("Cookie", "refresh_token=old"));
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        var cookie = answer.Headers.GetValues("Set-Cookie").Single();
        Assert.StartsWith("refresh_token=;", cookie, StringComparison.Ordinal);
        Assert.Contains("expires=Thu, 01 Jan 1970", cookie, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_is_away_costs_nobody_the_session()
    {
        _accounts.RefreshAsync(default!, TestContext.Current.CancellationToken).ReturnsForAnyArgs(_ => throw Refusals.Unavailable("users"), _ => Task.FromResult(SessionOf("secret-2")));
        using var failed = await SendAsync(HttpMethod.Post, "/refresh", null, ("Cookie", "refresh_token=secret-1"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);
        Assert.False(failed.Headers.Contains("Set-Cookie"));
        using var again = await SendAsync(HttpMethod.Post, "/refresh", null, ("Cookie", "refresh_token=secret-1"));
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
    }

    [Fact]
    public async Task Users_is_asked_to_be_lenient_with_a_browser_and_goes_on_when_its_page_is_left()
    {
        _accounts.RefreshAsync(default!, TestContext.Current.CancellationToken).ReturnsForAnyArgs(SessionOf("secret-2"));
        using var answer = await SendAsync(HttpMethod.Post, "/refresh", null, ("Cookie", "refresh_token=secret-1"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await _accounts.Received(1).RefreshAsync(Arg.Is<RefreshRequest>(r => r.Lenient), CancellationToken.None);
    }

    [Fact]
    public async Task Signing_out_ends_the_session_and_takes_the_cookie()
    {
        _accounts.LogoutAsync(default!, TestContext.Current.CancellationToken).ReturnsForAnyArgs(new LogoutResponse());
        using var left = await SendAsync(HttpMethod.Delete, "?everywhere=true", null, ("Cookie", "refresh_token=secret-2"));
        Assert.Equal(HttpStatusCode.NoContent, left.StatusCode);
        Assert.StartsWith("refresh_token=;", left.Headers.GetValues("Set-Cookie").Single(), StringComparison.Ordinal);
        await _accounts.Received(1).LogoutAsync(Arg.Is<LogoutRequest>(r => r.RefreshToken == "secret-2" && r.Everywhere), Arg.Any<CancellationToken>());
    }

    [Theory]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "null")]
    // May read the API, but the session is not for it.
    [InlineData("Origin", "https://shop.example")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    public async Task A_page_of_another_origin_is_refused(string header, string value)
    {
        using var answer = await SendAsync(HttpMethod.Post, "/refresh", null, ("Cookie", "refresh_token=secret-1"), (header, value));
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        await _accounts.DidNotReceiveWithAnyArgs().RefreshAsync(default!, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_page_of_this_origin_is_served()
    {
        using var answer = await SendAsync(HttpMethod.Post, "/refresh", null, ("Origin", "https://localhost"), ("Sec-Fetch-Site", "same-origin"));
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }

    [Fact]
    public async Task A_form_cannot_ask_because_it_cannot_send_the_header()
    {
        using var answer = await _client.PostAsync(new Uri("/api/v1/auth/session/refresh", UriKind.Relative), null, Cancel);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("X-Requested-By", await answer.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Opening_pages_does_not_count_as_signing_in()
    {
        for (var i = 0; i < 10; i++)
        {
            using var refresh = await SendAsync(HttpMethod.Post, "/refresh", null);
            Assert.Equal(HttpStatusCode.NoContent, refresh.StatusCode);
        }

        var last = HttpStatusCode.OK;
        for (var i = 0; i < 4; i++)
        {
            using var answer = await SignInAsync();
            last = answer.StatusCode;
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, last);
    }

    private Task<HttpResponseMessage> SignInAsync(params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "", JsonContent.Create(new { email = "ada@example.com", password = "correct-horse-1" }), headers);

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, "/api/v1/auth/session" + path) { Content = content };
        request.Headers.Add("X-Requested-By", "storefront");
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return await _client.SendAsync(request, Cancel);
    }

    private static Session SessionOf(string token) => new()
    {
        User = new UserProfile { Id = "USR-1", Email = "ada@example.com", FirstName = "Ada", LastName = "Lovelace", CreatedAt = new Timestamp() },
        AccessToken = "access of " + token,
        RefreshToken = token,
        ExpiresInSeconds = 900,
    };
}
