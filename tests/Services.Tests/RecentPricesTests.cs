using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Orders.Domain;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class RecentPricesTests
{
    private readonly ManualTime _clock = new();
    private readonly RecentPrices _prices;

    public RecentPricesTests() => _prices = new RecentPrices(_clock);

    [Fact]
    public void What_was_told_a_moment_ago_is_known_and_what_is_a_second_old_is_not()
    {
        _prices.Keep([Product("MUG", 100)], _clock.GetTimestamp());
        _clock.Advance(RecentPrices.MaxAge - TimeSpan.FromTicks(1));
        Assert.True(_prices.TryFind(["MUG"], out var products));
        Assert.Equal(100, products["MUG"].PriceMinor);
        _clock.Advance(TimeSpan.FromTicks(1));
        Assert.False(_prices.TryFind(["MUG"], out _));
    }

    [Fact]
    public void A_price_is_as_old_as_the_question()
    {
        var asked = _clock.GetTimestamp();
        _clock.Advance(RecentPrices.MaxAge);
        _prices.Keep([Product("MUG", 100)], asked);
        Assert.False(_prices.TryFind(["MUG"], out _));
    }

    [Fact]
    public void All_products_are_known_or_none()
    {
        _prices.Keep([Product("MUG", 100)], _clock.GetTimestamp());
        Assert.False(_prices.TryFind(["MUG", "LAMP"], out _));
        _prices.Keep([Product("LAMP", 200)], _clock.GetTimestamp());
        Assert.True(_prices.TryFind(["MUG", "LAMP"], out var products));
        Assert.Equal([100, 200], products.Values.Select(p => p.PriceMinor).Order());
    }

    [Fact]
    public void The_latest_answer_counts()
    {
        _prices.Keep([Product("MUG", 100)], _clock.GetTimestamp());
        _prices.Keep([Product("MUG", 90)], _clock.GetTimestamp());
        Assert.True(_prices.TryFind(["MUG"], out var products));
        Assert.Equal(90, products["MUG"].PriceMinor);
    }

    [Fact]
    public void However_many_products_there_are_it_holds_no_more_than_ten_thousand()
    {
        for (var i = 0; i < 10_001; i++)
            _prices.Keep([Product($"SKU-{i}", 100)], _clock.GetTimestamp());
        Assert.False(_prices.TryFind(["SKU-0"], out _));
        Assert.True(_prices.TryFind(["SKU-10000"], out _));
    }

    private static PricedProduct Product(string sku, long price) => new() { Sku = sku, Name = sku, PriceMinor = price, Currency = "USD" };
}
