using DaprPlatform.Contracts.Orders;
using DaprPlatform.ServiceDefaults.Auth;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.RestApi;

/// <summary>The read model of orders: a user's history, figures for operators, and its rebuild.</summary>
public static class OrderHistoryApi
{
    public static IEndpointRouteBuilder MapOrderHistoryApi(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/v1/orders").WithTags("order history").RequireAuthorization(Policies.User).ProducesProblem(StatusCodes.Status401Unauthorized);
        group.MapGet("/history", ListAsync).WithName("ListOrderHistory").WithSummary("The user's orders with their timelines, newest first; follows the orders by about a second")
            .ProducesProblem(StatusCodes.Status400BadRequest);
        group.MapGet("/statistics", StatisticsAsync).WithName("GetOrderStatistics").WithSummary("Orders, sales and refunds of all users by day or hour (operator)")
            .RequireAuthorization(Policies.Operator).ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status403Forbidden);
        group.MapPost("/history/rebuild", RebuildAsync).WithName("RebuildOrderHistory").WithSummary("Build the history anew from the orders, beside the one that is read (operator)")
            .RequireAuthorization(Policies.Operator).ProducesProblem(StatusCodes.Status403Forbidden);
        group.MapGet("/history/rebuild", StateAsync).WithName("GetOrderHistoryRebuild").WithSummary("How far the rebuild is (operator)")
            .RequireAuthorization(Policies.Operator).ProducesProblem(StatusCodes.Status403Forbidden);
        return app;
    }

    private static async Task<Ok<ListEnvelope<OrderHistoryView>>> ListAsync(
        int? page, int? limit, string? cursor, HttpContext context, IOrderHistory history, CancellationToken cancellationToken)
    {
        var response = await history.ListHistoryAsync(new ListHistoryRequest { Page = Envelope.Page(page, limit, cursor) }, cancellationToken);
        return TypedResults.Ok(Envelope.Page(context, response.Orders, OrderHistoryView.From, response.Page));
    }

    private static async Task<Ok<Envelope<IReadOnlyList<PeriodView>>>> StatisticsAsync(
        DateTimeOffset? from, DateTimeOffset? to, [FromQuery(Name = "group_by")] string? groupBy, IOrderHistory history, CancellationToken cancellationToken)
    {
        var response = await history.GetStatisticsAsync(
            new GetStatisticsRequest
            {
                From = from is { } f ? Timestamp.FromDateTimeOffset(f) : null,
                To = to is { } t ? Timestamp.FromDateTimeOffset(t) : null,
                GroupBy = groupBy ?? "",
            }, cancellationToken);
        return TypedResults.Ok(Envelope.Of<IReadOnlyList<PeriodView>>([.. response.Periods.Select(PeriodView.From)]));
    }

    private static async Task<Accepted<Envelope<RebuildView>>> RebuildAsync(IOrderHistory history, CancellationToken cancellationToken) =>
        TypedResults.Accepted("/api/v1/orders/history/rebuild", Envelope.Of(RebuildView.From(await history.RebuildHistoryAsync(new RebuildHistoryRequest(), cancellationToken))));

    private static async Task<Ok<Envelope<RebuildView>>> StateAsync(IOrderHistory history, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of(RebuildView.From(await history.GetRebuildAsync(new GetRebuildRequest(), cancellationToken))));
}

/// <param name="Pieces">Of all products together.</param>
public sealed record OrderHistoryView(
    string Id, long Number, string Status, string Currency, long TotalMinor, int Pieces, long RefundedMinor, DateTimeOffset? CreatedAt, IReadOnlyList<StatusView> Timeline)
{
    internal static OrderHistoryView From(OrderHistoryEntry order) => new(
        order.Id,
        order.Number,
        order.Status,
        order.Currency,
        order.TotalMinor,
        order.Pieces,
        order.RefundedMinor,
        order.CreatedAt?.ToDateTimeOffset(),
        [.. order.Timeline.Select(StatusView.From)]);
}

/// <param name="Start">Of the day or hour, UTC.</param>
/// <param name="Confirmed">Of the orders, those that were confirmed and not cancelled.</param>
/// <param name="SoldMinor">Their totals.</param>
public sealed record PeriodView(DateTimeOffset Start, string Currency, long Orders, long Confirmed, long Cancelled, long SoldMinor, long RefundedMinor)
{
    internal static PeriodView From(Period period) =>
        new(period.Start.ToDateTimeOffset(), period.Currency, period.Orders, period.Confirmed, period.Cancelled, period.SoldMinor, period.RefundedMinor);
}

/// <param name="Generation">The one that is read; a rebuild that ends makes it the next.</param>
/// <param name="Built">Orders that the rebuild under way has looked at.</param>
/// <param name="Since">When the last rebuild began.</param>
public sealed record RebuildView(int Generation, bool Building, long Built, DateTimeOffset? Since)
{
    internal static RebuildView From(RebuildState state) => new(state.Generation, state.Building, state.Built, state.Since?.ToDateTimeOffset());
}
