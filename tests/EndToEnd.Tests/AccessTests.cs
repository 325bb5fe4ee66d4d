using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>What a service may do through its sidecar, and what it may not: scopes of topics, components and secrets, and calls that only one app may make.</summary>
public sealed class AccessTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("payments", "order_created")]
    [InlineData("inventory", "payment_processed")]
    [InlineData("basket", "order_status_changed")]
    [InlineData("notifications", "user_registered")]
    public async Task An_app_cannot_publish_what_is_anothers_to_tell(string app, string topic)
    {
        using var sidecar = SidecarOf(app);
        using var said = await sidecar.PostAsJsonAsync($"/v1.0/publish/pubsub/{topic}", new { order_id = "forged" }, Cancel);
        Assert.Equal(HttpStatusCode.Forbidden, said.StatusCode);
    }

    [Fact]
    public async Task A_secret_is_given_to_the_app_it_is_for_and_none_besides_those_that_are_named()
    {
        using var users = SidecarOf("users");
        using var key = await users.GetAsync(new Uri("/v1.0/secrets/secretstore/jwt-signing-key", UriKind.Relative), Cancel);
        Assert.Equal(HttpStatusCode.OK, key.StatusCode);
        using var other = await users.GetAsync(new Uri("/v1.0/secrets/secretstore/_comment", UriKind.Relative), Cancel);
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);

        using var payments = SidecarOf("payments");
        using var foreign = await payments.GetAsync(new Uri("/v1.0/secrets/secretstore/jwt-signing-key", UriKind.Relative), Cancel);
        Assert.False(foreign.IsSuccessStatusCode);
    }

    [Theory]
    [InlineData("basket", "v1.0/state/orderstate/any")]
    [InlineData("payments", "v1.0/state/statestore/any")]
    [InlineData("notifications", "v1.0/configuration/configstore")]
    public async Task A_component_is_there_for_the_apps_in_its_scope_alone(string app, string path)
    {
        using var sidecar = SidecarOf(app);
        using var answer = await sidecar.GetAsync(new Uri(path, UriKind.Relative), Cancel);
        Assert.False(answer.IsSuccessStatusCode, $"{app} got {(int)answer.StatusCode} for {path}");
        Assert.Contains("ERR_", await answer.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("basket", "inventory", "daprplatform.inventory.v1.Stock/Release")]
    [InlineData("notifications", "payments", "daprplatform.payments.v1.Charges/Void")]
    [InlineData("basket", "orders", "daprplatform.orders.v1.Settlement/GetCharge")]
    public async Task A_step_of_an_order_is_refused_to_whoever_else_asks_for_it(string app, string target, string method)
    {
        const string permissionDenied = "7";
        using var http = new HttpClient { BaseAddress = new Uri(stack.GatewayUrl) };
        using var registered = await http.PostAsJsonAsync("/api/v1/auth/register",
            new { email = $"access-{Guid.NewGuid():N}@example.com", password = "correct-horse-1", firstName = "Ada", lastName = "Lovelace" }, Cancel);
        var token = (string)(await registered.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["data"]!["accessToken"]!;

        using var sidecar = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{stack.Status.Apps.Single(a => a.App == app).DaprGrpcPort}") };
        using var request = new HttpRequestMessage(HttpMethod.Post, method) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.Add("dapr-app-id", target);
        // A caller that says it is somebody else.
        request.Headers.Add("dapr-caller-app-id", "orders");
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Content = new ByteArrayContent(new byte[5]) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } };
        using var answer = await sidecar.SendAsync(request, Cancel);
        await answer.Content.ReadAsByteArrayAsync(Cancel);

        var status = answer.TrailingHeaders.TryGetValues("grpc-status", out var values) || answer.Headers.TryGetValues("grpc-status", out values) ? values.Single() : "none";
        // A policy of an endpoint refuses before gRPC has a say.
        Assert.True(answer.StatusCode == HttpStatusCode.Forbidden || status == permissionDenied, $"HTTP {(int)answer.StatusCode}, grpc-status {status}");
    }

    [Fact]
    public async Task The_status_of_an_order_is_told_as_it_changes()
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(2));
        using var http = new HttpClient { BaseAddress = new Uri(stack.GatewayUrl), Timeout = TimeSpan.FromMinutes(2) };
        using var registered = await http.PostAsJsonAsync("/api/v1/auth/register",
            new { email = $"events-{Guid.NewGuid():N}@example.com", password = "correct-horse-1", firstName = "Ada", lastName = "Lovelace" }, Cancel);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", (string)(await registered.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["data"]!["accessToken"]!);
        using var placed = await http.PostAsJsonAsync("/api/v1/orders", new { items = new[] { new { productId = await stack.PlentyAsync(gateway, Cancel), quantity = 1 } }, shippingAddress = "12 St James Square" }, Cancel);
        var order = (string)(await placed.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["data"]!["id"]!;

        using var stream = await http.GetAsync(new Uri($"/api/v1/orders/{order}/events", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal("text/event-stream", stream.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await stream.Content.ReadAsStreamAsync(Cancel), Encoding.UTF8);
        Assert.Equal(("1", "PENDING"), await NextAsync(reader));
        Assert.Equal(("2", "CONFIRMED"), await NextAsync(reader));
        using var oper = stack.Operator(gateway);
        foreach (var (id, status) in new[] { ("3", "PROCESSING"), ("4", "SHIPPED"), ("5", "DELIVERED") })
        {
            Assert.True((await oper.SendAsync(HttpMethod.Put, $"api/v1/orders/{order}/status", new JsonObject { ["status"] = status }, Cancel)).Succeeded);
            Assert.Equal((id, status), await NextAsync(reader));
        }

        // Nothing follows a delivery: the stream ends. Who comes back hears only what is new.
        Assert.Null(await reader.ReadLineAsync(Cancel));
        using var again = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/orders/{order}/events") { Headers = { { "Last-Event-ID", "4" } } };
        using var rest = await http.SendAsync(again, Cancel);
        Assert.Equal(1, (await rest.Content.ReadAsStringAsync(Cancel)).Split("id: ").Length - 1);
    }

    private HttpClient SidecarOf(string app) => new() { BaseAddress = new Uri($"http://127.0.0.1:{stack.Status.Apps.Single(a => a.App == app).DaprHttpPort}") };

    /// <summary>The id and the status of the next event.</summary>
    private static async Task<(string? Id, string? Status)> NextAsync(StreamReader reader)
    {
        string? id = null, status = null;
        while (await reader.ReadLineAsync(Cancel) is { } line)
        {
            if (line.Length == 0 && status is not null)
                return (id, status);
            if (line.StartsWith("id: ", StringComparison.Ordinal))
                id = line[4..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                status = (string?)JsonNode.Parse(line[6..])!["status"];
        }

        return (id, status);
    }
}
