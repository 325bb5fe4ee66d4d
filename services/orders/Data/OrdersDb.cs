using DaprPlatform.Contracts;
using DaprPlatform.Orders.Domain;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Outbox;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.Data;

internal sealed class OrdersDb(DbContextOptions<OrdersDb> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    public DbSet<OrderLine> Lines => Set<OrderLine>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Order>(order =>
        {
            order.ToTable("orders");
            order.HasKey(o => o.Id);
            order.Property(o => o.Id).ValueGeneratedNever();
            order.Property(o => o.Status).HasConversion<string>().HasMaxLength(16);
            order.Property(o => o.Mode).HasMaxLength(16).HasDefaultValue(OrderModes.Orchestrated);
            order.Property(o => o.Approval).HasConversion<string>().HasMaxLength(16);
            order.Property(o => o.Currency).HasMaxLength(3).IsFixedLength();
            order.Property(o => o.ShippingAddress).HasMaxLength(200);
            order.Property(o => o.PaymentMethod).HasMaxLength(32);
            order.Property(o => o.PaymentToken).HasMaxLength(64);
            order.Property(o => o.Reason).HasMaxLength(64);
            order.Property(o => o.Attention).HasMaxLength(2000);
            order.HasMany(o => o.Lines).WithOne().HasForeignKey(l => l.OrderId).OnDelete(DeleteBehavior.Cascade);
            order.HasMany(o => o.History).WithOne().HasForeignKey(h => h.OrderId).OnDelete(DeleteBehavior.Cascade);
            order.HasIndex(o => new { o.UserId, o.Number }).IsUnique().HasDatabaseName("ux_orders_number");
            order.HasIndex(o => new { o.UserId, o.Id });
            // What the sweep looks at is a handful of rows.
            order.HasIndex(o => o.CreatedAt).HasFilter("status = 'Pending' OR cancel_requested_at IS NOT NULL").HasDatabaseName("ix_orders_open");
        });
        modelBuilder.Entity<OrderLine>(line =>
        {
            line.ToTable("order_lines");
            line.HasKey(l => new { l.OrderId, l.Position });
            line.Property(l => l.Sku).HasMaxLength(64);
            line.Property(l => l.Name).HasMaxLength(200);
        });
        modelBuilder.Entity<StatusEntry>(entry =>
        {
            entry.ToTable("order_history");
            entry.HasKey(h => new { h.OrderId, h.Position });
            entry.Property(h => h.Status).HasConversion<string>().HasMaxLength(16);
            entry.Property(h => h.Reason).HasMaxLength(64);
        });
        modelBuilder.Entity<OrderCounter>(counter =>
        {
            counter.ToTable("order_counters");
            counter.HasKey(c => c.UserId);
            counter.Property(c => c.UserId).ValueGeneratedNever();
        });
        Idempotency.Configure(modelBuilder);
        InboxMessage.Configure(modelBuilder);
        OutboxModel.Configure(modelBuilder);
        modelBuilder.UseSnakeCase();
    }
}

/// <summary>The number of a user's last order. Taken and used in one transaction, so a number that is not used is not gone.</summary>
internal sealed class OrderCounter
{
    public required Guid UserId { get; init; }

    public required long Last { get; init; }
}
