using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>Input that must not be taken: each gets its documented answer, and nothing changes.</summary>
public sealed class BadInputTests(StackFixture stack) : IAsyncLifetime
{
    private const string Address = "12 St James Square, London";
    private const string Password = "correct-horse-1";
    private const string Mug = "MUG-001";
    private readonly HttpClient _http = new() { BaseAddress = new Uri(stack.GatewayUrl) };
    private string _token = "";
    private (long Orders, long Available) _before;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _token = await RegisterAsync();
        _before = await CountAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Assert.Equal(_before, await CountAsync());
        _http.Dispose();
    }

    [Theory]
    [InlineData("""{"items":[{"productId":"MUG-001","quantity":1}""", HttpStatusCode.BadRequest)]
    [InlineData("""not json""", HttpStatusCode.BadRequest)]
    [InlineData("", HttpStatusCode.BadRequest)]
    [InlineData("""[]""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":"MUG-001","shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[{"productId":"MUG-001","quantity":"two"}],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[{"productId":"MUG-001","quantity":1.5}],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[null],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[{"productId":"MUG-001","quantity":1}],"shippingAddress":"short"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[{"productId":"MUG-001","quantity":0}],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[{"productId":"MUG-001","quantity":-1}],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[{"productId":"MUG-001","quantity":101}],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[{"productId":"MUG-001","quantity":2147483648}],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.BadRequest)]
    [InlineData("""{"items":[{"productId":"NO-SUCH-THING","quantity":1}],"shippingAddress":"12 St James Square, London"}""", HttpStatusCode.UnprocessableEntity)]
    public async Task An_order_that_makes_no_sense_is_refused(string body, HttpStatusCode status) =>
        await AssertProblemAsync(await PostAsync("/api/v1/orders", body, _token), status);

    [Fact]
    public async Task Nobody_orders_without_a_token_or_with_one_of_another_issuer()
    {
        const string body = $$"""{"items":[{"productId":"{{Mug}}","quantity":1}],"shippingAddress":"{{Address}}"}""";
        // RS256 by a key that nobody here knows.
        var foreign = $"{Segment("""{"alg":"RS256","typ":"JWT","kid":"other"}""")}.{Segment("""{"sub":"USR-1","iss":"elsewhere","exp":9999999999}""")}.{Segment("signature")}";

        foreach (var token in (string?[])[null, "", "not-a-token", foreign, _token[..^3] + "abc"])
            await AssertProblemAsync(await PostAsync("/api/v1/orders", body, token), HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task The_order_of_another_user_does_not_exist()
    {
        var owner = await RegisterAsync();
        var order = await (await PostAsync("/api/v1/orders", await BodyOfAPlentifulProductAsync(), owner)).Content.ReadFromJsonAsync<JsonElement>(Cancel);
        var id = order.GetProperty("data").GetProperty("id").GetString();

        await AssertProblemAsync(await GetAsync($"/api/v1/orders/{id}", _token), HttpStatusCode.NotFound);
        await AssertProblemAsync(await PostAsync($"/api/v1/orders/{id}/cancel", "{}", _token), HttpStatusCode.NotFound);
        await AssertProblemAsync(await GetAsync("/api/v1/orders/ORD-00000000-0000-0000-0000-000000000000", _token), HttpStatusCode.NotFound);
        await AssertProblemAsync(await GetAsync("/api/v1/orders/nonsense", _token), HttpStatusCode.NotFound);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync($"/api/v1/orders/{id}", owner)).StatusCode);
    }

    [Fact]
    public async Task An_idempotency_key_gives_the_first_answer_again_and_refuses_another_body()
    {
        var user = await RegisterAsync();
        var body = await BodyOfAPlentifulProductAsync();
        var key = Guid.NewGuid().ToString();
        var first = await PostAsync("/api/v1/orders", body, user, key);
        var again = await PostAsync("/api/v1/orders", body, user, key);

        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.Accepted), (first.StatusCode, again.StatusCode));
        Assert.Equal(first.Headers.Location, again.Headers.Location);
        Assert.Equal(["true"], again.Headers.GetValues("Idempotent-Replayed"));
        await AssertProblemAsync(await PostAsync("/api/v1/orders", body.Replace("London", "Leeds", StringComparison.Ordinal), user, key), HttpStatusCode.UnprocessableEntity);
        var list = await (await GetAsync("/api/v1/orders", user)).Content.ReadFromJsonAsync<JsonElement>(Cancel);
        Assert.Equal(1, list.GetProperty("page").GetProperty("total").GetInt64());
    }

    [Fact]
    public async Task A_body_above_the_limit_is_refused()
    {
        var body = $$"""{"items":[{"productId":"{{Mug}}","quantity":1}],"shippingAddress":"{{new string('x', 2 << 20)}}"}""";

        // The client asks first: the gateway refuses by the length, and nothing of the body is on the way when it closes the connection.
        await AssertProblemAsync(await PostAsync("/api/v1/orders", body, _token, asksFirst: true), HttpStatusCode.RequestEntityTooLarge);
    }

    [Fact]
    public async Task A_topic_that_the_service_may_not_write_to_is_refused_by_its_sidecar()
    {
        var port = stack.Status.Apps.Single(a => a.App == "orders").DaprHttpPort;
        using var sidecar = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };

        var answer = await sidecar.PostAsync("/v1.0/publish/pubsub/no_such_topic", new StringContent("{}", Encoding.UTF8, "application/json"), Cancel);
        var missing = await sidecar.PostAsync("/v1.0/publish/no-such-pubsub/order_created", new StringContent("{}", Encoding.UTF8, "application/json"), Cancel);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Equal("ERR_PUBSUB_FORBIDDEN", (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("errorCode").GetString());
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task A_malformed_event_is_refused_and_harms_nobody()
    {
        var port = stack.Status.Apps.Single(a => a.App == "payments").DaprHttpPort;
        using var sidecar = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        using var broken = new StringContent("{\"specversion\":", Encoding.UTF8);
        broken.Headers.ContentType = new MediaTypeHeaderValue("application/cloudevents+json");

        var answer = await sidecar.PostAsync("/v1.0/publish/pubsub/payment_processed", broken, Cancel);

        Assert.True((int)answer.StatusCode is >= 400 and < 600, $"{answer.StatusCode}");
        // One that parses and means nothing reaches the consumer, which puts it aside; the order flow goes on.
        var nonsense = await sidecar.PostAsync("/v1.0/publish/pubsub/payment_processed", new StringContent("""{"order_id":17}""", Encoding.UTF8, "application/json"), Cancel);
        Assert.Equal(HttpStatusCode.NoContent, nonsense.StatusCode);
        var user = await RegisterAsync();
        var order = await (await PostAsync("/api/v1/orders", await BodyOfAPlentifulProductAsync(), user)).Content.ReadFromJsonAsync<JsonElement>(Cancel);
        var id = order.GetProperty("data").GetProperty("id").GetString();
        using var wait = Request(HttpMethod.Get, $"/api/v1/orders/{id}", user);
        wait.Headers.TryAddWithoutValidation("Prefer", "wait=20");
        var decided = await (await _http.SendAsync(wait, Cancel)).Content.ReadFromJsonAsync<JsonElement>(Cancel);
        Assert.Equal("CONFIRMED", decided.GetProperty("data").GetProperty("status").GetString());
    }

    private static string Segment(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text)).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static async Task AssertProblemAsync(HttpResponseMessage response, HttpStatusCode status)
    {
        var text = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(response.StatusCode == status, $"{(int)response.StatusCode} instead of {(int)status}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        using var problem = JsonDocument.Parse(text);
        Assert.Equal((int)status, problem.RootElement.GetProperty("status").GetInt32());
        Assert.StartsWith("urn:problem:", problem.RootElement.GetProperty("type").GetString(), StringComparison.Ordinal);
        Assert.NotEmpty(problem.RootElement.GetProperty("code").GetString()!);
    }

    private async Task<string> RegisterAsync()
    {
        var body = new { email = $"{Guid.NewGuid():N}@example.com", password = Password, firstName = "Ada", lastName = "Lovelace" };
        var response = await _http.PostAsJsonAsync("/api/v1/auth/register", body, Cancel);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("data").GetProperty("accessToken").GetString()!;
    }

    private async Task<(long, long)> CountAsync()
    {
        var orders = await (await GetAsync("/api/v1/orders", _token)).Content.ReadFromJsonAsync<JsonElement>(Cancel);
        var product = await (await GetAsync($"/api/v1/inventory/products/{Mug}", null)).Content.ReadFromJsonAsync<JsonElement>(Cancel);
        return (orders.GetProperty("page").GetProperty("total").GetInt64(), product.GetProperty("data").GetProperty("available").GetInt64());
    }

    private async Task<string> BodyOfAPlentifulProductAsync()
    {
        using var gateway = stack.Gateway(TimeSpan.FromSeconds(30));
        return $$"""{"items":[{"productId":"{{await stack.PlentyAsync(gateway, Cancel)}}","quantity":1}],"shippingAddress":"{{Address}}"}""";
    }

    private Task<HttpResponseMessage> GetAsync(string path, string? token) => _http.SendAsync(Request(HttpMethod.Get, path, token), Cancel);

    private Task<HttpResponseMessage> PostAsync(string path, string body, string? token, string? key = null, bool asksFirst = false)
    {
        var request = Request(HttpMethod.Post, path, token);
        request.Headers.ExpectContinue = asksFirst;
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return _http.SendAsync(request, Cancel);
    }

    private static HttpRequestMessage Request(HttpMethod method, string path, string? token)
    {
        var request = new HttpRequestMessage(method, path);
        if (token is not null)
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        return request;
    }
}
