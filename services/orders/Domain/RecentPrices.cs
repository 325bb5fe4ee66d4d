using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using DaprPlatform.Contracts.Inventory;

namespace DaprPlatform.Orders.Domain;

/// <summary>
/// Prices that inventory told a moment ago: a product that many buy at a time is asked for once a second and not by every order. A new price takes effect within
/// <see cref="MaxAge"/>, which the order of somebody who looked at the old one could not tell from having been faster.
/// </summary>
internal sealed class RecentPrices(TimeProvider time)
{
    /// <summary>One second.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private const int Capacity = 10_000;
    private readonly ConcurrentDictionary<string, Told> _told = new(StringComparer.Ordinal);

    /// <summary>All of the products, or none: what has to be asked for is asked for in one call.</summary>
    public bool TryFind(IReadOnlyCollection<string> skus, [NotNullWhen(true)] out Dictionary<string, PricedProduct>? products)
    {
        products = new Dictionary<string, PricedProduct>(skus.Count, StringComparer.Ordinal);
        foreach (var sku in skus)
        {
            if (!_told.TryGetValue(sku, out var told) || time.GetElapsedTime(told.At) >= MaxAge)
            {
                products = null;
                return false;
            }
            products[sku] = told.Product;
        }
        return true;
    }

    /// <param name="products">Read only from now on.</param>
    /// <param name="asked">The timestamp before they were asked for: they are as old as that.</param>
    public void Keep(IEnumerable<PricedProduct> products, long asked)
    {
        if (_told.Count >= Capacity)
            _told.Clear();
        foreach (var product in products)
            _told[product.Sku] = new Told(product, asked);
    }

    private sealed record Told(PricedProduct Product, long At);
}
