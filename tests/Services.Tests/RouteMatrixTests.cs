using System.Net;
using System.Net.Http.Headers;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.Services.Tests.Fixtures;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>Who may call what: every endpoint of every service, as the running service lists them, against what is written here.</summary>
public sealed class RouteMatrixTests
{
    private const string Everybody = "everybody";
    private const string User = "user";
    private const string Operator = "operator";
    // Carries its own proof in the body.
    private const string OwnToken = "refresh token";
    private const string OrdersService = "orders service";
    private const string PaymentsService = "payments";
    private const string NotificationsService = "notifications";

    private static readonly string[] Common =
        [$"* /health/live {Everybody}", $"* /health/ready {Everybody}", $"* /health {Everybody}", $"GET /metrics {Everybody}"];

    private static readonly string[] Accounts =
    [
        $"POST /api/v1/auth/register {Everybody}", $"POST /api/v1/auth/login {Everybody}", $"POST /api/v1/auth/refresh {OwnToken}",
        $"POST /api/v1/auth/logout {Everybody}", $"GET /.well-known/jwks.json {Everybody}", $"GET /api/v1/users/profile {User}", $"PUT /api/v1/users/profile {User}",
    ];

    private static readonly string[] Catalogue =
    [
        $"GET /api/v1/inventory/products {Everybody}", $"GET /api/v1/inventory/products/{{sku}} {Everybody}", $"GET /api/v1/inventory/categories {Everybody}",
        $"POST /api/v1/inventory/check {Everybody}", $"POST /api/v1/inventory/import {Operator}",
    ];

    private static readonly string[] Orders =
    [
        $"POST /api/v1/orders {User}", $"GET /api/v1/orders {User}", $"GET /api/v1/orders/{{id}} {User}", $"POST /api/v1/orders/{{id}}/cancel {User}",
        $"PUT /api/v1/orders/{{id}}/status {Operator}", $"POST /api/v1/orders/{{id}}/approval {Operator}",
        $"GET /api/v1/orders/history {User}", $"GET /api/v1/orders/statistics {Operator}", $"POST /api/v1/orders/history/rebuild {Operator}", $"GET /api/v1/orders/history/rebuild {Operator}",
    ];

    private static readonly string[] Payments =
    [
        $"GET /api/v1/payments/methods {Everybody}", $"GET /api/v1/payments/test-cards {Everybody}", $"POST /api/v1/payments/tokens {User}",
        $"GET /api/v1/payments {User}", $"GET /api/v1/payments/{{id}} {User}", $"POST /api/v1/payments/{{id}}/refund {User}",
    ];

    private static readonly string[] Webhooks =
    [
        $"POST /api/v1/webhooks {User}", $"GET /api/v1/webhooks {User}", $"GET /api/v1/webhooks/{{id}} {User}", $"PUT /api/v1/webhooks/{{id}} {User}",
        $"DELETE /api/v1/webhooks/{{id}} {User}", $"POST /api/v1/webhooks/{{id}}/secret {User}", $"POST /api/v1/webhooks/{{id}}/ping {User}",
        $"GET /api/v1/webhooks/{{id}}/deliveries {User}", $"POST /api/v1/webhooks/{{id}}/deliveries/{{deliveryId}}/retry {User}",
    ];

    // Each has its proof in a header and a cookie: BrowserSessionTests.
    private static readonly string[] BrowserSessions =
    [
        $"POST /api/v1/auth/session {Everybody}", $"POST /api/v1/auth/session/register {Everybody}", $"POST /api/v1/auth/session/refresh {Everybody}", $"DELETE /api/v1/auth/session {Everybody}",
    ];

    private static readonly string[] Basket = [$"GET /api/v1/basket {User}", $"PUT /api/v1/basket {User}"];

    // The sidecar's calls; APP_API_TOKEN, where it is set, proves that they are.
    private static readonly string[] Sidecar =
    [
        .. Rpc("dapr.proto.runtime.v1.AppCallback", Everybody, "OnInvoke", "ListTopicSubscriptions", "OnTopicEvent", "OnBulkTopicEvent", "ListInputBindings", "OnBindingEvent", "OnJobEvent"),
        .. Rpc("dapr.proto.runtime.v1.AppCallbackAlpha", Everybody, "OnBulkTopicEventAlpha1", "OnJobEventAlpha1"),
        .. Rpc("dapr.proto.runtime.v1.AppCallbackHealthCheck", Everybody, "HealthCheck"),
        .. Rpc("grpc.health.v1.Health", Everybody, "Check", "Watch"),
    ];

    private static readonly Dictionary<string, string[]> Matrix = new(StringComparer.Ordinal)
    {
        ["gateway"] =
        [
            .. Common, .. Accounts.Select(a => a.Replace(OwnToken, Everybody, StringComparison.Ordinal)), .. Catalogue, .. Basket, .. Orders, .. Payments, .. Webhooks,
            $"GET /api/v1/orders/{{id}}/events {User}", $"POST /api/v1/payments {User}", $"GET /api/v1/notifications {User}",
            .. BrowserSessions,
        ],
        ["users"] =
        [
            .. Common, .. Sidecar, .. Accounts,
            .. Rpc("daprplatform.users.v1.Users", Everybody, "Register", "Login", "Logout", "GetKeys"),
            .. Rpc("daprplatform.users.v1.Users", OwnToken, "Refresh"),
            .. Rpc("daprplatform.users.v1.Users", User, "GetProfile", "UpdateProfile"),
            .. Rpc("daprplatform.users.v1.Contacts", NotificationsService, "GetContact"),
        ],
        ["orders"] =
        [
            .. Common, .. Sidecar, .. Orders,
            .. Rpc("daprplatform.orders.v1.Orders", User, "PlaceOrder", "GetOrder", "ListOrders", "CancelOrder", "ListHistory"),
            .. Rpc("daprplatform.orders.v1.Orders", Operator, "UpdateStatus", "DecideApproval", "GetStatistics", "RebuildHistory", "GetRebuild"),
            .. Rpc("daprplatform.orders.v1.Settlement", PaymentsService, "GetCharge"),
        ],
        ["inventory"] =
        [
            .. Common, .. Sidecar, .. Catalogue,
            .. Rpc("daprplatform.inventory.v1.Catalog", Everybody, "ListProducts", "GetProduct", "ListCategories", "CheckStock", "GetPrices"),
            .. Rpc("daprplatform.inventory.v1.Catalog", Operator, "ImportProducts"),
            .. Rpc("daprplatform.inventory.v1.Stock", OrdersService, "Reserve", "Hold", "Commit", "Release", "Restock"),
        ],
        ["payments"] =
        [
            .. Common, .. Sidecar, .. Payments,
            .. Rpc("daprplatform.payments.v1.Payments", Everybody, "ListMethods", "ListTestCards"),
            .. Rpc("daprplatform.payments.v1.Payments", User, "CreateToken", "GetPayment", "ListPayments", "Refund"),
            // Of a user, through the gateway alone.
            .. Rpc("daprplatform.payments.v1.Payments", "gateway", "Pay"),
            .. Rpc("daprplatform.payments.v1.Charges", OrdersService, "Authorize", "Void"),
        ],
        ["webhooks"] =
        [
            .. Common, .. Sidecar, .. Webhooks,
            .. Rpc(
                "daprplatform.webhooks.v1.Webhooks", User, "CreateWebhook", "ListWebhooks", "GetWebhook", "UpdateWebhook", "DeleteWebhook", "RotateSecret", "Ping", "ListDeliveries", "RetryDelivery"),
        ],
        ["basket"] = [.. Common, .. Sidecar, .. Basket, .. Rpc("daprplatform.basket.v1.Baskets", User, "GetBasket", "PutBasket")],
    };

    public static TheoryData<string> ServiceNames => [.. Matrix.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(ServiceNames))]
    public async Task Every_route_is_listed_and_open_to_whom_the_list_says(string service)
    {
        using var app = ServiceApps.Start(service);
        var routes = RoutesOf(app);
        Assert.Equal(Matrix[service].Select(line => line[..line.IndexOf(' ', line.IndexOf(' ', StringComparison.Ordinal) + 1)]).Order(), routes.Order());

        var wrong = new List<string>();
        foreach (var line in Matrix[service])
        {
            var parts = line.Split(' ', 3);
            foreach (var (caller, allowed, refusal) in Callers(parts[2]))
            {
                var verdict = await CallAsync(app, parts[0], parts[1], caller);
                if (verdict != (allowed ? null : refusal))
                    wrong.Add($"{line}: {caller} got {verdict?.ToString() ?? "through"}");
            }
        }
        Assert.Empty(wrong);
    }

    private static IEnumerable<(string Caller, bool Allowed, int Refusal)> Callers(string who) => who switch
    {
        Everybody => [("nobody", true, 0)],
        OwnToken => [("nobody", false, 401)],
        User => [("nobody", false, 401), (Roles.Customer, true, 0), (Roles.Operator, true, 0)],
        Operator => [("nobody", false, 401), (Roles.Customer, false, 403), (Roles.Operator, true, 0), (Roles.Admin, true, 0)],
        // Even an operator of people is not the service.
        OrdersService => [("nobody", false, 401), (Roles.Customer, false, 403), (Roles.Admin, false, 403), ("app:payments", false, 401), ("app:orders", true, 0)],
        PaymentsService => [("nobody", false, 401), (Roles.Customer, false, 403), (Roles.Admin, false, 403), ("app:orders", false, 401), ("app:payments", true, 0)],
        NotificationsService => [("nobody", false, 401), (Roles.Customer, false, 403), (Roles.Admin, false, 403), ("app:gateway", false, 401), ("app:notifications", true, 0)],
        _ => [("nobody", false, 401), (Roles.Customer, false, 403), ("app:gateway", false, 401)],
    };

    private static List<string> RoutesOf(IServiceApp app)
    {
        app.ClientOf(null).Dispose();
        var routes = new List<string>();
        foreach (var endpoint in app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var pattern = "/" + endpoint.RoutePattern.RawText!.Trim('/');
            // What gRPC answers to a service it does not have.
            if (pattern.Contains('{') && endpoint.DisplayName?.Contains("nimplemented", StringComparison.Ordinal) == true)
                continue;
            var methods = endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods;
            routes.AddRange((methods is { Count: > 0 } ? methods : ["*"]).Select(m => $"{m} {pattern}"));
        }
        return routes;
    }

    /// <summary>401, 403, or null for whatever comes once the caller is let in.</summary>
    private static async Task<int?> CallAsync(IServiceApp app, string method, string pattern, string caller)
    {
        using var client = app.ClientOf(caller is "nobody" || caller.StartsWith("app:", StringComparison.Ordinal) ? null : caller);
        using var request = new HttpRequestMessage(new HttpMethod(method == "*" ? "GET" : method), pattern.Replace("{id}", "ORD-" + Guid.Empty, StringComparison.Ordinal).Replace("{sku}", "X", StringComparison.Ordinal).Replace("{deliveryId}", "X", StringComparison.Ordinal));
        if (caller.StartsWith("app:", StringComparison.Ordinal))
            request.Headers.Add("dapr-caller-app-id", caller[4..]);
        var isRpc = pattern.Contains(".v1.", StringComparison.Ordinal);
        if (isRpc)
        {
            request.Version = HttpVersion.Version20;
            request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
            request.Content = new ByteArrayContent(new byte[5]) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } };
        }
        else if (method is "POST" or "PUT")
        {
            request.Content = new StringContent("{}", new MediaTypeHeaderValue("application/json"));
        }
        using var response = await client.SendAsync(
            request,
            // A watch has no end.
            pattern.EndsWith("/Watch", StringComparison.Ordinal) ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead,
            Cancel);
        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            return (int)response.StatusCode;
        if (!isRpc)
            return null;
        var status = response.TrailingHeaders.TryGetValues("grpc-status", out var values) || response.Headers.TryGetValues("grpc-status", out values) ? values.Single() : "none";
        return status switch { "16" => 401, "7" => 403, _ => null };
    }

    private static IEnumerable<string> Rpc(string service, string who, params string[] methods) => methods.Select(m => $"POST /{service}/{m} {who}");
}
