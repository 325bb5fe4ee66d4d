using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Orders.Data;
using DaprPlatform.ServiceDefaults.Events;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.Domain;

/// <summary>
/// Returns money that was captured for an order that is cancelled by now, and decides choreographed orders. What else there is to know about payments the
/// workflow knows itself.
/// </summary>
internal sealed class PaymentProcessedHandler(OrdersDb db, Charges.ChargesClient charges, OrderChain chain) : IEventHandler<PaymentProcessed>
{
    public async Task<EventOutcome> HandleAsync(PaymentProcessed integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        if (!OrderId.TryParse(integrationEvent.OrderId, out var order))
            throw new MalformedEventException($"'{integrationEvent.OrderId}' is not an order id.");
        var choreographed = integrationEvent.Mode == OrderModes.Choreographed;
        if (!integrationEvent.Success)
        {
            if (choreographed)
                await chain.GiveUpAsync(order, CancelReasons.PaymentDeclined, cancellationToken);
            return EventOutcome.NoEffect;
        }
        if (await db.Orders.AnyAsync(o => o.Id == order.Value && o.Status == OrderStatus.Cancelled, cancellationToken))
        {
            await charges.VoidAsync(new VoidRequest { OrderId = integrationEvent.OrderId, Reason = "payment after cancellation" }, cancellationToken: cancellationToken);
            return EventOutcome.Handled;
        }
        if (choreographed)
            await chain.PaidAsync(order, integrationEvent.PaymentId, cancellationToken);
        return EventOutcome.NoEffect;
    }
}
