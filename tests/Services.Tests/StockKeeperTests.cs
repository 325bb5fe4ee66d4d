using System.Globalization;
using Dapr.Jobs;
using Dapr.Jobs.Models;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Inventory.Data;
using DaprPlatform.Inventory.Domain;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.Services.Tests.Fixtures;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;
using Xunit;
using Outcome = DaprPlatform.Contracts.Inventory.ReservationResult.Types.Outcome;

namespace DaprPlatform.Services.Tests;

public sealed class StockKeeperTests(InventoryFixture inventory) : IClassFixture<InventoryFixture>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_five_hundred_buyers_of_ten_items_ten_get_one_and_nothing_is_oversold()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        var outcomes = await DatabaseFixture.AtOnceAsync(500, _ => ReserveAsync(OrderId.New(), (sku, 1)));
        Assert.Equal(10, outcomes.Count(o => o.Outcome == Outcome.Done));
        Assert.All(outcomes.Where(o => o.Outcome != Outcome.Done), o =>
        {
            Assert.Equal(Outcome.OutOfStock, o.Outcome);
            Assert.Equal([sku], o.Skus);
        });
        Assert.Equal((0, 10, 0), await inventory.StockOfAsync(sku, Cancel));
    }

    [Fact]
    public async Task All_products_of_an_order_are_reserved_or_none()
    {
        var plenty = await inventory.AddProductAsync(5, Cancel);
        var scarce = await inventory.AddProductAsync(1, Cancel);
        var order = OrderId.New();
        var result = await ReserveAsync(order, (plenty, 2), (scarce, 2));
        Assert.Equal(Outcome.OutOfStock, result.Outcome);
        Assert.Equal([scarce], result.Skus);
        Assert.Equal((5, 0, 0), await inventory.StockOfAsync(plenty, Cancel));
        Assert.Equal((1, 0, 0), await inventory.StockOfAsync(scarce, Cancel));
        Assert.Equal(["inventory.v1.stock_reservation_failed"], await EventsOfAsync(order));
    }

    [Fact]
    public async Task An_unknown_product_is_named_and_nothing_is_reserved()
    {
        var sku = await inventory.AddProductAsync(5, Cancel);
        var result = await ReserveAsync(OrderId.New(), (sku, 1), ("NO-SUCH-SKU", 1));
        Assert.Equal(Outcome.UnknownProduct, result.Outcome);
        Assert.Equal(["NO-SUCH-SKU"], result.Skus);
        Assert.Equal((5, 0, 0), await inventory.StockOfAsync(sku, Cancel));
    }

    [Fact]
    public async Task Buyers_who_name_the_same_products_in_opposite_order_do_not_block_each_other()
    {
        var first = await inventory.AddProductAsync(10, Cancel);
        var second = await inventory.AddProductAsync(10, Cancel);
        var outcomes = await DatabaseFixture.AtOnceAsync(
            20, i => i % 2 == 0 ? ReserveAsync(OrderId.New(), (first, 1), (second, 1)) : ReserveAsync(OrderId.New(), (second, 1), (first, 1)));
        Assert.Equal(10, outcomes.Count(o => o.Outcome == Outcome.Done));
        Assert.Equal((0, 10, 0), await inventory.StockOfAsync(first, Cancel));
        Assert.Equal((0, 10, 0), await inventory.StockOfAsync(second, Cancel));
    }

    [Fact]
    public async Task A_repeated_step_has_no_second_effect()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        var order = OrderId.New();
        for (var i = 0; i < 3; i++)
            Assert.Equal(Outcome.Done, (await ReserveAsync(order, (sku, 4))).Outcome);
        Assert.Equal((6, 4, 0), await inventory.StockOfAsync(sku, Cancel));
        for (var i = 0; i < 3; i++)
            Assert.Equal(Outcome.Done, (await CommitAsync(order)).Outcome);
        Assert.Equal((6, 0, 4), await inventory.StockOfAsync(sku, Cancel));
        Assert.Equal(Outcome.Done, (await ReserveAsync(order, (sku, 4))).Outcome);
        for (var i = 0; i < 3; i++)
            Assert.Equal(Outcome.Done, (await RestockAsync(order)).Outcome);
        Assert.Equal((10, 0, 0), await inventory.StockOfAsync(sku, Cancel));
        Assert.Equal(["inventory.v1.stock_reserved", "inventory.v1.stock_committed", "inventory.v1.stock_restocked"], await EventsOfAsync(order));
    }

    [Fact]
    public async Task One_step_delivered_twenty_times_at_once_is_one_step()
    {
        var sku = await inventory.AddProductAsync(100, Cancel);
        var order = OrderId.New();
        Assert.All(await DatabaseFixture.AtOnceAsync(20, _ => ReserveAsync(order, (sku, 3))), r => Assert.Equal(Outcome.Done, r.Outcome));
        Assert.Equal((97, 3, 0), await inventory.StockOfAsync(sku, Cancel));
        Assert.All(await DatabaseFixture.AtOnceAsync(20, _ => CommitAsync(order)), r => Assert.Equal(Outcome.Done, r.Outcome));
        Assert.Equal((97, 0, 3), await inventory.StockOfAsync(sku, Cancel));
        Assert.All(await DatabaseFixture.AtOnceAsync(20, _ => RestockAsync(order)), r => Assert.Equal(Outcome.Done, r.Outcome));
        Assert.Equal((100, 0, 0), await inventory.StockOfAsync(sku, Cancel));
    }

    [Fact]
    public async Task A_release_puts_the_stock_back_once()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        var order = OrderId.New();
        await ReserveAsync(order, (sku, 4));
        Assert.All(await DatabaseFixture.AtOnceAsync(10, _ => ReleaseAsync(order)), r => Assert.Equal(Outcome.Done, r.Outcome));
        Assert.Equal((10, 0, 0), await inventory.StockOfAsync(sku, Cancel));
        Assert.Equal(["inventory.v1.stock_reserved", "inventory.v1.stock_released"], await EventsOfAsync(order));
    }

    [Fact]
    public async Task What_is_sold_is_not_released()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        var order = OrderId.New();
        await ReserveAsync(order, (sku, 4));
        await CommitAsync(order);
        Assert.Equal(Outcome.Closed, (await ReleaseAsync(order)).Outcome);
        Assert.Equal((6, 0, 4), await inventory.StockOfAsync(sku, Cancel));
    }

    [Fact]
    public async Task A_reservation_that_arrives_after_its_release_is_refused()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        var order = OrderId.New();
        Assert.Equal(Outcome.Done, (await ReleaseAsync(order)).Outcome);
        Assert.Equal(Outcome.Closed, (await ReserveAsync(order, (sku, 4))).Outcome);
        Assert.Equal(Outcome.Closed, (await CommitAsync(order)).Outcome);
        Assert.Equal((10, 0, 0), await inventory.StockOfAsync(sku, Cancel));
        Assert.Empty(await EventsOfAsync(order));
    }

    [Fact]
    public async Task A_commit_that_arrives_after_a_release_is_refused()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        var order = OrderId.New();
        await ReserveAsync(order, (sku, 4));
        await ReleaseAsync(order);
        Assert.Equal(Outcome.Closed, (await CommitAsync(order)).Outcome);
        Assert.Equal(Outcome.Closed, (await HoldAsync(order)).Outcome);
        Assert.Equal(Outcome.Closed, (await ReserveAsync(order, (sku, 4))).Outcome);
        Assert.Equal((10, 0, 0), await inventory.StockOfAsync(sku, Cancel));
    }

    [Fact]
    public async Task A_release_that_meets_its_reservation_leaves_no_stock_behind()
    {
        var sku = await inventory.AddProductAsync(20, Cancel);
        var orders = Enumerable.Range(0, 10).Select(_ => OrderId.New()).ToArray();
        var results = await DatabaseFixture.AtOnceAsync(30, i => i % 3 == 0 ? ReserveAsync(orders[i / 3], (sku, 2)) : ReleaseAsync(orders[i / 3]));
        Assert.All(results.Where((_, i) => i % 3 != 0), r => Assert.Equal(Outcome.Done, r.Outcome));
        Assert.Equal((20, 0, 0), await inventory.StockOfAsync(sku, Cancel));
        Assert.All(await DatabaseFixture.AtOnceAsync(10, i => CommitAsync(orders[i])), r => Assert.Equal(Outcome.Closed, r.Outcome));
    }

    [Fact]
    public async Task A_refused_reservation_stays_refused_when_stock_arrives()
    {
        var sku = await inventory.AddProductAsync(1, Cancel);
        var holder = OrderId.New();
        await ReserveAsync(holder, (sku, 1));
        var order = OrderId.New();
        Assert.Equal(Outcome.OutOfStock, (await ReserveAsync(order, (sku, 1))).Outcome);
        await ReleaseAsync(holder);
        var again = await ReserveAsync(order, (sku, 1));
        Assert.Equal(Outcome.OutOfStock, again.Outcome);
        Assert.Equal([sku], again.Skus);
        Assert.Equal((1, 0, 0), await inventory.StockOfAsync(sku, Cancel));
    }

    [Fact]
    public async Task A_reservation_that_runs_out_is_released_exactly_once()
    {
        // Those of other tests are gone before this one is due.
        inventory.Clock.Advance(InventoryFixture.ReservationTtl);
        await ExpireAllAsync();
        var sku = await inventory.AddProductAsync(10, Cancel);
        var order = OrderId.New();
        var reserved = await ReserveAsync(order, hold: false, (sku, 4));
        Assert.Equal(inventory.Clock.GetUtcNow() + InventoryFixture.ReservationTtl, reserved.ExpiresAt.ToDateTimeOffset());

        inventory.Clock.Advance(InventoryFixture.ReservationTtl - TimeSpan.FromSeconds(1));
        Assert.False(await ExpireOneAsync());
        inventory.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Single(await DatabaseFixture.AtOnceAsync(8, _ => ExpireOneAsync()), expired => expired);
        Assert.False(await ExpireOneAsync());
        await ReleaseAsync(order);
        Assert.Equal((10, 0, 0), await inventory.StockOfAsync(sku, Cancel));
        Assert.Equal(["inventory.v1.stock_reserved", "inventory.v1.stock_reservation_expired"], await EventsOfAsync(order));
    }

    [Fact]
    public async Task A_held_reservation_never_expires()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        var held = OrderId.New();
        var heldLater = OrderId.New();
        await ReserveAsync(held, (sku, 4));
        await ReserveAsync(heldLater, hold: false, (sku, 3));
        await HoldAsync(heldLater);
        inventory.Clock.Advance(TimeSpan.FromDays(30));
        await ExpireAllAsync();
        Assert.Equal((3, 7, 0), await inventory.StockOfAsync(sku, Cancel));
    }

    [Fact]
    public async Task A_commit_after_the_expiry_takes_the_stock_again_if_it_is_still_there()
    {
        var sku = await inventory.AddProductAsync(1, Cancel);
        var lucky = OrderId.New();
        await ReserveAsync(lucky, hold: false, (sku, 1));
        inventory.Clock.Advance(InventoryFixture.ReservationTtl);
        await ExpireAllAsync();
        Assert.Equal(Outcome.Done, (await CommitAsync(lucky)).Outcome);
        Assert.Equal((0, 0, 1), await inventory.StockOfAsync(sku, Cancel));

        var other = await inventory.AddProductAsync(1, Cancel);
        var late = OrderId.New();
        await ReserveAsync(late, hold: false, (other, 1));
        inventory.Clock.Advance(InventoryFixture.ReservationTtl);
        await ExpireAllAsync();
        await ReserveAsync(OrderId.New(), (other, 1));
        Assert.Equal(Outcome.OutOfStock, (await CommitAsync(late)).Outcome);
        Assert.Equal((0, 1, 0), await inventory.StockOfAsync(other, Cancel));
    }

    [Fact]
    public async Task Low_stock_is_told_when_the_threshold_is_crossed_and_not_again_below_it()
    {
        var sku = await inventory.AddProductAsync(8, Cancel);
        await ReserveAsync(OrderId.New(), (sku, 2));
        Assert.Empty(await EventsOfAsync(sku));
        await ReserveAsync(OrderId.New(), (sku, 2));
        await ReserveAsync(OrderId.New(), (sku, 1));
        await ReserveAsync(OrderId.New(), (sku, 9));
        Assert.Equal(["inventory.v1.low_stock"], await EventsOfAsync(sku));
    }

    [Fact]
    public async Task A_reservation_that_expires_has_a_durable_job_of_its_own_and_a_held_one_has_none()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        var (held, expiring) = (OrderId.New(), OrderId.New());
        await ReserveAsync(held, (sku, 1));
        var expiresAt = (await ReserveAsync(expiring, hold: false, (sku, 1))).ExpiresAt.ToDateTimeOffset();
        var names = inventory.Jobs.ReceivedCalls().Where(c => c.GetMethodInfo().Name == nameof(DaprJobsClient.ScheduleJobAsync))
            .ToDictionary(c => (string)c.GetArguments()[0]!, c => ((DaprJobSchedule)c.GetArguments()[1]!).ExpressionValue);
        Assert.DoesNotContain(ReservationExpiry.JobPrefix + held, names);
        Assert.InRange(DateTimeOffset.Parse(names[ReservationExpiry.JobPrefix + expiring], CultureInfo.InvariantCulture) - expiresAt, TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_job_that_comes_five_times_at_once_releases_once()
    {
        var sku = await inventory.AddProductAsync(10, Cancel);
        await ReserveAsync(OrderId.New(), hold: false, (sku, 4));
        inventory.Clock.Advance(InventoryFixture.ReservationTtl);
        var expiry = inventory.Services.GetRequiredService<ReservationExpiry>();
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => expiry.ExpireDueAsync(Cancel)));
        Assert.Equal((10, 0, 0), await inventory.StockOfAsync(sku, Cancel));
    }

    private Task<ReservationResult> ReserveAsync(OrderId order, params (string Sku, int Quantity)[] lines) => ReserveAsync(order, hold: true, lines);

    private Task<ReservationResult> ReserveAsync(OrderId order, bool hold, params (string Sku, int Quantity)[] lines) =>
        inventory.AsAsync<StockKeeper, ReservationResult>(
            keeper => keeper.ReserveAsync(order, [.. lines.Select(l => new StockLine { Sku = l.Sku, Quantity = l.Quantity })], hold, Cancel));

    private Task<ReservationResult> HoldAsync(OrderId order) => inventory.AsAsync<StockKeeper, ReservationResult>(keeper => keeper.HoldAsync(order, Cancel));

    private Task<ReservationResult> CommitAsync(OrderId order) => inventory.AsAsync<StockKeeper, ReservationResult>(keeper => keeper.CommitAsync(order, Cancel));

    private Task<ReservationResult> ReleaseAsync(OrderId order) => inventory.AsAsync<StockKeeper, ReservationResult>(keeper => keeper.ReleaseAsync(order, Cancel));

    private Task<ReservationResult> RestockAsync(OrderId order) => inventory.AsAsync<StockKeeper, ReservationResult>(keeper => keeper.RestockAsync(order, Cancel));

    private Task<bool> ExpireOneAsync() => inventory.AsAsync<StockKeeper, bool>(keeper => keeper.ExpireOneAsync(Cancel));

    private async Task ExpireAllAsync()
    {
        while (await ExpireOneAsync())
        {
        }
    }

    private Task<List<string>> EventsOfAsync(OrderId order) => EventsOfAsync(order.ToString());

    private Task<List<string>> EventsOfAsync(string key) =>
        inventory.AsAsync<InventoryDb, List<string>>(db =>
            db.Set<OutboxMessage>().AsNoTracking().Where(m => m.PartitionKey == key).OrderBy(m => m.Id).Select(m => m.Type).ToListAsync(Cancel));
}
