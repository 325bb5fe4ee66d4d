using Dapr.Jobs;
using DaprPlatform.Inventory.Data;
using DaprPlatform.Inventory.Domain;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;

namespace DaprPlatform.Services.Tests.Fixtures;

public sealed class InventoryFixture : DatabaseFixture
{
    internal static readonly TimeSpan ReservationTtl = TimeSpan.FromMinutes(15);

    internal const long LowStockThreshold = 5;

    internal DaprJobsClient Jobs { get; } = Substitute.For<DaprJobsClient>();

    /// <summary>The SKU of a new product.</summary>
    internal Task<string> AddProductAsync(int available, CancellationToken cancellationToken) =>
        StockProductAsync("SKU-" + Guid.NewGuid().ToString("N"), available, cancellationToken);

    /// <summary>Adds the product unless it is there.</summary>
    internal Task<string> StockProductAsync(string sku, int available, CancellationToken cancellationToken) =>
        AsAsync<InventoryDb, string>(async db =>
        {
            if (await db.Products.AnyAsync(p => p.Sku == sku, cancellationToken))
                return sku;
            await db.Database.ExecuteSqlAsync($"INSERT INTO categories (id, name, active) VALUES ('all', 'All', TRUE) ON CONFLICT (id) DO NOTHING", cancellationToken);
            db.Products.Add(new ProductRow
            {
                Sku = sku,
                Name = sku,
                CategoryId = "all",
                PriceMinor = 100,
                Currency = "USD",
                Available = available,
                UpdatedAt = Clock.GetUtcNow(),
            });
            await db.SaveChangesAsync(cancellationToken);
            return sku;
        });

    internal Task<(long Available, long Reserved, long Sold)> StockOfAsync(string sku, CancellationToken cancellationToken) =>
        AsAsync<InventoryDb, (long, long, long)>(async db =>
        {
            var product = await db.Products.AsNoTracking().SingleAsync(p => p.Sku == sku, cancellationToken);
            return (product.Available, product.Reserved, product.Sold);
        });

    private protected override void AddService(IServiceCollection services)
    {
        AddDatabase<InventoryDb>(services);
        services.AddSingleton(new StockOptions(ReservationTtl, "USD", LowStockThreshold));
        services.AddSingleton<StockMetrics>();
        services.AddSingleton(Jobs);
        services.AddSingleton<ReservationExpiry>();
        services.AddScoped<StockKeeper>();
    }
}
