using DaprPlatform.Inventory.Data;
using DaprPlatform.Orders.Data;
using DaprPlatform.Payments.Data;
using DaprPlatform.Services.Tests.Fixtures;
using DaprPlatform.Users.Data;
using DaprPlatform.Webhooks.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.DependencyInjection;
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

    public static TheoryData<string> Databases => ["orders", "inventory", "payments", "users", "webhooks"];

    /// <summary>Each migration can be taken back, the newest first, and made again: a deployment that has to be undone leaves nothing behind.</summary>
    [Theory]
    [MemberData(nameof(Databases))]
    public async Task Every_migration_goes_down_and_up_again(string service)
    {
        await using DatabaseFixture fixture = service switch
        {
            "orders" => new OrdersFixture(),
            "inventory" => new InventoryFixture(),
            "payments" => new PaymentsFixture(),
            "users" => new UsersFixture(),
            _ => new WebhooksFixture(),
        };
        await fixture.InitializeAsync();
        await using var scope = fixture.Services.CreateAsyncScope();
        DbContext db = service switch
        {
            "orders" => scope.ServiceProvider.GetRequiredService<OrdersDb>(),
            "inventory" => scope.ServiceProvider.GetRequiredService<InventoryDb>(),
            "payments" => scope.ServiceProvider.GetRequiredService<PaymentsDb>(),
            "users" => scope.ServiceProvider.GetRequiredService<UsersDb>(),
            _ => scope.ServiceProvider.GetRequiredService<WebhooksDb>(),
        };
        var cancel = TestContext.Current.CancellationToken;
        var migrator = db.GetService<IMigrator>();
        var migrations = db.Database.GetMigrations().ToArray();
        for (var i = migrations.Length - 1; i >= 0; i--)
        {
            await migrator.MigrateAsync(i == 0 ? Migration.InitialDatabase : migrations[i - 1], cancel);
            Assert.Equal(migrations[..i], await db.Database.GetAppliedMigrationsAsync(cancel));
        }
        Assert.Equal(
            ["__EFMigrationsHistory"],
            await db.Database.SqlQuery<string>($"""SELECT table_name AS "Value" FROM information_schema.tables WHERE table_schema = 'public'""").ToListAsync(cancel));
        foreach (var migration in migrations)
            await migrator.MigrateAsync(migration, cancel);
        Assert.Empty(await db.Database.GetPendingMigrationsAsync(cancel));
    }

    private static DbContextOptions<T> Options<T>()
        where T : DbContext =>
        new DbContextOptionsBuilder<T>().UseNpgsql("Host=localhost;Database=none").Options;

    private static void AssertComplete(DbContext db)
    {
        using (db)
            Assert.False(db.Database.HasPendingModelChanges());
    }
}
