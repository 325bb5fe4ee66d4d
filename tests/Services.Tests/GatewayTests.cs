using System.Net;
using System.Net.Http.Json;
using DaprPlatform.Gateway.Api;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.Services.Tests.Fixtures;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>What the gateway does before it asks anybody.</summary>
public sealed class GatewayTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_caller_that_asks_too_often_is_told_when_to_ask_again_and_another_is_not()
    {
        using var app = new ServiceApp<RateLimits>(("RATE_LIMIT_PER_SECOND", "1"));
        using var hasty = app.ClientOf(Roles.Customer);
        using var other = app.ClientOf(Roles.Customer);
        // A bucket of two; a body that is refused before anybody else is asked. A slow machine fills the bucket while it asks, so it asks on.
        var refused = await PostOrderAsync(hasty);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        while (refused.StatusCode != HttpStatusCode.TooManyRequests)
            refused = (await DatabaseFixture.AtOnceAsync(8, _ => PostOrderAsync(hasty))).MaxBy(a => a.StatusCode)!;
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 2);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);
        Assert.Contains("too-many-requests", await refused.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await PostOrderAsync(other)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await other.GetAsync(new Uri("/health/live", UriKind.Relative), Cancel)).StatusCode);
    }

    [Fact]
    public async Task Signing_in_has_a_limit_of_its_own()
    {
        using var app = new ServiceApp<RateLimits>(("SIGN_IN_LIMIT_PER_MINUTE", "3"));
        using var client = app.ClientOf(null);
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 4; i++)
            statuses.Add((await client.PostAsJsonAsync("/api/v1/auth/login", "no object", Cancel)).StatusCode);
        Assert.Equal([HttpStatusCode.BadRequest, HttpStatusCode.BadRequest, HttpStatusCode.BadRequest, HttpStatusCode.TooManyRequests], statuses);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync(new Uri("/api/v1/orders", UriKind.Relative), Cancel)).StatusCode);
    }

    [Fact]
    public async Task Every_answer_carries_the_headers_that_keep_a_browser_in_check()
    {
        using var app = new ServiceApp<RateLimits>();
        using var client = app.ClientOf(Roles.Customer);
        foreach (var path in new[] { "/health/live", "/api/v1/nowhere" })
        {
            var headers = (await client.GetAsync(new Uri(path, UriKind.Relative), Cancel)).Headers;
            Assert.Equal("nosniff", headers.GetValues("X-Content-Type-Options").Single());
            Assert.Equal("DENY", headers.GetValues("X-Frame-Options").Single());
            Assert.Equal("no-referrer", headers.GetValues("Referrer-Policy").Single());
            Assert.StartsWith("default-src 'none'", headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
            Assert.True(headers.CacheControl!.NoStore);
            Assert.NotEmpty(headers.GetValues("X-Request-ID").Single());
            Assert.False(headers.Contains("Server"));
        }
    }

    [Fact]
    public async Task Only_the_pages_of_the_list_may_call_from_a_browser()
    {
        using var app = new ServiceApp<RateLimits>(("FRONTEND_ORIGINS", "https://shop.example"));
        using var client = app.ClientOf(null);
        Assert.Equal("https://shop.example", await AllowedAsync("https://shop.example"));
        Assert.Null(await AllowedAsync("https://evil.example"));

        async Task<string?> AllowedAsync(string origin)
        {
            using var request = new HttpRequestMessage(HttpMethod.Options, "/api/v1/orders");
            request.Headers.Add("Origin", origin);
            request.Headers.Add("Access-Control-Request-Method", "POST");
            using var response = await client.SendAsync(request, Cancel);
            return response.Headers.TryGetValues("Access-Control-Allow-Origin", out var values) ? values.Single() : null;
        }
    }

    [Fact]
    public void Every_page_may_call_is_no_list()
    {
        using var app = new ServiceApp<RateLimits>(("FRONTEND_ORIGINS", "*"));
        Assert.Contains("FRONTEND_ORIGINS", Assert.ThrowsAny<InvalidOperationException>(() => app.ClientOf(null)).Message, StringComparison.Ordinal);
    }

    private static Task<HttpResponseMessage> PostOrderAsync(HttpClient client) => client.PostAsJsonAsync("/api/v1/orders", new { items = new[] { new { quantity = 0 } } }, Cancel);
}
