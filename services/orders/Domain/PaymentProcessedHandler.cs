using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Orders.Data;
using DaprPlatform.ServiceDefaults.Events;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.Domain;

/// <summary>
/// Returns money that was captured for an order that is cancelled by now, and decides choreographed orders. What else there is to know about payments the
/// workflow knows itself. Idempotent without an inbox: what was returned is not returned again, and an order is decided once.
/// </summary>
internal sealed class PaymentProcessedHandler(OrdersDb db, Charges.ChargesClient charges, OrderChain chain) : IEventBatchHandler<PaymentProcessed>
{
    public async Task HandleAsync(IReadOnlyList<DeliveredEvent<PaymentProcessed>> events, CancellationToken cancellationToken)
    {
        var told = events.Select(e => (Order: Read(e.Event), e.Event, e.Context)).ToList();
        var paid = told.Where(t => t.Event.Success).Select(t => t.Order.Value).Distinct().ToArray();
        // One look for all of them. Whoever cancels behind it finds the payment.
        var cancelled = paid.Length == 0 ? [] : await db.Orders.Where(o => paid.Contains(o.Id) && o.Status == OrderStatus.Cancelled).Select(o => o.Id).ToListAsync(cancellationToken);
        foreach (var (order, payment, context) in told)
        {
            var choreographed = payment.Mode == OrderModes.Choreographed;
            var late = payment.Success && cancelled.Contains(order.Value);
            if (!choreographed && !late)
                continue;
            using var activity = context.Resume("payment processed");
            if (late)
                await charges.VoidAsync(new VoidRequest { OrderId = payment.OrderId, Reason = "payment after cancellation" }, cancellationToken: cancellationToken);
            else if (payment.Success)
                await chain.PaidAsync(order, payment.PaymentId, cancellationToken);
            else
                await chain.GiveUpAsync(order, CancelReasons.PaymentDeclined, cancellationToken);
        }
    }

    private static OrderId Read(PaymentProcessed payment) =>
        OrderId.TryParse(payment.OrderId, out var order) ? order : throw new MalformedEventException($"'{payment.OrderId}' is not an order id.");
}
