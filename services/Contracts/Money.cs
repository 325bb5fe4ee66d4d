using System.Globalization;

namespace DaprPlatform.Contracts;

/// <summary>An amount in integer minor units (cents) of an ISO 4217 currency. Arithmetic is checked: an overflow or a mix of currencies throws.</summary>
/// <remarks>The only rounding there is: <see cref="FromMajor"/>, half to even, to the two decimals every supported currency has.</remarks>
public readonly record struct Money : IComparable<Money>
{
    /// <param name="minor">Minor units; may be negative in a difference.</param>
    /// <param name="currency">Three upper-case ASCII letters.</param>
    /// <exception cref="ArgumentException">The currency is not of that form.</exception>
    public Money(long minor, string currency)
    {
        if (!IsCurrency(currency))
            throw new ArgumentException($"'{currency}' is not an ISO 4217 code.", nameof(currency));
        Minor = minor;
        Currency = currency;
    }

    public long Minor { get; }

    public string Currency { get; }

    public static Money Zero(string currency) => new(0, currency);

    /// <summary>Rounds half to even to minor units.</summary>
    public static Money FromMajor(decimal major, string currency) =>
        new(checked((long)decimal.Round(major * 100m, 0, MidpointRounding.ToEven)), currency);

    public static bool IsCurrency(string? currency) =>
        currency is { Length: 3 } && char.IsAsciiLetterUpper(currency[0]) && char.IsAsciiLetterUpper(currency[1]) && char.IsAsciiLetterUpper(currency[2]);

    public static Money operator +(Money left, Money right) => new(checked(left.Minor + Same(left, right).Minor), left.Currency);

    public static Money operator -(Money left, Money right) => new(checked(left.Minor - Same(left, right).Minor), left.Currency);

    public static Money operator *(Money money, int quantity) => new(checked(money.Minor * quantity), money.Currency);

    public static bool operator <(Money left, Money right) => left.CompareTo(right) < 0;

    public static bool operator >(Money left, Money right) => left.CompareTo(right) > 0;

    public static bool operator <=(Money left, Money right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Money left, Money right) => left.CompareTo(right) >= 0;

    public int CompareTo(Money other) => Minor.CompareTo(Same(this, other).Minor);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Minor / 100m:0.00} {Currency}");

    private static Money Same(Money left, Money right) =>
        left.Currency == right.Currency ? right : throw new CurrencyMismatchException(left.Currency, right.Currency);
}

/// <summary>Two amounts of different currencies met in one operation.</summary>
public sealed class CurrencyMismatchException(string left, string right) : InvalidOperationException($"Cannot combine {left} with {right}.");
