using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.ServiceDefaults.Events;

namespace DaprPlatform.Inventory.Domain;

/// <summary>Reserves the stock of a choreographed order. The reservation is keyed by the order, so an event that comes twice reserves once.</summary>
internal sealed class OrderCreatedHandler(StockKeeper stock) : IEventHandler<OrderCreated>
{
    public async Task<EventOutcome> HandleAsync(OrderCreated integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        if (integrationEvent.Mode != OrderModes.Choreographed)
            return EventOutcome.NoEffect;
        if (!OrderId.TryParse(integrationEvent.OrderId, out var order))
            throw new MalformedEventException($"'{integrationEvent.OrderId}' is not an order id.");
        StockLine[] lines = [.. integrationEvent.Items.Select(i => new StockLine { Sku = i.ProductId, Quantity = i.Quantity })];
        // Held: nothing waits for a human here, and the order is always decided.
        await stock.ReserveAsync(order, lines, hold: true, cancellationToken, integrationEvent.Mode);
        return EventOutcome.NoEffect;
    }
}
