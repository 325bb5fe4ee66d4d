using DaprPlatform.Contracts.Payments;
using DaprPlatform.ServiceDefaults.Auth;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.RestApi;

/// <summary>Payments and refunds of the signed-in user.</summary>
public static class CashDeskApi
{
    public static IEndpointRouteBuilder MapCashDeskApi(this IEndpointRouteBuilder app)
    {
        var open = app.MapGroup("/api/v1/payments").WithTags("payments");
        open.MapGet("/methods", ListMethodsAsync).WithName("ListPaymentMethods").WithSummary("Ways to pay");
        open.MapGet("/test-cards", ListTestCardsAsync).WithName("ListTestCards").WithSummary("Cards of the test processor and what becomes of each");

        var group = app.MapGroup("/api/v1/payments").WithTags("payments").RequireAuthorization(Policies.User).ProducesProblem(StatusCodes.Status401Unauthorized);
        group.MapPost("/tokens", CreateTokenAsync).WithName("CreateCardToken").WithSummary("Exchange a card for a token").ProducesProblem(StatusCodes.Status400BadRequest);
        group.MapGet("", ListPaymentsAsync).WithName("ListPayments").WithSummary("The user's payments, newest first");
        group.MapGet("/{id}", GetPaymentAsync).WithName("GetPayment").WithSummary("One payment with its refunds").ProducesProblem(StatusCodes.Status404NotFound);
        group.MapPost("/{id}/refund", RefundAsync).WithName("RefundPayment").WithSummary("Return all or a part; honours Idempotency-Key")
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status422UnprocessableEntity);
        return app;
    }

    /// <summary>The route that pays an order, where <see cref="IOrderPayments"/> is offered.</summary>
    public static IEndpointRouteBuilder MapPayApi(this IEndpointRouteBuilder app)
    {
        app.MapPost("/api/v1/payments", PayAsync).WithTags("payments").WithName("PayOrder").WithSummary("Pay an order's total; honours Idempotency-Key")
            .RequireAuthorization(Policies.User)
            .ProducesProblem(StatusCodes.Status401Unauthorized).ProducesProblem(StatusCodes.Status402PaymentRequired)
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        return app;
    }

    private static async Task<Results<Created<Envelope<PaymentView>>, Ok<Envelope<PaymentView>>>> PayAsync(
        PayBody body, HttpContext context, IOrderPayments payments, CancellationToken cancellationToken)
    {
        var request = new PayRequest
        {
            OrderId = body.OrderId ?? "",
            Method = body.Method ?? "",
            Token = body.Token ?? "",
            IdempotencyKey = Envelope.IdempotencyKey(context),
        };
        if (body.Card is { } card)
            request.Token = await OrderBookApi.TokenizeAsync(card, body.Token, context, cancellationToken);
        var response = await payments.PayAsync(request, cancellationToken);
        Envelope.MarkReplayed(context, response.Replayed);
        var view = Envelope.Of(PaymentView.From(response.Payment));
        return response.Replayed ? TypedResults.Ok(view) : TypedResults.Created($"/api/v1/payments/{response.Payment.Id}", view);
    }

    private static async Task<Created<Envelope<TokenView>>> CreateTokenAsync(TokenBody body, ICashDesk payments, CancellationToken cancellationToken)
    {
        var token = await payments.CreateTokenAsync((body.Card ?? new CardBody(null, 0, 0, null)).ToRequest(), cancellationToken);
        return TypedResults.Created((string?)null, Envelope.Of(new TokenView(token.Token, token.Brand, token.Last4, token.ExpiresInSeconds)));
    }

    private static async Task<Ok<ListEnvelope<PaymentView>>> ListPaymentsAsync(
        [FromQuery(Name = "order_id")] string? orderId, int? page, int? limit, string? cursor, HttpContext context, ICashDesk payments, CancellationToken cancellationToken)
    {
        var response = await payments.ListPaymentsAsync(
            new ListPaymentsRequest { OrderId = orderId ?? "", Page = Envelope.Page(page, limit, cursor) }, cancellationToken);
        return TypedResults.Ok(Envelope.Page(context, response.Payments, PaymentView.From, response.Page));
    }

    private static async Task<Ok<Envelope<PaymentView>>> GetPaymentAsync(string id, ICashDesk payments, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of(PaymentView.From(await payments.GetPaymentAsync(new GetPaymentRequest { PaymentId = id }, cancellationToken))));

    private static async Task<Created<Envelope<RefundView>>> RefundAsync(
        string id, HttpContext context, ICashDesk payments, CancellationToken cancellationToken, RefundBody? body = null)
    {
        var request = new RefundRequest { PaymentId = id, Reason = body?.Reason ?? "", IdempotencyKey = Envelope.IdempotencyKey(context) };
        if (body?.AmountMinor is { } amount)
            request.AmountMinor = amount;
        var response = await payments.RefundAsync(request, cancellationToken);
        Envelope.MarkReplayed(context, response.Replayed);
        return TypedResults.Created($"/api/v1/payments/{response.PaymentId}", Envelope.Of(RefundView.From(response.Refund)));
    }

    private static async Task<Ok<Envelope<IReadOnlyList<MethodView>>>> ListMethodsAsync(ICashDesk payments, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of<IReadOnlyList<MethodView>>(
            [.. (await payments.ListMethodsAsync(new ListMethodsRequest(), cancellationToken)).Methods.Select(m => new MethodView(m.Id, m.Description))]));

    private static async Task<Ok<Envelope<IReadOnlyList<TestCardView>>>> ListTestCardsAsync(ICashDesk payments, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of<IReadOnlyList<TestCardView>>(
            [.. (await payments.ListTestCardsAsync(new ListTestCardsRequest(), cancellationToken)).Cards
                .Select(c => new TestCardView(c.Number, c.Token, c.Outcome, Envelope.NullIfEmpty(c.FailureReason)))]));
}

public sealed record PayBody(string? OrderId, string? Method, CardBody? Card, string? Token);

public sealed record TokenBody(CardBody? Card);

/// <param name="AmountMinor">Absent: all that is left.</param>
public sealed record RefundBody(long? AmountMinor, string? Reason);

public sealed record TokenView(string Token, string Brand, string Last4, int ExpiresIn);

public sealed record MethodView(string Id, string Description);

public sealed record TestCardView(string Number, string Token, string Outcome, string? FailureReason);

/// <param name="Status">PENDING while the money is on its way, COMPLETED, FAILED, or ATTENTION when somebody has to look.</param>
public sealed record RefundView(string Id, string Status, long AmountMinor, string? Reason, DateTimeOffset CreatedAt)
{
    internal static RefundView From(RefundEntry refund) =>
        new(refund.Id, refund.Status, refund.AmountMinor, Envelope.NullIfEmpty(refund.Reason), refund.CreatedAt.ToDateTimeOffset());
}

public sealed record PaymentView(
    string Id,
    string OrderId,
    string Status,
    string Method,
    long AmountMinor,
    long RefundedMinor,
    string Currency,
    string? CardBrand,
    string? CardLast4,
    string? FailureReason,
    DateTimeOffset CreatedAt,
    IReadOnlyList<RefundView> Refunds)
{
    internal static PaymentView From(Payment payment) =>
        new(
            payment.Id,
            payment.OrderId,
            payment.Status,
            payment.Method,
            payment.Amount.Minor,
            payment.RefundedMinor,
            payment.Amount.Currency,
            Envelope.NullIfEmpty(payment.CardBrand),
            Envelope.NullIfEmpty(payment.CardLast4),
            Envelope.NullIfEmpty(payment.FailureReason),
            payment.CreatedAt.ToDateTimeOffset(),
            [.. payment.Refunds.Select(RefundView.From)]);
}
