using System.Text.Json;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.Domain;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.History;

/// <summary>Reads the read model. It follows the orders by up to about a second; the order book is what is so now.</summary>
internal sealed class OrderHistory(OrdersDb db, SummaryStore store, SummaryRebuild rebuild, CurrentUser user, TimeProvider time) : IOrderHistory
{
    private static readonly TimeSpan DefaultSpan = TimeSpan.FromDays(30);
    private static readonly TimeSpan LongestSpan = TimeSpan.FromDays(366);
    private static readonly TimeSpan LongestSpanByHour = TimeSpan.FromDays(31);

    public async Task<ListHistoryResponse> ListHistoryAsync(ListHistoryRequest request, CancellationToken cancellationToken)
    {
        var owner = user.Id.Value;
        var page = Paging.Read(request.Page);
        var total = (await db.Database.SqlQuery<long>(
            $"""SELECT count(*) AS "Value" FROM order_summaries WHERE generation = (SELECT active FROM order_summary_state) AND user_id = {owner}""").ToListAsync(cancellationToken))[0];
        Guid? before = page.Cursor is not { } cursor ? null : OrderId.TryParse(cursor, out var id) ? id.Value : throw Refusals.Validation("cursor", "is not one of this list");
        var (offset, take) = (before is null ? page.Offset : 0, page.Limit + 1);
        var rows = await db.Database.SqlQuery<SummaryRow>(
            $"""
             SELECT order_id AS "OrderId", number AS "Number", status AS "Status", currency AS "Currency", total_minor AS "TotalMinor", pieces AS "Pieces",
                    refunded_minor AS "RefundedMinor", created_at AS "CreatedAt", timeline::text AS "Timeline"
               FROM order_summaries
              WHERE generation = (SELECT active FROM order_summary_state) AND user_id = {owner} AND ({before}::uuid IS NULL OR order_id < {before})
              ORDER BY order_id DESC OFFSET {offset} LIMIT {take}
             """).ToListAsync(cancellationToken);
        var response = new ListHistoryResponse { Page = page.Info(total, rows, r => new OrderId(r.OrderId).ToString()) };
        response.Orders.AddRange(rows.Take(page.Limit).Select(ToMessage));
        return response;
    }

    public async Task<GetStatisticsResponse> GetStatisticsAsync(GetStatisticsRequest request, CancellationToken cancellationToken)
    {
        RequireOperator();
        var to = request.To?.ToDateTimeOffset() ?? time.GetUtcNow();
        var from = request.From?.ToDateTimeOffset() ?? to - DefaultSpan;
        var by = request.GroupBy.Length == 0 ? "day" : request.GroupBy;
        new Validator()
            .Require(by is "day" or "hour", "group_by", "must be day or hour")
            .Require(from < to, "from", "must be before to")
            .Require(to - from <= (by == "hour" ? LongestSpanByHour : LongestSpan), "from", "is too far from to: at most 366 days, 31 by the hour")
            .ThrowIfInvalid();
        var rows = await db.Database.SqlQuery<PeriodRow>(
            $"""
             SELECT date_trunc({by}, created_at, 'UTC') AS "Start", currency AS "Currency", count(*) AS "Orders",
                    count(*) FILTER (WHERE status NOT IN ('PENDING', 'CANCELLED')) AS "Confirmed", count(*) FILTER (WHERE status = 'CANCELLED') AS "Cancelled",
                    coalesce(sum(total_minor) FILTER (WHERE status NOT IN ('PENDING', 'CANCELLED')), 0)::bigint AS "SoldMinor",
                    coalesce(sum(refunded_minor) FILTER (WHERE status <> 'CANCELLED'), 0)::bigint AS "RefundedMinor"
               FROM order_summaries
              WHERE generation = (SELECT active FROM order_summary_state) AND created_at >= {from.ToUniversalTime()} AND created_at < {to.ToUniversalTime()}
              GROUP BY 1, 2 ORDER BY 1, 2
             """).ToListAsync(cancellationToken);
        var response = new GetStatisticsResponse();
        response.Periods.AddRange(rows.Select(r => new Period
        {
            Start = Timestamp.FromDateTimeOffset(r.Start),
            Currency = r.Currency,
            Orders = r.Orders,
            Confirmed = r.Confirmed,
            Cancelled = r.Cancelled,
            SoldMinor = r.SoldMinor,
            RefundedMinor = r.RefundedMinor,
        }));
        return response;
    }

    public async Task<RebuildState> RebuildHistoryAsync(RebuildHistoryRequest request, CancellationToken cancellationToken)
    {
        RequireOperator();
        var now = time.GetUtcNow();
        await using (var transaction = await db.Database.BeginTransactionAsync(cancellationToken))
        {
            await store.BeginAsync(now, cancellationToken);
            await db.AuditAsync(user.Id.ToString(), "history.rebuild", "orders", new { }, now, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        rebuild.Wake();
        return ToMessage(await store.StateAsync(cancellationToken));
    }

    public async Task<RebuildState> GetRebuildAsync(GetRebuildRequest request, CancellationToken cancellationToken)
    {
        RequireOperator();
        return ToMessage(await store.StateAsync(cancellationToken));
    }

    private void RequireOperator()
    {
        _ = user.Id;
        if (!user.IsOperator)
            throw Refusals.Forbidden("Only operators may do this.");
    }

    private static RebuildState ToMessage(SummaryState state) => new()
    {
        Generation = state.Active,
        Building = state.Building is not null,
        Built = state.Built,
        Since = state.Since is { } since ? Timestamp.FromDateTimeOffset(since) : null,
    };

    private static OrderHistoryEntry ToMessage(SummaryRow row)
    {
        var message = new OrderHistoryEntry
        {
            Id = new OrderId(row.OrderId).ToString(),
            Number = row.Number ?? 0,
            Status = row.Status,
            Currency = row.Currency,
            TotalMinor = row.TotalMinor ?? 0,
            Pieces = row.Pieces ?? 0,
            RefundedMinor = row.RefundedMinor,
            CreatedAt = row.CreatedAt is { } at ? Timestamp.FromDateTimeOffset(at) : null,
        };
        var timeline = JsonSerializer.Deserialize<Dictionary<string, StatusFact>>(row.Timeline)!;
        // By their place in an order's life: two may have one time.
        foreach (var status in System.Enum.GetValues<OrderStatus>().Select(s => s.Text()).Where(timeline.ContainsKey))
            message.Timeline.Add(new StatusChange { Status = status, Reason = timeline[status].Reason ?? "", At = Timestamp.FromDateTimeOffset(timeline[status].At) });
        return message;
    }

    private sealed record SummaryRow(
        Guid OrderId, long? Number, string Status, string Currency, long? TotalMinor, int? Pieces, long RefundedMinor, DateTimeOffset? CreatedAt, string Timeline);

    private sealed record PeriodRow(DateTimeOffset Start, string Currency, long Orders, long Confirmed, long Cancelled, long SoldMinor, long RefundedMinor);
}
