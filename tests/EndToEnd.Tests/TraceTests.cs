using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>One order seen across HTTP, gRPC, workflow and events, and what must not be seen anywhere.</summary>
public sealed class TraceTests(StackFixture stack)
{
    private const string Sku = "TRACE-001";
    private const string Card = "4111111111111111";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_order_is_one_trace_from_the_request_to_the_last_event_of_its_workflow()
    {
        var trace = ActivityTraceId.CreateRandom().ToHexString();
        using var http = new HttpClient { BaseAddress = new Uri(stack.GatewayUrl) };
        var order = await OrderAsync(stack, http, $"trace-{Guid.NewGuid():N}@example.com", $"00-{trace}-{ActivitySpanId.CreateRandom().ToHexString()}-01");

        var invariants = stack.Invariants();
        foreach (var (service, type) in new[]
                 {
                     ("orders", "orders.v1.order_created"), ("inventory", "inventory.v1.stock_reserved"), ("payments", "payments.v1.payment_processed"),
                     ("inventory", "inventory.v1.stock_committed"), ("orders", "orders.v1.confirmed"),
                 })
        {
            var parents = await invariants.TraceParentsAsync(service, order, type, Cancel);
            Assert.True(parents.Count == 1 && parents[0]?.Split('-')[1] == trace, $"{type} of {order} has {string.Join(", ", parents)} and not trace {trace}");
        }
    }

    [Fact]
    public async Task Neither_a_card_nor_an_address_is_in_a_log_or_an_event()
    {
        var email = $"secret-{Guid.NewGuid():N}@example.com";
        using var http = new HttpClient { BaseAddress = new Uri(stack.GatewayUrl) };
        await OrderAsync(stack, http, email, null);
        // A sign-in that fails is logged; the address is not part of what is.
        using var failed = await http.PostAsJsonAsync("/api/v1/auth/login", new { email, password = "wrong-Passw0rd" }, Cancel);

        foreach (var secret in new[] { Card, email })
        {
            Assert.DoesNotContain(secret, stack.AllLogs(), StringComparison.OrdinalIgnoreCase);
            foreach (var service in new[] { "users", "orders", "inventory", "payments" })
                Assert.Equal(0, await stack.Invariants().EventsWithAsync(service, secret, Cancel));
        }
    }

    /// <summary>Places an order with a card and waits for its confirmation.</summary>
    internal static async Task<string> OrderAsync(StackFixture stack, HttpClient http, string email, string? traceParent)
    {
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(1));
        using var oper = stack.Operator(gateway);
        var product = new JsonObject { ["sku"] = Sku, ["name"] = "Traced", ["priceMinor"] = 100, ["stock"] = 100_000 };
        Assert.True((await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = new JsonArray(product) }, Cancel)).Succeeded);
        using var registered = await http.PostAsJsonAsync("/api/v1/auth/register", new { email, password = "correct-horse-1", firstName = "Ada", lastName = "Lovelace" }, Cancel);
        var token = (string)(await registered.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["data"]!["accessToken"]!;

        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/orders");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (traceParent is not null)
            request.Headers.Add("traceparent", traceParent);
        request.Content = JsonContent.Create(new
        {
            items = new[] { new { productId = Sku, quantity = 1 } },
            shippingAddress = "12 St James Square",
            payment = new { method = "CREDIT_CARD", card = new { number = Card, expMonth = 12, expYear = 2099, cvc = "123" } },
        });
        using var placed = await http.SendAsync(request, Cancel);
        var id = (string)(await placed.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["data"]!["id"]!;
        using var read = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/orders/{id}");
        read.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        read.Headers.Add("Prefer", "wait=30");
        using var decided = await http.SendAsync(read, Cancel);
        Assert.Equal("CONFIRMED", (string?)(await decided.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["data"]!["status"]);
        return id;
    }
}
