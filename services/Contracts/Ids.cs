using System.Diagnostics.CodeAnalysis;

namespace DaprPlatform.Contracts;

/// <summary><c>ORD-&lt;uuid&gt;</c>; also the instance id of the order's workflow.</summary>
public readonly record struct OrderId(Guid Value)
{
    public static OrderId New() => new(Guid.CreateVersion7());

    public static bool TryParse([NotNullWhen(true)] string? text, out OrderId id)
    {
        var ok = IdText.TryParse("ORD-", text, out var value);
        id = new OrderId(value);
        return ok;
    }

    public override string ToString() => IdText.Format("ORD-", Value);
}

/// <summary><c>PAY-&lt;uuid&gt;</c></summary>
public readonly record struct PaymentId(Guid Value)
{
    public static PaymentId New() => new(Guid.CreateVersion7());

    public static bool TryParse([NotNullWhen(true)] string? text, out PaymentId id)
    {
        var ok = IdText.TryParse("PAY-", text, out var value);
        id = new PaymentId(value);
        return ok;
    }

    public override string ToString() => IdText.Format("PAY-", Value);
}

/// <summary><c>REF-&lt;uuid&gt;</c></summary>
public readonly record struct RefundId(Guid Value)
{
    public static RefundId New() => new(Guid.CreateVersion7());

    public static bool TryParse([NotNullWhen(true)] string? text, out RefundId id)
    {
        var ok = IdText.TryParse("REF-", text, out var value);
        id = new RefundId(value);
        return ok;
    }

    public override string ToString() => IdText.Format("REF-", Value);
}

/// <summary><c>USR-&lt;uuid&gt;</c></summary>
public readonly record struct UserId(Guid Value)
{
    public static UserId New() => new(Guid.CreateVersion7());

    public static bool TryParse([NotNullWhen(true)] string? text, out UserId id)
    {
        var ok = IdText.TryParse("USR-", text, out var value);
        id = new UserId(value);
        return ok;
    }

    public override string ToString() => IdText.Format("USR-", Value);
}

/// <summary><c>WHK-&lt;uuid&gt;</c></summary>
public readonly record struct WebhookId(Guid Value)
{
    public static WebhookId New() => new(Guid.CreateVersion7());

    public static bool TryParse([NotNullWhen(true)] string? text, out WebhookId id)
    {
        var ok = IdText.TryParse("WHK-", text, out var value);
        id = new WebhookId(value);
        return ok;
    }

    public override string ToString() => IdText.Format("WHK-", Value);
}

/// <summary><c>DLV-&lt;uuid&gt;</c></summary>
public readonly record struct DeliveryId(Guid Value)
{
    public static DeliveryId New() => new(Guid.CreateVersion7());

    public static bool TryParse([NotNullWhen(true)] string? text, out DeliveryId id)
    {
        var ok = IdText.TryParse("DLV-", text, out var value);
        id = new DeliveryId(value);
        return ok;
    }

    public override string ToString() => IdText.Format("DLV-", Value);
}

internal static class IdText
{
    private const int Length = 4 + 36;

    public static bool TryParse(string prefix, string? text, out Guid value)
    {
        value = default;
        return text is { Length: Length } && text.StartsWith(prefix, StringComparison.Ordinal) && Guid.TryParseExact(text.AsSpan(4), "D", out value);
    }

    public static string Format(string prefix, Guid value) =>
        string.Create(Length, (prefix, value), static (span, state) =>
        {
            state.prefix.CopyTo(span);
            state.value.TryFormat(span[4..], out _, "D");
        });
}
