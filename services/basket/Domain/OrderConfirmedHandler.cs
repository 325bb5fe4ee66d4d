using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Events;

namespace DaprPlatform.Basket.Domain;

/// <summary>Empties the basket of whoever's order was confirmed. Repeating it changes nothing: a basket filled again is newer than the event.</summary>
internal sealed class OrderConfirmedHandler(BasketShelf baskets) : IEventHandler<OrderStatusChanged>
{
    public async Task<EventOutcome> HandleAsync(OrderStatusChanged integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        if (!UserId.TryParse(integrationEvent.UserId, out _))
            throw new MalformedEventException($"'{integrationEvent.UserId}' is not a user id.");
        if (integrationEvent.Status == "CONFIRMED")
            await baskets.ClearAsync(integrationEvent.UserId, integrationEvent.OccurredAt, cancellationToken);
        return EventOutcome.NoEffect;
    }
}
