using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Inventory.Data;

internal sealed class InventoryDb(DbContextOptions<InventoryDb> options) : DbContext(options)
{
    public DbSet<CategoryRow> Categories => Set<CategoryRow>();

    public DbSet<ProductRow> Products => Set<ProductRow>();

    public DbSet<Reservation> Reservations => Set<Reservation>();

    public DbSet<ReservationLine> ReservationLines => Set<ReservationLine>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<CategoryRow>(category =>
        {
            category.ToTable("categories");
            category.HasKey(c => c.Id);
            category.Property(c => c.Id).HasMaxLength(64);
            category.Property(c => c.Name).HasMaxLength(100);
        });
        modelBuilder.Entity<ProductRow>(product =>
        {
            // The last guard against overselling: no statement can get past it.
            product.ToTable("products", table =>
            {
                table.HasCheckConstraint("ck_products_stock", "available >= 0 AND reserved >= 0 AND sold >= 0");
                table.HasCheckConstraint("ck_products_price", "price_minor > 0");
            });
            product.HasKey(p => p.Sku);
            product.Property(p => p.Sku).HasMaxLength(64).UseCollation("C");
            product.Property(p => p.Name).HasMaxLength(200);
            product.Property(p => p.Description).HasMaxLength(2000);
            product.Property(p => p.CategoryId).HasMaxLength(64);
            product.Property(p => p.Currency).HasMaxLength(3).IsFixedLength();
            product.Property(p => p.Version).IsRowVersion();
            product.HasOne<CategoryRow>().WithMany().HasForeignKey(p => p.CategoryId).OnDelete(DeleteBehavior.Restrict);
            product.HasIndex(p => new { p.CategoryId, p.Sku });
        });
        modelBuilder.Entity<Reservation>(reservation =>
        {
            reservation.ToTable("reservations");
            reservation.HasKey(r => r.OrderId);
            reservation.Property(r => r.OrderId).ValueGeneratedNever();
            reservation.Property(r => r.State).HasConversion<string>().HasMaxLength(16);
            reservation.HasMany(r => r.Lines).WithOne().HasForeignKey(l => l.OrderId).OnDelete(DeleteBehavior.Cascade);
            reservation.HasIndex(r => r.ExpiresAt).HasFilter("state = 'Reserved'");
        });
        modelBuilder.Entity<ReservationLine>(line =>
        {
            line.ToTable("reservation_lines");
            line.HasKey(l => new { l.OrderId, l.Sku });
            line.Property(l => l.Sku).HasMaxLength(64);
        });
        OutboxModel.Configure(modelBuilder);
        modelBuilder.UseSnakeCase();
    }
}
