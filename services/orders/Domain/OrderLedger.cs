using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Orders.Data;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.Workflows;
using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

namespace DaprPlatform.Orders.Domain;

/// <summary>The workflow's side of the orders database.</summary>
internal sealed partial class OrderLedger(
    OrdersDb db,
    OrderFactsCache cache,
    OrderWaiters waiters,
    ApprovalThreshold threshold,
    ApprovalOptions approval,
    OrderMetrics metrics,
    OutboxSignal outbox,
    TimeProvider time,
    ILogger<OrderLedger> logger)
    : IOrderLedger
{
    public long ApprovalThreshold => threshold.Value;

    public TimeSpan ApprovalTimeout => approval.Timeout;

    /// <remarks>
    /// An order to which nothing has happened in this process is taken for pending without a look: what another one does to it meanwhile, the step that decides finds
    /// out in the database, and every step before can be undone.
    /// </remarks>
    public async Task<OrderState?> FindStateAsync(OrderId order, CancellationToken cancellationToken) =>
        cache.Find(order) is { Placed: not null }
            ? new OrderState(Pending: true, CancelRequested: false)
            : await db.Orders.AsNoTracking().Where(o => o.Id == order.Value)
                .Select(o => new OrderState(o.Status == OrderStatus.Pending, o.CancelRequestedAt != null)).FirstOrDefaultAsync(cancellationToken);

    public async Task<OrderFacts> GetFactsAsync(OrderId order, CancellationToken cancellationToken)
    {
        if (cache.Find(order) is { } known)
            return known.Facts;
        var row = await db.Orders.AsNoTracking().Include(o => o.Lines).FirstOrDefaultAsync(o => o.Id == order.Value, cancellationToken)
            ?? throw new InvalidOperationException($"There is no order {order}.");
        var facts = FactsOf(row);
        cache.Keep(order, new KnownOrder(facts));
        return facts;
    }

    public Task RequestApprovalAsync(OrderId order, CancellationToken cancellationToken) =>
        ChangeAsync(order, static o => { o.RequestApproval(); return true; }, cancellationToken);

    public async Task<bool> ConfirmAsync(OrderId order, string paymentId, CancellationToken cancellationToken)
    {
        PaymentId? payment = PaymentId.TryParse(paymentId, out var id) ? id : null;
        var now = time.GetUtcNow();
        if (cache.Find(order) is { Placed: { } placed } && await TryConfirmAsync(order, placed, payment, now.ToMicroseconds(), cancellationToken))
            return true;
        var confirmed = await ChangeAsync(order, o => o.TryConfirm(payment, now), cancellationToken);
        if (confirmed)
            Decided(order);
        return confirmed;
    }

    public async Task CancelAsync(OrderId order, string reason, IReadOnlyList<string> failures, CancellationToken cancellationToken)
    {
        var attention = string.Join("; ", failures);
        attention = attention.Length <= 2000 ? attention : attention[..2000];
        var now = time.GetUtcNow();
        Order? flagged = null;
        await ChangeAsync(
            order,
            o =>
            {
                if (!o.TryCancel(reason, attention, now) || failures.Count == 0)
                    return false;
                flagged = o;
                db.Publish(new CompensationFailed(order.ToString(), new UserId(o.UserId).ToString(), order.ToString(), "orders", failures, now), now);
                return true;
            },
            cancellationToken);
        Decided(order);
        if (flagged is null)
            return;
        foreach (var failure in failures)
            metrics.CompensationFailed(flagged, failure.Split(':')[0]);
        LogFlagged(logger, order.ToString(), attention);
    }

    internal static OrderFacts FactsOf(Order order) => new(
        new UserId(order.UserId),
        new Money(order.TotalMinor, order.Currency),
        order.PaymentMethod,
        order.PaymentToken,
        [.. order.Lines.OrderBy(l => l.Position).Select(l => new OrderLineFact(l.Sku, l.Quantity, new Money(l.UnitPriceMinor, order.Currency)))]);

    internal static OrderStatusChanged StatusChanged(Order order, OrderStatus previous) => new(
        new OrderId(order.Id).ToString(),
        new UserId(order.UserId).ToString(),
        order.Number,
        order.Status.Text(),
        previous.Text(),
        order.Reason.Length == 0 ? null : order.Reason,
        order.TotalMinor,
        order.Currency,
        order.UpdatedAt);

    /// <summary>The usual end: of an order to which nothing has happened, by one statement. False when something has, which is then looked at.</summary>
    private async Task<bool> TryConfirmAsync(OrderId order, OrderMessage placed, PaymentId? payment, DateTimeOffset now, CancellationToken cancellationToken)
    {
        const OrderStatus status = OrderStatus.Confirmed;
        var changed = new OrderStatusChanged(
            placed.Id, placed.UserId, placed.Number, status.Text(), OrderStatus.Pending.Text(), null, placed.TotalMinor, placed.Currency, now);
        if (await db.ConfirmAsync(order.Value, payment?.Value, now, OutboxModel.MessageOf(changed, now), cancellationToken) is not { } refunded)
            return false;
        outbox.Set();
        cache.Forget(order);
        var outcome = placed.Clone();
        outcome.Status = status.Text();
        outcome.PaymentId = payment?.ToString() ?? "";
        outcome.RefundedMinor = refunded;
        outcome.UpdatedAt = Timestamp.FromDateTimeOffset(now);
        outcome.History.Add(new Contracts.Orders.StatusChange { Status = status.Text(), At = outcome.UpdatedAt });
        waiters.Decided(order, outcome);
        metrics.Entered(placed.PaymentMethod, status);
        metrics.Decided(placed.PaymentMethod, status, now - placed.CreatedAt.ToDateTimeOffset());
        LogChanged(logger, placed.Id, status.Text(), OrderStatus.Pending.Text());
        return true;
    }

    /// <summary>Changes the order with its row locked; a change of status goes out with it.</summary>
    private async Task<bool> ChangeAsync(OrderId order, Func<Order, bool> change, CancellationToken cancellationToken)
    {
        cache.Forget(order);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var row = await db.Orders.FromSql($"SELECT * FROM orders WHERE id = {order.Value} FOR UPDATE").SingleOrDefaultAsync(cancellationToken)
            ?? throw new InvalidOperationException($"There is no order {order}.");
        var previous = row.Status;
        var result = change(row);
        if (row.Status != previous)
            db.Publish(StatusChanged(row, previous), row.UpdatedAt);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (row.Status != previous)
        {
            metrics.Entered(row);
            if (previous == OrderStatus.Pending)
                metrics.Decided(row);
            LogChanged(logger, order.ToString(), row.Status.Text(), previous.Text());
        }

        return result;
    }

    private void Decided(OrderId order)
    {
        cache.Forget(order);
        waiters.Decided(order);
    }

    [LoggerMessage(1, LogLevel.Error, "Order {Order} could not be undone; somebody has to look: {Failures}")]
    private static partial void LogFlagged(ILogger logger, string order, string failures);

    [LoggerMessage(2, LogLevel.Information, "Order {Order} is {Status}; it was {Previous}")]
    private static partial void LogChanged(ILogger logger, string order, string status, string previous);
}
