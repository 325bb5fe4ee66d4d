namespace DaprPlatform.Basket.Domain;

/// <param name="Lifetime">After this without a change a basket is gone (<c>BASKET_TTL_SECONDS</c>; 30 days).</param>
internal sealed record BasketOptions(TimeSpan Lifetime)
{
    public static BasketOptions From(IConfiguration configuration)
    {
        var seconds = configuration.GetValue("BASKET_TTL_SECONDS", 30 * 24 * 3600);
        return seconds >= 1 ? new BasketOptions(TimeSpan.FromSeconds(seconds)) : throw new InvalidOperationException($"BASKET_TTL_SECONDS must be at least 1, not {seconds}.");
    }
}
