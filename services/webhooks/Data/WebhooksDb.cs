using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Outbox;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Webhooks.Data;

internal sealed class WebhooksDb(DbContextOptions<WebhooksDb> options) : DbContext(options)
{
    /// <summary>An event is one delivery per address.</summary>
    public const string EventIndex = "ux_deliveries_event";

    public DbSet<WebhookRow> Webhooks => Set<WebhookRow>();

    public DbSet<DeliveryRow> Deliveries => Set<DeliveryRow>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<WebhookRow>(webhook =>
        {
            webhook.ToTable("webhooks");
            webhook.HasKey(w => w.Id);
            webhook.Property(w => w.Id).ValueGeneratedNever();
            webhook.Property(w => w.Url).HasMaxLength(2048);
            webhook.Property(w => w.Secret).HasMaxLength(64);
            webhook.Property(w => w.PreviousSecret).HasMaxLength(64);
            webhook.HasIndex(w => new { w.UserId, w.Id });
            webhook.HasIndex(w => w.AllUsers).HasFilter("all_users AND active").HasDatabaseName("ix_webhooks_of_all_users");
        });
        modelBuilder.Entity<DeliveryRow>(delivery =>
        {
            delivery.ToTable("deliveries");
            delivery.HasKey(d => d.Id);
            delivery.Property(d => d.Id).ValueGeneratedNever();
            delivery.Property(d => d.EventId).HasMaxLength(256);
            delivery.Property(d => d.EventType).HasMaxLength(128);
            delivery.Property(d => d.Status).HasConversion<string>().HasMaxLength(16);
            delivery.Property(d => d.Error).HasMaxLength(500);
            delivery.HasOne<WebhookRow>().WithMany().HasForeignKey(d => d.WebhookId).OnDelete(DeleteBehavior.Cascade);
            delivery.HasIndex(d => new { d.WebhookId, d.EventId }).IsUnique().HasDatabaseName(EventIndex);
            delivery.HasIndex(d => new { d.WebhookId, d.Id });
            delivery.HasIndex(d => d.NextAttemptAt).HasFilter("status = 'Pending'").HasDatabaseName("ix_deliveries_due");
            delivery.HasIndex(d => d.CreatedAt);
        });
        Idempotency.Configure(modelBuilder);
        InboxMessage.Configure(modelBuilder);
        OutboxModel.Configure(modelBuilder);
        modelBuilder.UseSnakeCase();
    }
}
