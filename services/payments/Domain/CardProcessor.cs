using DaprPlatform.Contracts;

namespace DaprPlatform.Payments.Domain;

/// <summary>Whoever moves the money. Charges must be idempotent by key at the processor too.</summary>
internal interface ICardProcessor
{
    /// <summary>Takes the card into the processor's vault; what comes back holds nothing that could be charged elsewhere.</summary>
    ProcessorCard Store(string number);

    /// <summary>Captures at once.</summary>
    Charge Capture(string reference, Money amount);

    /// <summary>Returns money of a payment; once, however often it is asked with this key.</summary>
    Charge Refund(string payment, string key, Money amount);

    /// <summary>Takes a refund back that may not have arrived: one of this key that comes late is refused. False when its money has gone.</summary>
    bool CancelRefund(string key);
}

/// <param name="Reference">The processor's own name of the card.</param>
internal sealed record ProcessorCard(string Reference, string Brand, string Last4);

/// <param name="FailureReason">Null when captured; of <see cref="FailureReasons"/>.</param>
internal readonly record struct Charge(string? FailureReason)
{
    public bool Captured => FailureReason is null;
}

/// <summary>A closed set: it is a label of metrics.</summary>
internal static class FailureReasons
{
    public const string CardDeclined = "card_declined";
    public const string ProcessingError = "processing_error";
    public const string ExpiredCard = "expired_card";
    public const string UnsupportedCard = "unsupported_card";
    public const string InvalidToken = "invalid_token";
}

/// <summary>Decides by the card alone, the same every time: the cards of <see cref="TestCards"/>, and no real card is ever charged.</summary>
internal sealed class TestCardProcessor : ICardProcessor
{
    private const string Prefix = "test:";
    private const string Approve = "approve";

    public ProcessorCard Store(string number) =>
        new(Prefix + (TestCards.All.FirstOrDefault(c => c.Number == number) is { } card ? card.FailureReason ?? Approve : FailureReasons.UnsupportedCard), BrandOf(number), number[^4..]);

    public Charge Capture(string reference, Money amount) =>
        reference.StartsWith(Prefix, StringComparison.Ordinal) && reference[Prefix.Length..] is var outcome
            ? new Charge(outcome == Approve ? null : outcome)
            : new Charge(FailureReasons.InvalidToken);

    // No money was ever moved, so there is nothing that could not be returned, and nothing that has gone.
    public Charge Refund(string payment, string key, Money amount) => new(null);

    public bool CancelRefund(string key) => true;

    private static string BrandOf(string number) => number[0] switch { '4' => "visa", '5' => "mastercard", '3' => "amex", '6' => "discover", _ => "unknown" };
}

/// <summary>The cards that the test processor knows, each with a token that needs no tokenisation.</summary>
internal static class TestCards
{
    public static readonly IReadOnlyList<KnownCard> All =
    [
        new("4111111111111111", "tok_approve", null),
        new("5555555555554444", "tok_approve_mc", null),
        new("4000000000000002", "tok_decline", FailureReasons.CardDeclined),
        new("4000000000000119", "tok_error", FailureReasons.ProcessingError),
        new("4000000000000341", "tok_expired", FailureReasons.ExpiredCard),
    ];

    internal sealed record KnownCard(string Number, string Token, string? FailureReason);
}
