using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.History;
using DaprPlatform.ServiceDefaults.Events;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.Domain;

/// <summary>Notes at the order how much of its payment went back. Refunds that arrive out of order end at the same sum: the event carries the total.</summary>
internal sealed class PaymentRefundedHandler(OrdersDb db, SummaryStore summaries) : IEventHandler<PaymentRefunded>
{
    public async Task<EventOutcome> HandleAsync(PaymentRefunded integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        if (!OrderId.TryParse(integrationEvent.OrderId, out var order))
            throw new MalformedEventException($"'{integrationEvent.OrderId}' is not an order id.");
        if (integrationEvent.RefundedTotal < 0)
            throw new MalformedEventException($"{integrationEvent.RefundedTotal} cannot have been refunded.");
        // Idempotent by itself, so the inbox need not remember it: the greatest total is the newest. Order and summary in one transaction: a rebuild reads the order.
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Orders.Where(o => o.Id == order.Value && o.RefundedMinor < integrationEvent.RefundedTotal)
            .ExecuteUpdateAsync(set => set.SetProperty(o => o.RefundedMinor, integrationEvent.RefundedTotal), cancellationToken);
        if (await db.Orders.AnyAsync(o => o.Id == order.Value, cancellationToken))
            await summaries.ApplyAsync([OrderSummary.From(integrationEvent)], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return EventOutcome.NoEffect;
    }
}
