using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Events;

namespace DaprPlatform.Basket.Domain;

/// <summary>Empties the baskets of those whose orders were confirmed. Repeating it changes nothing: a basket filled again is newer than the event.</summary>
internal sealed class OrderConfirmedHandler(BasketShelf baskets) : IEventBatchHandler<OrderStatusChanged>
{
    public Task HandleAsync(IReadOnlyList<DeliveredEvent<OrderStatusChanged>> events, CancellationToken cancellationToken)
    {
        foreach (var told in events)
            if (!UserId.TryParse(told.Event.UserId, out _))
                throw new MalformedEventException($"'{told.Event.UserId}' is not a user id.");
        // Of several orders of one user the last: a basket older than it was for one of them.
        var confirmed = events.Select(e => e.Event).Where(e => e.Status == "CONFIRMED").GroupBy(e => e.UserId).ToDictionary(g => g.Key, g => g.Max(e => e.OccurredAt));
        return confirmed.Count == 0 ? Task.CompletedTask : baskets.ClearAsync(confirmed, cancellationToken);
    }
}
