namespace DaprPlatform.Webhooks.Data;

/// <summary>An address that is told of events.</summary>
internal sealed class WebhookRow
{
    public required Guid Id { get; init; }

    public required Guid UserId { get; init; }

    public required string Url { get; set; }

    /// <summary>CloudEvent types; empty: all.</summary>
    public required string[] Events { get; set; }

    /// <summary>Of every user. Operators alone may ask for it.</summary>
    public required bool AllUsers { get; init; }

    public bool Active { get; set; } = true;

    public required byte[] Secret { get; set; }

    public byte[]? PreviousSecret { get; set; }

    public DateTimeOffset? PreviousValidUntil { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; set; }

    public bool Wants(string type) => Events.Length == 0 || Events.Contains(type, StringComparer.Ordinal);

    /// <summary>Deliveries are signed with both for a while, so that the receiver can change over when it suits.</summary>
    public void Rotate(byte[] secret, DateTimeOffset previousValidUntil, DateTimeOffset now)
    {
        PreviousSecret = Secret;
        PreviousValidUntil = previousValidUntil;
        Secret = secret;
        UpdatedAt = now;
    }

    public IEnumerable<byte[]> SecretsAt(DateTimeOffset now)
    {
        yield return Secret;
        if (PreviousSecret is not null && PreviousValidUntil > now)
            yield return PreviousSecret;
    }
}

/// <summary>One event for one address: what was sent, and what became of it.</summary>
internal sealed class DeliveryRow
{
    public required Guid Id { get; init; }

    public required Guid WebhookId { get; init; }

    /// <summary>The CloudEvent's id; together with the address it makes an event one delivery.</summary>
    public required string EventId { get; init; }

    public required string EventType { get; init; }

    /// <summary>What is sent, to the letter: it is signed at each attempt.</summary>
    public required string Body { get; init; }

    public DeliveryStatus Status { get; set; }

    public int Attempts { get; set; }

    public int ResponseStatus { get; set; }

    public string Error { get; set; } = "";

    /// <summary>When it is due. Moved on before an attempt, so that one whose process died is due again.</summary>
    public required DateTimeOffset NextAttemptAt { get; set; }

    public DateTimeOffset? DeliveredAt { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
}

internal enum DeliveryStatus
{
    Pending,
    Delivered,

    /// <summary>Given up after the last attempt, or with the address.</summary>
    Failed,
}
