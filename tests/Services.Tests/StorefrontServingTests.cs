using System.IO.Compression;
using System.Net;
using System.Text;
using DaprPlatform.Gateway.Api;
using DaprPlatform.Services.Tests.Fixtures;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>How the gateway serves the pages of the shop, and that it stays an API besides.</summary>
public sealed class StorefrontServingTests : IDisposable
{
    private const string Script = "console.log('shop')";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("storefront-");
    private readonly ServiceApp<RateLimits> _app;
    private readonly HttpClient _client;

    public StorefrontServingTests()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "index.html"), "<!doctype html><title>shop</title>");
        File.WriteAllText(Path.Combine(_folder.FullName, "favicon.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>");
        var assets = _folder.CreateSubdirectory("assets").FullName;
        File.WriteAllText(Path.Combine(assets, "index-1a2b3c.js"), Script);
        File.WriteAllBytes(Path.Combine(assets, "index-1a2b3c.js.br"), Compressed(stream => new BrotliStream(stream, CompressionLevel.Optimal)));
        File.WriteAllBytes(Path.Combine(assets, "index-1a2b3c.js.gz"), Compressed(stream => new GZipStream(stream, CompressionLevel.Optimal)));
        _app = new ServiceApp<RateLimits>(("STOREFRONT_FOLDER", _folder.FullName));
        _client = _app.ClientOf(null);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _client.Dispose();
        _app.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/products")]
    [InlineData("/orders/ORD-01900000-0000-7000-8000-000000000001")]
    [InlineData("/no/such/page.at-all")]
    public async Task Whatever_address_a_person_opens_gets_the_page_fresh(string path)
    {
        using var answer = await GetAsync(path, ("Accept", "text/html,application/xhtml+xml"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("text/html", answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal("no-cache", answer.Headers.CacheControl!.ToString());
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("same-origin", answer.Headers.GetValues("Cross-Origin-Opener-Policy").Single());
    }

    [Theory]
    [InlineData("/api/v1/nowhere")]
    [InlineData("/api")]
    [InlineData("/API/v1/nowhere")]
    [InlineData("/health/nothing")]
    [InlineData("/.well-known/nothing")]
    public async Task A_person_who_opens_an_unknown_address_of_the_api_is_told_so(string path)
    {
        using var answer = await GetAsync(path, ("Accept", "text/html"));
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task A_wrong_method_at_the_api_is_still_a_wrong_method()
    {
        using var answer = await GetAsync("/api/v1/auth/login", ("Accept", "text/html"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
    }

    [Theory]
    [InlineData("/assets/gone-000000.js")]
    [InlineData("/products")]
    [InlineData("/../../etc/passwd")]
    [InlineData("/assets/%2e%2e/%2e%2e/etc/passwd")]
    [InlineData("/assets/index-1a2b3c.js.br")]
    public async Task What_is_no_file_and_no_navigation_is_not_found(string path)
    {
        using var answer = await GetAsync(path, ("Accept", "*/*"));
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
    }

    [Theory]
    [InlineData("gzip, deflate, br, zstd", "br")]
    [InlineData("gzip", "gzip")]
    [InlineData("br;q=0, gzip;q=1.0", "gzip")]
    [InlineData("", null)]
    public async Task A_file_with_its_digest_in_its_name_is_kept_for_ever_and_sent_as_small_as_the_browser_takes_it(string accepted, string? encoding)
    {
        using var answer = await GetAsync("/assets/index-1a2b3c.js", ("Accept-Encoding", accepted));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("text/javascript", answer.Content.Headers.ContentType!.MediaType);
        Assert.Contains("immutable", answer.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        Assert.Equal("Accept-Encoding", answer.Headers.Vary.Single());
        Assert.Equal(encoding, answer.Content.Headers.ContentEncoding.SingleOrDefault());
        var body = await answer.Content.ReadAsStreamAsync(Cancel);
        using var reader = new StreamReader(encoding switch
        {
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            _ => body,
        });
        Assert.Equal(Script, await reader.ReadToEndAsync(Cancel));
    }

    [Fact]
    public async Task What_the_browser_has_is_not_sent_again()
    {
        using var first = await GetAsync("/favicon.svg");
        Assert.Equal("image/svg+xml", first.Content.Headers.ContentType!.MediaType);
        Assert.Equal("no-cache", first.Headers.CacheControl!.ToString());
        using var again = await GetAsync("/favicon.svg", ("If-None-Match", first.Headers.ETag!.ToString()));
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        Assert.Empty(await again.Content.ReadAsByteArrayAsync(Cancel));
    }

    [Fact]
    public async Task A_gateway_without_pages_is_the_api_alone()
    {
        using var app = new ServiceApp<RateLimits>(("STOREFRONT_FOLDER", Path.Combine(_folder.FullName, "assets")));
        using var client = app.ClientOf(null);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "Accept", "text/html" } } };
        using var answer = await client.SendAsync(request, Cancel);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    private async Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers.Where(h => h.Value.Length > 0))
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return await _client.SendAsync(request, Cancel);
    }

    private static byte[] Compressed(Func<Stream, Stream> compressor)
    {
        using var result = new MemoryStream();
        using (var stream = compressor(result))
            stream.Write(Encoding.UTF8.GetBytes(Script));
        return result.ToArray();
    }
}
