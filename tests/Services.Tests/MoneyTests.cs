using DaprPlatform.Contracts;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class MoneyTests
{
    [Fact]
    public void Adding_and_taking_away_again_is_the_same_money() =>
        Prop.ForAll<int, int>((a, b) => new Money(a, "USD") + new Money(b, "USD") - new Money(b, "USD") == new Money(a, "USD")).QuickCheckThrowOnFailure();

    [Fact]
    public void So_many_times_is_so_many_sums() =>
        Prop.ForAll<int, byte>((a, n) =>
            new Money(a, "EUR") * n == Enumerable.Range(0, n).Aggregate(Money.Zero("EUR"), (sum, _) => sum + new Money(a, "EUR"))).QuickCheckThrowOnFailure();

    [Fact]
    public void Currencies_do_not_mix() => Assert.Throws<CurrencyMismatchException>(() => new Money(1, "USD") + new Money(1, "EUR"));

    [Fact]
    public void An_overflow_is_an_error() => Assert.Throws<OverflowException>(() => new Money(long.MaxValue, "USD") + new Money(1, "USD"));

    [Theory]
    [InlineData("0.125", 12)]
    [InlineData("0.135", 14)]
    [InlineData("-0.125", -12)]
    public void Rounding_is_half_to_even(string major, long minor) =>
        Assert.Equal(minor, Money.FromMajor(decimal.Parse(major, System.Globalization.CultureInfo.InvariantCulture), "USD").Minor);

    [Theory]
    [InlineData("usd")]
    [InlineData("US")]
    [InlineData("")]
    [InlineData("US1")]
    public void A_currency_has_three_capital_letters(string currency) => Assert.Throws<ArgumentException>(() => new Money(1, currency));
}
