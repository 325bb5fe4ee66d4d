using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Payments.Data;

internal sealed class PaymentsDb(DbContextOptions<PaymentsDb> options) : DbContext(options)
{
    /// <summary>One payment per order that is not failed.</summary>
    public const string OneOpenIndex = "ux_payments_one_open";

    /// <summary>One row per attempt.</summary>
    public const string AttemptIndex = "ux_payments_attempt";

    public DbSet<PaymentRow> Payments => Set<PaymentRow>();

    public DbSet<RefundRow> Refunds => Set<RefundRow>();

    public DbSet<CardTokenRow> CardTokens => Set<CardTokenRow>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<PaymentRow>(payment =>
        {
            payment.ToTable("payments", table =>
                table.HasCheckConstraint("ck_payments_amounts", "amount_minor >= 0 AND refunded_minor >= 0 AND refunded_minor <= amount_minor"));
            payment.HasKey(p => p.Id);
            payment.Property(p => p.Id).ValueGeneratedNever();
            payment.Property(p => p.Attempt).HasMaxLength(64);
            payment.Property(p => p.Status).HasConversion<string>().HasMaxLength(16);
            payment.Property(p => p.Method).HasMaxLength(32);
            payment.Property(p => p.Currency).HasMaxLength(3).IsFixedLength();
            payment.Property(p => p.CardBrand).HasMaxLength(16);
            payment.Property(p => p.CardLast4).HasMaxLength(4);
            payment.Property(p => p.FailureReason).HasMaxLength(32);
            payment.HasMany(p => p.Refunds).WithOne().HasForeignKey(r => r.PaymentId).OnDelete(DeleteBehavior.Cascade);
            payment.HasIndex(p => p.OrderId).IsUnique().HasFilter("status <> 'Failed'").HasDatabaseName(OneOpenIndex);
            payment.HasIndex(p => new { p.OrderId, p.Attempt }).IsUnique().HasDatabaseName(AttemptIndex);
            payment.HasIndex(p => new { p.UserId, p.Id });
        });
        modelBuilder.Entity<RefundRow>(refund =>
        {
            refund.ToTable("refunds", table => table.HasCheckConstraint("ck_refunds_amount", "amount_minor > 0"));
            refund.HasKey(r => r.Id);
            refund.Property(r => r.Id).ValueGeneratedNever();
            refund.Property(r => r.Reason).HasMaxLength(200);
            // Rows of the version before were completed when they were written; so is what that version still writes.
            refund.Property(r => r.Status).HasConversion<string>().HasMaxLength(16).HasDefaultValueSql("'Completed'").ValueGeneratedNever();
            refund.Property(r => r.FailureReason).HasMaxLength(64).HasDefaultValue("");
            refund.HasIndex(r => r.CreatedAt).HasFilter("status = 'Pending'").HasDatabaseName("ix_refunds_pending");
        });
        modelBuilder.Entity<CardTokenRow>(token =>
        {
            token.ToTable("card_tokens");
            token.HasKey(t => t.Token);
            token.Property(t => t.Token).HasMaxLength(64);
            token.Property(t => t.Reference).HasMaxLength(64);
            token.Property(t => t.Brand).HasMaxLength(16);
            token.Property(t => t.Last4).HasMaxLength(4);
            token.HasIndex(t => t.ExpiresAt);
        });
        Idempotency.Configure(modelBuilder);
        OutboxModel.Configure(modelBuilder);
        modelBuilder.UseSnakeCase();
    }
}
