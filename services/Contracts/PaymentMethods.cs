namespace DaprPlatform.Contracts;

/// <summary>Ways to pay, by the id that requests and events carry.</summary>
public static class PaymentMethods
{
    public const string Default = "CREDIT_CARD";

    public static IReadOnlyList<(string Id, string Description)> All { get; } =
    [
        (Default, "Credit card"),
        ("DEBIT_CARD", "Debit card"),
        ("PAYPAL", "PayPal account"),
        ("BANK_TRANSFER", "Bank transfer"),
    ];

    public static bool IsKnown(string method) => All.Any(m => m.Id == method);

    public static bool NeedsCard(string method) => method is Default or "DEBIT_CARD";
}
