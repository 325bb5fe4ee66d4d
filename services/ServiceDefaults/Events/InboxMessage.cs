using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.ServiceDefaults.Events;

/// <summary>An event this service has acted on. Written in the transaction of what it did.</summary>
public sealed class InboxMessage
{
    /// <summary>Longer than any redelivery takes.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromDays(7);

    public const string PrimaryKey = "pk_inbox";

    public required string Consumer { get; init; }

    public required string EventId { get; init; }

    public required DateTimeOffset ReceivedAt { get; init; }

    public static void Configure(ModelBuilder model) =>
        model.Entity<InboxMessage>(entity =>
        {
            entity.ToTable("inbox");
            entity.HasKey(m => new { m.Consumer, m.EventId });
            entity.Property(m => m.Consumer).HasMaxLength(64);
            entity.Property(m => m.EventId).HasMaxLength(256);
            entity.HasIndex(m => m.ReceivedAt);
        });
}
