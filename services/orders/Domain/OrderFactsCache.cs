using System.Collections.Concurrent;
using DaprPlatform.Contracts;
using DaprPlatform.Workflows;

namespace DaprPlatform.Orders.Domain;

/// <summary>What never changes about the orders being decided, so that their steps need not read it again.</summary>
internal sealed class OrderFactsCache
{
    private const int Capacity = 10_000;
    private readonly ConcurrentDictionary<OrderId, OrderFacts> _facts = new();

    public OrderFacts? Find(OrderId order) => _facts.GetValueOrDefault(order);

    public void Keep(OrderId order, OrderFacts facts)
    {
        // Full means that many orders are stuck; then the database is the cache.
        if (_facts.Count < Capacity)
            _facts[order] = facts;
    }

    public void Forget(OrderId order) => _facts.TryRemove(order, out _);
}
