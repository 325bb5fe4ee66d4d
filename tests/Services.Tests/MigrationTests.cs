using DaprPlatform.Inventory.Data;
using DaprPlatform.Orders.Data;
using DaprPlatform.Payments.Data;
using DaprPlatform.Users.Data;
using DaprPlatform.Webhooks.Data;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class MigrationTests
{
    [Fact]
    public void The_migrations_of_orders_are_its_model() => AssertComplete(new OrdersDb(Options<OrdersDb>()));

    [Fact]
    public void The_migrations_of_inventory_are_its_model() => AssertComplete(new InventoryDb(Options<InventoryDb>()));

    [Fact]
    public void The_migrations_of_payments_are_its_model() => AssertComplete(new PaymentsDb(Options<PaymentsDb>()));

    [Fact]
    public void The_migrations_of_users_are_its_model() => AssertComplete(new UsersDb(Options<UsersDb>()));

    [Fact]
    public void The_migrations_of_webhooks_are_its_model() => AssertComplete(new WebhooksDb(Options<WebhooksDb>()));

    private static DbContextOptions<T> Options<T>()
        where T : DbContext =>
        new DbContextOptionsBuilder<T>().UseNpgsql("Host=localhost;Database=none").Options;

    private static void AssertComplete(DbContext db)
    {
        using (db)
            Assert.False(db.Database.HasPendingModelChanges());
    }
}
