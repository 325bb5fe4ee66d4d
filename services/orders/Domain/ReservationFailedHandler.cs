using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Events;

namespace DaprPlatform.Orders.Domain;

/// <summary>Gives a choreographed order up whose stock could not be reserved.</summary>
internal sealed class ReservationFailedHandler(OrderChain chain) : IEventHandler<StockEvent>
{
    public async Task<EventOutcome> HandleAsync(StockEvent integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        if (integrationEvent is not { Kind: StockEvent.ReservationFailed, Mode: OrderModes.Choreographed })
            return EventOutcome.NoEffect;
        if (!OrderId.TryParse(integrationEvent.OrderId, out var order))
            throw new MalformedEventException($"'{integrationEvent.OrderId}' is not an order id.");
        var reason = integrationEvent.Reason == CancelReasons.OutOfStock ? CancelReasons.OutOfStock : CancelReasons.InvalidOrder;
        await chain.GiveUpAsync(order, reason, cancellationToken);
        return EventOutcome.NoEffect;
    }
}
