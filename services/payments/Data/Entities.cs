namespace DaprPlatform.Payments.Data;

/// <summary>One attempt to pay an order. At most one per order is anything but failed: an index says so.</summary>
internal sealed class PaymentRow
{
    public required Guid Id { get; init; }

    public required Guid OrderId { get; init; }

    public required Guid UserId { get; init; }

    /// <summary>Who asked, and which time: makes the same attempt the same row.</summary>
    public required string Attempt { get; init; }

    public required PaymentStatus Status { get; set; }

    public required string Method { get; init; }

    public required long AmountMinor { get; init; }

    public long RefundedMinor { get; set; }

    public required string Currency { get; init; }

    public string CardBrand { get; init; } = "";

    public string CardLast4 { get; init; } = "";

    public string FailureReason { get; init; } = "";

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; set; }

    public List<RefundRow> Refunds { get; init; } = [];
}

internal sealed class RefundRow
{
    public required Guid Id { get; init; }

    public Guid PaymentId { get; init; }

    public required long AmountMinor { get; init; }

    public required string Reason { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>What is known of a card once it was handed over: nothing that could be charged elsewhere.</summary>
internal sealed class CardTokenRow
{
    public required string Token { get; init; }

    public required Guid UserId { get; init; }

    /// <summary>The processor's own reference.</summary>
    public required string Reference { get; init; }

    public required string Brand { get; init; }

    public required string Last4 { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }
}

internal enum PaymentStatus
{
    Completed,
    Failed,
    Refunded,

    /// <summary>The order was given up before anything was captured; nothing may be captured any more.</summary>
    Voided,
}
