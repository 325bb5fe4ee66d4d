using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Problems;

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

    /// <summary>What may still be refunded: neither returned nor on its way back.</summary>
    public long LeftMinor => AmountMinor - RefundedMinor;

    /// <summary>What has been returned; the refunds must be loaded.</summary>
    public long ReturnedMinor => Refunds.Where(r => r.Status == RefundStatus.Completed).Sum(r => r.AmountMinor);

    /// <summary>Sets an amount aside, so that no other refund can have it.</summary>
    /// <exception cref="ProblemException">409: not a payment that can be returned. 422: more than what is left.</exception>
    public RefundRow Reserve(long amount, string reason, DateTimeOffset now)
    {
        if (Status != PaymentStatus.Completed)
            throw Refusals.Conflict("payment-not-refundable", $"The payment is {Status.ToString().ToUpperInvariant()}.");
        if (amount > LeftMinor)
            throw Refusals.Unprocessable("refund-exceeds-payment", "More than what is left of the payment.");
        if (amount <= 0)
            throw Refusals.Unprocessable("refund-exceeds-payment", "Nothing is left of the payment.");
        var refund = new RefundRow { Id = RefundId.New().Value, PaymentId = Id, AmountMinor = amount, Reason = reason, Status = RefundStatus.Pending, CreatedAt = now };
        Refunds.Add(refund);
        RefundedMinor += amount;
        UpdatedAt = now;
        return refund;
    }

    /// <summary>The money went. False when that was known.</summary>
    /// <exception cref="InvalidOperationException">It was given up before.</exception>
    public bool Complete(RefundRow refund, DateTimeOffset now)
    {
        if (refund.Status == RefundStatus.Completed)
            return false;
        if (refund.Status == RefundStatus.Failed)
            throw new InvalidOperationException("A refund that was given up cannot be completed.");
        refund.Status = RefundStatus.Completed;
        UpdatedAt = now;
        if (ReturnedMinor == AmountMinor)
            Status = PaymentStatus.Refunded;
        return true;
    }

    /// <summary>The money stays, and may be refunded again. False when the money has gone.</summary>
    public bool Abandon(RefundRow refund, string reason, DateTimeOffset now)
    {
        if (refund.Status == RefundStatus.Failed)
            return true;
        if (refund.Status == RefundStatus.Completed)
            return false;
        refund.Status = RefundStatus.Failed;
        refund.FailureReason = reason.Length <= 64 ? reason : reason[..64];
        RefundedMinor -= refund.AmountMinor;
        UpdatedAt = now;
        return true;
    }

    /// <summary>Nobody knows whether the money went; the amount stays aside. False when that is known by now, or was flagged before.</summary>
    public bool Flag(RefundRow refund, DateTimeOffset now)
    {
        if (refund.Status != RefundStatus.Pending)
            return false;
        refund.Status = RefundStatus.Attention;
        UpdatedAt = now;
        return true;
    }
}

internal sealed class RefundRow
{
    public required Guid Id { get; init; }

    public Guid PaymentId { get; init; }

    public required long AmountMinor { get; init; }

    public required string Reason { get; init; }

    public required RefundStatus Status { get; set; }

    /// <summary>Why it was given up.</summary>
    public string FailureReason { get; set; } = "";

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

internal enum RefundStatus
{
    /// <summary>Set aside; the workflow of the refund is sending it.</summary>
    Pending,
    Completed,

    /// <summary>Given up; the amount may be refunded again.</summary>
    Failed,

    /// <summary>Neither could it be completed nor given up: somebody has to look.</summary>
    Attention,
}
