using System.Collections.Concurrent;
using DaprPlatform.Contracts;
using DaprPlatform.Workflows;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

namespace DaprPlatform.Orders.Domain;

/// <summary>What is known of the orders being decided, so that their steps need not read it again.</summary>
internal sealed class OrderFactsCache
{
    private const int Capacity = 10_000;
    private readonly ConcurrentDictionary<OrderId, KnownOrder> _orders = new();

    public KnownOrder? Find(OrderId order) => _orders.GetValueOrDefault(order);

    public void Keep(OrderId order, KnownOrder known)
    {
        // Those that another replica decided stay until here. Forgotten is no more than read again.
        if (_orders.Count >= Capacity)
            _orders.Clear();
        _orders[order] = known;
    }

    /// <summary>Something happened to the order.</summary>
    public void Forget(OrderId order) => _orders.TryRemove(order, out _);
}

/// <param name="Facts">What never changes.</param>
/// <param name="Placed">The order as it was accepted by this process, to which nothing has happened here since; null: it was accepted elsewhere, or changed.</param>
internal sealed record KnownOrder(OrderFacts Facts, OrderMessage? Placed = null);
