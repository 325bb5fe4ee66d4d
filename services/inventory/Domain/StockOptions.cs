using DaprPlatform.Contracts;

namespace DaprPlatform.Inventory.Domain;

/// <param name="ReservationTtl">How long a reservation that is not held lasts (<c>RESERVATION_TTL_SECONDS</c>).</param>
/// <param name="DefaultCurrency">Of products imported without one (<c>DEFAULT_CURRENCY</c>).</param>
/// <param name="LowStockThreshold">Units at which a product's stock is told to be low (<c>LOW_STOCK_THRESHOLD</c>).</param>
internal sealed record StockOptions(TimeSpan ReservationTtl, string DefaultCurrency, long LowStockThreshold)
{
    public static StockOptions From(IConfiguration configuration)
    {
        var seconds = configuration.GetValue("RESERVATION_TTL_SECONDS", 900);
        var currency = configuration["DEFAULT_CURRENCY"] ?? "USD";
        if (seconds is < 1 or > 86_400)
            throw new InvalidOperationException($"RESERVATION_TTL_SECONDS must be 1 to 86400, not {seconds}.");
        if (!Money.IsCurrency(currency))
            throw new InvalidOperationException($"DEFAULT_CURRENCY must be an ISO 4217 code, not '{currency}'.");
        var threshold = configuration.GetValue("LOW_STOCK_THRESHOLD", 5L);
        if (threshold < 0)
            throw new InvalidOperationException($"LOW_STOCK_THRESHOLD must not be below 0, as {threshold} is.");
        return new StockOptions(TimeSpan.FromSeconds(seconds), currency, threshold);
    }
}
