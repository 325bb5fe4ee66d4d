using DaprPlatform.Inventory.Domain;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Inventory.Data;

/// <summary>The products of a first start (<c>SEED_DATA=true</c>). What exists is left as it is, its stock above all.</summary>
internal static class SeedData
{
    public static async Task ApplyAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        if (!services.GetRequiredService<IConfiguration>().GetValue("SEED_DATA", false))
            return;
        var db = services.GetRequiredService<InventoryDb>();
        var currency = services.GetRequiredService<StockOptions>().DefaultCurrency;
        await db.Database.ExecuteSqlAsync(
            $"""
             INSERT INTO categories (id, name, active) VALUES ('electronics', 'Electronics', TRUE), ('home-kitchen', 'Home & Kitchen', TRUE)
             ON CONFLICT (id) DO NOTHING
             """,
            cancellationToken);
        await db.Database.ExecuteSqlAsync(
            $"""
             INSERT INTO products (sku, name, description, category_id, price_minor, currency, available, reserved, sold, updated_at) VALUES
               ('HEADPHONES-001', 'Wireless Headphones', 'Over-ear, noise cancelling', 'electronics', 9999, {currency}, 3, 0, 0, now()),
               ('WATCH-001', 'Smart Watch', 'Heart rate, GPS, five days of battery', 'electronics', 19999, {currency}, 1, 0, 0, now()),
               ('MUG-001', 'Coffee Mug', 'Stoneware, 350 ml', 'home-kitchen', 1599, {currency}, 2, 0, 0, now())
             ON CONFLICT (sku) DO NOTHING
             """,
            cancellationToken);
    }
}
