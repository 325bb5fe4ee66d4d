using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Orders.Data;
using DaprPlatform.ServiceDefaults.Events;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.Domain;

/// <summary>Returns money that was captured for an order that is cancelled by now. Everything else about payments the workflow knows itself.</summary>
internal sealed class PaymentProcessedHandler(OrdersDb db, Charges.ChargesClient charges) : IEventHandler<PaymentProcessed>
{
    public async Task<EventOutcome> HandleAsync(PaymentProcessed integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        if (!OrderId.TryParse(integrationEvent.OrderId, out var order))
            throw new MalformedEventException($"'{integrationEvent.OrderId}' is not an order id.");
        if (!integrationEvent.Success)
            return EventOutcome.NoEffect;
        var cancelled = await db.Orders.AnyAsync(o => o.Id == order.Value && o.Status == OrderStatus.Cancelled, cancellationToken);
        if (!cancelled)
            return EventOutcome.NoEffect;
        await charges.VoidAsync(new VoidRequest { OrderId = integrationEvent.OrderId, Reason = "payment after cancellation" }, cancellationToken: cancellationToken);
        return EventOutcome.Handled;
    }
}
