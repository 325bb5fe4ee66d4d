using System.Globalization;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.RestApi;

/// <summary>Orders of the signed-in user, and what operators do with them.</summary>
public static class OrderBookApi
{
    private const int MaxWaitSeconds = 30;
    private const string Pending = "PENDING";

    public static IEndpointRouteBuilder MapOrderBookApi(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/v1/orders").WithTags("orders").RequireAuthorization(Policies.User).ProducesProblem(StatusCodes.Status401Unauthorized);
        group.MapPost("", PlaceOrderAsync).WithName("PlaceOrder").WithSummary("Place an order; honours Idempotency-Key; Prefer: wait=N waits for the decision")
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        group.MapGet("", ListOrdersAsync).WithName("ListOrders").WithSummary("The user's orders, newest first; status filters, sort=total|-total|created_at orders them").ProducesProblem(StatusCodes.Status400BadRequest);
        group.MapGet("/{id}", GetOrderAsync).WithName("GetOrder").WithSummary("One order with its history; Prefer: wait=N waits for the decision")
            .ProducesProblem(StatusCodes.Status404NotFound);
        group.MapPost("/{id}/cancel", CancelOrderAsync).WithName("CancelOrder").WithSummary("Cancel an order that is not shipped")
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        group.MapPut("/{id}/status", UpdateStatusAsync).WithName("UpdateOrderStatus").WithSummary("Move an order on (operator)").RequireAuthorization(Policies.Operator)
            .ProducesProblem(StatusCodes.Status403Forbidden).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        group.MapPost("/{id}/approval", DecideApprovalAsync).WithName("DecideApproval").WithSummary("Approve or reject a large order (operator)")
            .RequireAuthorization(Policies.Operator).ProducesProblem(StatusCodes.Status403Forbidden).ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
        return app.MapOrderHistoryApi();
    }

    internal static void ValidateItems(Validator validator, IReadOnlyList<ItemBody> items)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i] is null)
            {
                validator.Add(string.Create(CultureInfo.InvariantCulture, $"items[{i}]"), "must be an object");
                continue;
            }
            validator
                .Require(items[i].ProductId is { Length: > 0 and <= 64 }, string.Create(CultureInfo.InvariantCulture, $"items[{i}].productId"), "must have 1 to 64 characters")
                .Require(items[i].Quantity is >= 1 and <= 100, string.Create(CultureInfo.InvariantCulture, $"items[{i}].quantity"), "must be 1 to 100");
        }
    }

    // 201 once it is decided, and 202 where it is not yet: nobody waited for it, or not long enough.
    private static async Task<Results<Created<Envelope<OrderView>>, Accepted<Envelope<OrderView>>>> PlaceOrderAsync(
        PlaceOrderBody body, HttpContext context, IOrderBook orders, CancellationToken cancellationToken)
    {
        var request = new PlaceOrderRequest
        {
            ShippingAddress = body.ShippingAddress ?? "",
            PaymentMethod = body.Payment?.Method ?? "",
            PaymentToken = body.Payment?.Token ?? "",
            IdempotencyKey = Envelope.IdempotencyKey(context),
            WaitSeconds = WaitSeconds(context),
        };
        var validator = new Validator();
        ValidateItems(validator, body.Items ?? []);
        validator.ThrowIfInvalid();
        request.Items.AddRange((body.Items ?? []).Select(i => new OrderItem { ProductId = i.ProductId, Quantity = i.Quantity }));
        if (body.Payment is { Card: { } card } payment)
            request.PaymentToken = await TokenizeAsync(card, payment.Token, context, cancellationToken);
        var response = await orders.PlaceOrderAsync(request, cancellationToken);
        Envelope.MarkReplayed(context, response.Replayed);
        var (location, order) = ($"/api/v1/orders/{response.Order.Id}", Envelope.Of(OrderView.From(response.Order)));
        return response.Order.Status == Pending ? TypedResults.Accepted(location, order) : TypedResults.Created(location, order);
    }

    internal static async Task<string> TokenizeAsync(CardBody card, string? token, HttpContext context, CancellationToken cancellationToken)
    {
        if (token is not null)
            throw Refusals.Validation("payment", "must have a card or a token, not both");
        var vault = context.RequestServices.GetService<ICardVault>()
            ?? throw Refusals.Validation("payment.card", "is not accepted here; exchange it for a token at payments first");
        return (await vault.CreateTokenAsync(card.ToRequest(), cancellationToken)).Token;
    }

    private static async Task<Ok<ListEnvelope<OrderView>>> ListOrdersAsync(
        string? status, string? sort, int? page, int? limit, string? cursor, HttpContext context, IOrderBook orders, CancellationToken cancellationToken)
    {
        var response = await orders.ListOrdersAsync(
            new ListOrdersRequest { Status = status ?? "", Sort = sort ?? "", Page = Envelope.Page(page, limit, cursor) }, cancellationToken);
        return TypedResults.Ok(Envelope.Page(context, response.Orders, OrderView.From, response.Page));
    }

    private static async Task<Ok<Envelope<OrderView>>> GetOrderAsync(string id, HttpContext context, IOrderBook orders, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of(OrderView.From(
            await orders.GetOrderAsync(new GetOrderRequest { OrderId = id, WaitSeconds = WaitSeconds(context) }, cancellationToken))));

    private static async Task<Accepted<Envelope<OrderView>>> CancelOrderAsync(
        string id, HttpContext context, IOrderBook orders, CancellationToken cancellationToken, CancelBody? body = null)
    {
        var order = await orders.CancelOrderAsync(new CancelOrderRequest { OrderId = id, Reason = body?.Reason ?? "" }, cancellationToken);
        return TypedResults.Accepted($"/api/v1/orders/{order.Id}", Envelope.Of(OrderView.From(order)));
    }

    private static async Task<Ok<Envelope<OrderView>>> UpdateStatusAsync(string id, StatusBody body, IOrderBook orders, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of(OrderView.From(
            await orders.UpdateStatusAsync(new UpdateStatusRequest { OrderId = id, Status = body.Status ?? "" }, cancellationToken))));

    private static async Task<Accepted<Envelope<OrderView>>> DecideApprovalAsync(string id, ApprovalBody body, IOrderBook orders, CancellationToken cancellationToken)
    {
        var request = new DecideApprovalRequest
        {
            OrderId = id,
            Approved = body.Approved ?? throw Refusals.Validation("approved", "is required"),
            Comment = body.Comment ?? "",
        };
        var order = await orders.DecideApprovalAsync(request, cancellationToken);
        return TypedResults.Accepted($"/api/v1/orders/{order.Id}", Envelope.Of(OrderView.From(order)));
    }

    /// <summary><c>Prefer: wait=N</c> (RFC 7240); anything else in the header is ignored, as the RFC asks.</summary>
    private static int WaitSeconds(HttpContext context)
    {
        foreach (var preference in context.Request.Headers["Prefer"].ToString().Split(',', ';'))
        {
            var text = preference.AsSpan().Trim();
            if (text.StartsWith("wait=", StringComparison.OrdinalIgnoreCase)
                && int.TryParse(text[5..], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
                return Math.Min(seconds, MaxWaitSeconds);
        }
        return 0;
    }
}

public sealed record PlaceOrderBody(IReadOnlyList<ItemBody>? Items, string? ShippingAddress, PaymentBody? Payment);

/// <param name="Quantity">1 to 100.</param>
public sealed record ItemBody(string? ProductId, long Quantity);

/// <param name="Method">CREDIT_CARD, DEBIT_CARD, PAYPAL or BANK_TRANSFER.</param>
/// <param name="Token">Instead of a card.</param>
public sealed record PaymentBody(string? Method, CardBody? Card, string? Token);

public sealed record CardBody(string? Number, int ExpMonth, int ExpYear, string? Cvc)
{
    internal CreateTokenRequest ToRequest() =>
        new() { Card = new Card { Number = Number ?? "", ExpMonth = ExpMonth, ExpYear = ExpYear, Cvc = Cvc ?? "" } };

    // A card must not get into a log by being printed.
    public override string ToString() => "card";
}

public sealed record CancelBody(string? Reason);

public sealed record StatusBody(string? Status);

public sealed record ApprovalBody(bool? Approved, string? Comment);

public sealed record OrderView(
    string Id,
    long Number,
    string Status,
    string Currency,
    long TotalMinor,
    IReadOnlyList<OrderLineView> Items,
    string ShippingAddress,
    string PaymentMethod,
    string? PaymentId,
    long RefundedMinor,
    string? Reason,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt,
    IReadOnlyList<StatusView> History)
{
    internal static OrderView From(Order order) =>
        new(
            order.Id,
            order.Number,
            order.Status,
            order.Currency,
            order.TotalMinor,
            [.. order.Lines.Select(l => new OrderLineView(l.ProductId, l.Name, l.Quantity, l.UnitPriceMinor, l.UnitPriceMinor * l.Quantity))],
            order.ShippingAddress,
            order.PaymentMethod,
            Envelope.NullIfEmpty(order.PaymentId),
            order.RefundedMinor,
            Envelope.NullIfEmpty(order.Reason),
            order.CreatedAt.ToDateTimeOffset(),
            order.UpdatedAt.ToDateTimeOffset(),
            [.. order.History.Select(StatusView.From)]);
}

public sealed record OrderLineView(string ProductId, string Name, int Quantity, long UnitPriceMinor, long LineTotalMinor);

public sealed record StatusView(string Status, DateTimeOffset At, string? Reason)
{
    /// <summary>As the service told it.</summary>
    public static StatusView From(StatusChange change) => new(change.Status, change.At.ToDateTimeOffset(), Envelope.NullIfEmpty(change.Reason));
}
