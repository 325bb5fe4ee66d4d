using System.Diagnostics;
using System.Text.Json;
using DaprPlatform.Contracts.Events;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.ServiceDefaults.Outbox;

/// <summary>An event that is committed with the change it tells of, and published afterwards.</summary>
public sealed class OutboxMessage
{
    /// <summary>How long a sent event is kept, to look at.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromHours(24);

    public long Id { get; init; }

    /// <summary>The CloudEvent's id: the same however often it is published.</summary>
    public required Guid EventId { get; init; }

    public required string Topic { get; init; }

    public required string Type { get; init; }

    public required string PartitionKey { get; init; }

    /// <summary>JSON.</summary>
    public required string Data { get; init; }

    public string? TraceParent { get; init; }

    public required DateTimeOffset OccurredAt { get; init; }

    public DateTimeOffset? SentAt { get; set; }
}

public static class OutboxModel
{
    public static void Configure(ModelBuilder model) =>
        model.Entity<OutboxMessage>(entity =>
        {
            entity.ToTable("outbox");
            entity.HasKey(m => m.Id);
            entity.Property(m => m.Id).UseIdentityAlwaysColumn();
            entity.Property(m => m.Topic).HasMaxLength(249);
            entity.Property(m => m.Type).HasMaxLength(128);
            entity.Property(m => m.PartitionKey).HasMaxLength(128);
            entity.Property(m => m.TraceParent).HasMaxLength(64);
            entity.HasIndex(m => m.Id).HasDatabaseName("ix_outbox_unsent").HasFilter("sent_at IS NULL");
            entity.HasIndex(m => m.SentAt);
        });

    /// <summary>Publishes the event if, and only if, the context's changes are committed.</summary>
    public static void Publish<TEvent>(this DbContext db, TEvent integrationEvent, DateTimeOffset now)
        where TEvent : IIntegrationEvent =>
        db.Set<OutboxMessage>().Add(MessageOf(integrationEvent, now));

    /// <summary>The row of an event, for a statement that writes it itself; who runs the statement wakes the relay (<see cref="OutboxSignal"/>).</summary>
    public static OutboxMessage MessageOf<TEvent>(TEvent integrationEvent, DateTimeOffset now)
        where TEvent : IIntegrationEvent => new()
        {
            EventId = Guid.CreateVersion7(now),
            Topic = TEvent.Topic,
            Type = integrationEvent.CloudEventType,
            PartitionKey = integrationEvent.PartitionKey,
            Data = JsonSerializer.Serialize(integrationEvent, EventJson.Options),
            TraceParent = Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id } ? id : null,
            OccurredAt = now,
        };
}
