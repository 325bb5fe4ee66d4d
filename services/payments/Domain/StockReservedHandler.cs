using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Payments.Data;
using DaprPlatform.ServiceDefaults.Events;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Payments.Domain;

/// <summary>Charges a choreographed order whose stock is reserved, as its workflow would: the same attempt, so an order is charged once whoever asks.</summary>
internal sealed class StockReservedHandler(PaymentsDb db, Cashier cashier, Settlement.SettlementClient orders) : IEventHandler<StockReserved>
{
    public async Task<EventOutcome> HandleAsync(StockReserved integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        if (integrationEvent.Mode != OrderModes.Choreographed)
            return EventOutcome.NoEffect;
        if (!OrderId.TryParse(integrationEvent.OrderId, out var order))
            throw new MalformedEventException($"'{integrationEvent.OrderId}' is not an order id.");
        var charge = await orders.GetChargeAsync(new GetChargeRequest { OrderId = integrationEvent.OrderId }, cancellationToken: cancellationToken);
        if (!charge.Due)
            return EventOutcome.NoEffect;
        var user = UserId.TryParse(charge.UserId, out var id) ? id : throw new MalformedEventException($"'{charge.UserId}' is not a user id.");
        var amount = new Money(charge.Amount.Minor, charge.Amount.Currency);
        var result = await cashier.AuthorizeAsync(order, user, amount, charge.Method, charge.Token, cancellationToken, integrationEvent.Mode);
        // Paid by the customer before the stock was reserved: the event of that payment found an order that was not ready for it.
        if (result.Outcome != AuthorizeResult.Types.Outcome.Captured
            || !await db.Payments.AnyAsync(p => p.OrderId == order.Value && p.Status == PaymentStatus.Completed && p.Attempt != Cashier.WorkflowAttempt, cancellationToken))
            return EventOutcome.NoEffect;
        cashier.PublishAgain(order, user, amount, result.PaymentId, integrationEvent.Mode);
        await db.SaveChangesAsync(cancellationToken);
        return EventOutcome.Handled;
    }
}
