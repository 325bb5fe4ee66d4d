using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using Grpc.Core;
using Microsoft.AspNetCore.Http.HttpResults;

namespace DaprPlatform.Gateway.Api;

/// <summary>
/// The status of an order as server-sent events: what it had so far at once, then every change as it happens, until it is delivered or cancelled. The id of an
/// event is its place in the history, so that a browser that connects again goes on behind <c>Last-Event-ID</c>.
/// </summary>
internal static class OrderEventsApi
{
    private const int WaitSeconds = 20;

    public static IEndpointRouteBuilder MapOrderEventsApi(this IEndpointRouteBuilder app)
    {
        app.MapGet("/api/v1/orders/{id}/events", WatchAsync).WithTags("orders").WithName("WatchOrder").WithSummary("The order's status changes as server-sent events")
            .RequireAuthorization(Policies.User).Produces(StatusCodes.Status200OK, contentType: "text/event-stream")
            .ProducesProblem(StatusCodes.Status401Unauthorized).ProducesProblem(StatusCodes.Status404NotFound);
        return app;
    }

    private static async Task<ServerSentEventsResult<StatusView>> WatchAsync(string id, HttpContext context, IOrderBook orders, CancellationToken cancellationToken)
    {
        // Asked before the stream begins, so that an order that is not the caller's is a 404 and not an empty stream.
        var order = await orders.GetOrderAsync(new GetOrderRequest { OrderId = id }, cancellationToken);
        var seen = int.TryParse(context.Request.Headers["Last-Event-ID"], out var last) && last > 0 ? last : 0;
        context.Response.Headers["X-Accel-Buffering"] = "no";
        return TypedResults.ServerSentEvents(ChangesAsync(order, seen, orders, cancellationToken));
    }

    private static async IAsyncEnumerable<SseItem<StatusView>> ChangesAsync(
        Order order, int seen, IOrderBook orders, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            for (; seen < order.History.Count; seen++)
            {
                var change = order.History[seen];
                yield return new SseItem<StatusView>(StatusView.From(change), "status") { EventId = (seen + 1).ToString(CultureInfo.InvariantCulture) };
            }
            if (order.Status is "DELIVERED" or "CANCELLED")
                yield break;
            if (await NextAsync(order.Id, seen, orders, cancellationToken) is not { } next)
                yield break;
            order = next;
        }
    }

    /// <summary>Null when the stream has to end: nobody listens any more, or the order cannot be asked for; a browser connects again by itself.</summary>
    private static async Task<Order?> NextAsync(string id, int seen, IOrderBook orders, CancellationToken cancellationToken)
    {
        try
        {
            return await orders.GetOrderAsync(new GetOrderRequest { OrderId = id, WaitSeconds = WaitSeconds, KnownChanges = seen }, cancellationToken);
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException)
        {
            return null;
        }
    }
}
