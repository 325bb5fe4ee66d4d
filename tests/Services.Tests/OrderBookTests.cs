using System.Text.Json;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Common;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.Domain;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using DaprPlatform.Workflows;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using OrderItem = DaprPlatform.Contracts.Orders.OrderItem;
using OrderMessage = DaprPlatform.Contracts.Orders.Order;

namespace DaprPlatform.Services.Tests;

public sealed class OrderBookTests(OrdersFixture orders) : IClassFixture<OrdersFixture>
{
    private readonly UserId _user = UserId.New();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_order_is_written_with_its_event()
    {
        var order = (await PlaceAsync(_user, 3)).Order;
        Assert.Equal(("PENDING", 1, 3 * 1599), (order.Status, order.Number, order.TotalMinor));
        Assert.Equal(["orders.v1.order_created"], await EventsOfAsync(order.Id));
        Assert.Equal(order.Id, (await GetAsync(_user, order.Id)).Id);
    }

    [Fact]
    public async Task An_order_keeps_the_mode_in_which_it_was_accepted_and_its_event_says_it()
    {
        var mode = orders.Services.GetRequiredService<OrderMode>();
        var orchestrated = (await PlaceAsync(_user, 1)).Order.Id;
        Assert.False(mode.TryTake("by-magic"));
        Assert.True(mode.TryTake(OrderModes.Choreographed));
        try
        {
            var choreographed = (await PlaceAsync(_user, 1)).Order.Id;
            // Beyond the threshold somebody has to approve, which takes a workflow.
            var threshold = orders.Services.GetRequiredService<ApprovalThreshold>();
            Assert.True(threshold.TryTake("1000"));
            var large = (await PlaceAsync(_user, 1)).Order.Id;
            Assert.True(threshold.TryTake("500000"));
            Assert.Equal(["orchestrated", "choreographed", "orchestrated"], await Task.WhenAll(ModeAsync(orchestrated), ModeAsync(choreographed), ModeAsync(large)));
        }
        finally
        {
            mode.TryTake(OrderModes.Orchestrated);
        }

        Task<string> ModeAsync(string order) => orders.AsAsync<OrdersDb, string>(async db =>
        {
            var data = await db.Set<OutboxMessage>().AsNoTracking().Where(m => m.PartitionKey == order && m.Topic == OrderCreated.Topic).Select(m => m.Data).SingleAsync(Cancel);
            return JsonSerializer.Deserialize<OrderCreated>(data, EventJson.Options)!.Mode;
        });
    }

    [Fact]
    public async Task An_order_with_an_unknown_product_is_refused_and_takes_no_number()
    {
        var problem = await RefusedAsync(() => PlaceAsync(_user, 1, sku: "NO-SUCH-SKU"));
        Assert.Equal((422, "unknown-product", "NO-SUCH-SKU"), (problem.Status, problem.Code, problem.Extensions["productIds"]));
        Assert.Equal(1, (await PlaceAsync(_user, 1)).Order.Number);
    }

    [Fact]
    public async Task Another_users_order_is_not_found()
    {
        var order = (await PlaceAsync(_user, 1)).Order.Id;
        var stranger = UserId.New();
        Assert.Equal((404, "order-not-found"), await ProblemOfAsync(() => GetAsync(stranger, order)));
        Assert.Equal((404, "order-not-found"), await ProblemOfAsync(() => CancelAsync(stranger, order)));
        Assert.Equal((404, "order-not-found"), await ProblemOfAsync(() => GetAsync(_user, OrderId.New().ToString())));
        Assert.Equal((404, "order-not-found"), await ProblemOfAsync(() => GetAsync(_user, "ORD-1")));
        Assert.Equal(0, (await ListAsync(stranger)).Page.Total);
        Assert.Equal([order], (await ListAsync(_user)).Orders.Select(o => o.Id));
        Assert.Equal(order, (await GetAsync(stranger, order, Roles.Operator)).Id);
    }

    [Fact]
    public async Task Who_is_not_signed_in_is_refused() =>
        Assert.Equal(401, (await RefusedAsync(() => orders.AsAsync<OrderBook, ListOrdersResponse>(book => book.ListOrdersAsync(new ListOrdersRequest(), Cancel)))).Status);

    [Fact]
    public async Task The_orders_of_a_user_are_numbered_without_gaps_however_they_arrive()
    {
        var other = UserId.New();
        var placed = await DatabaseFixture.AtOnceAsync(40, i => PlaceAsync(i % 2 == 0 ? _user : other, 1));
        foreach (var user in new[] { _user, other })
            Assert.Equal(Enumerable.Range(1, 20).Select(n => (long)n), placed.Where(p => p.Order.UserId == user.ToString()).Select(p => p.Order.Number).Order());
    }

    [Fact]
    public async Task A_repeated_order_with_the_same_key_gets_the_stored_answer()
    {
        var first = await PlaceAsync(_user, 2, "order-key");
        var again = await PlaceAsync(_user, 2, "order-key");
        Assert.False(first.Replayed);
        Assert.True(again.Replayed);
        Assert.Equal(first.Order, again.Order);
        Assert.Equal((422, "idempotency-key-reused"), await ProblemOfAsync(() => PlaceAsync(_user, 3, "order-key")));
        Assert.Equal(1, (await ListAsync(_user)).Page.Total);
        Assert.False((await PlaceAsync(UserId.New(), 3, "order-key")).Replayed);
    }

    [Fact]
    public async Task Who_waits_for_the_decision_is_told_it_and_a_repetition_is_the_same_order_whoever_waits()
    {
        var placed = await PlaceAsync(_user, 2, "awaited");
        Assert.Equal("PENDING", placed.Order.Status);
        var waiting = PlaceAsync(_user, 2, "awaited", waitSeconds: 30);
        await orders.AsAsync<IOrderLedger, bool>(ledger => ledger.ConfirmAsync(IdOf(placed), PaymentId.New().ToString(), Cancel));
        var told = await waiting;
        Assert.Equal((placed.Order.Id, "CONFIRMED", true), (told.Order.Id, told.Order.Status, told.Replayed));
        Assert.Equal(["PENDING", "CONFIRMED"], told.Order.History.Select(h => h.Status));
        Assert.Equal("PENDING", (await PlaceAsync(_user, 2, "awaited")).Order.Status);
        Assert.Equal(1, (await ListAsync(_user)).Page.Total);
    }

    [Fact]
    public async Task Who_waits_for_less_time_than_the_decision_takes_is_told_that_the_order_is_accepted()
    {
        var waiting = PlaceAsync(_user, 1, waitSeconds: 1);
        await orders.Clock.WaitedForAsync(TimeSpan.FromSeconds(1));
        orders.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(("PENDING", 1), ((await waiting).Order.Status, (await ListAsync(_user)).Page.Total));
    }

    [Fact]
    public async Task A_price_told_a_moment_ago_is_not_asked_for_again_and_a_new_one_counts_within_a_second()
    {
        orders.Clock.Advance(RecentPrices.MaxAge);
        var asked = orders.Prices.Questions;
        orders.Prices.PriceMinor = 1700;
        try
        {
            Assert.Equal(1700, (await PlaceAsync(_user, 1)).Order.TotalMinor);
            orders.Prices.PriceMinor = 1800;
            orders.Clock.Advance(RecentPrices.MaxAge - TimeSpan.FromTicks(1));
            Assert.Equal(1700, (await PlaceAsync(_user, 1)).Order.TotalMinor);
            Assert.Equal(asked + 1, orders.Prices.Questions);
            orders.Clock.Advance(TimeSpan.FromTicks(1));
            Assert.Equal(1800, (await PlaceAsync(_user, 1)).Order.TotalMinor);
            Assert.Equal(asked + 2, orders.Prices.Questions);
        }
        finally
        {
            orders.Prices.PriceMinor = PriceList.Price;
            orders.Clock.Advance(RecentPrices.MaxAge);
        }
    }

    [Fact]
    public async Task Fifty_orders_at_once_with_the_same_key_are_one_and_leave_no_gap()
    {
        var answers = await DatabaseFixture.AtOnceAsync(50, _ => PlaceAsync(_user, 1, "at-once"));
        var id = Assert.Single(answers.Select(a => a.Order.Id).Distinct());
        Assert.Single(answers, a => !a.Replayed);
        Assert.Equal(["orders.v1.order_created"], await EventsOfAsync(id));
        Assert.Equal(1, (await ListAsync(_user)).Page.Total);
        Assert.Equal(2, (await PlaceAsync(_user, 1)).Order.Number);
    }

    [Fact]
    public async Task An_illegal_move_is_refused_and_publishes_nothing()
    {
        var order = (await PlaceAsync(_user, 1)).Order.Id;
        foreach (var status in new[] { "PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED", "CANCELLED" })
            Assert.Equal((409, "illegal-transition"), await ProblemOfAsync(() => MoveAsync(order, status)));
        Assert.Equal(400, (await RefusedAsync(() => MoveAsync(order, "LOST"))).Status);
        Assert.Equal(403, (await RefusedAsync(() => MoveAsync(order, "PROCESSING", Roles.Customer))).Status);
        Assert.Equal("PENDING", (await GetAsync(_user, order)).Status);
        Assert.Equal(["orders.v1.order_created"], await EventsOfAsync(order));
    }

    [Fact]
    public async Task An_operator_moves_a_confirmed_order_to_delivered_and_each_step_is_published()
    {
        var order = await ConfirmedAsync();
        Assert.Equal((409, "illegal-transition"), await ProblemOfAsync(() => MoveAsync(order, "DELIVERED")));
        foreach (var status in new[] { "PROCESSING", "SHIPPED", "DELIVERED" })
            Assert.Equal(status, (await MoveAsync(order, status)).Status);
        Assert.Equal((409, "order-not-cancellable"), await ProblemOfAsync(() => CancelAsync(_user, order)));
        Assert.Equal(
            ["orders.v1.order_created", "orders.v1.processing", "orders.v1.shipped", "orders.v1.delivered"], await EventsOfAsync(order));
        Assert.Equal(
            ["PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED"], (await GetAsync(_user, order)).History.Select(h => h.Status));
    }

    [Fact]
    public async Task Of_ten_operators_who_make_the_same_move_one_makes_it()
    {
        var order = await ConfirmedAsync();
        var problems = await DatabaseFixture.AtOnceAsync(10, _ => ProblemOfAsync(() => MoveAsync(order, "PROCESSING")));
        Assert.Single(problems, p => p is null);
        Assert.All(problems.Where(p => p is not null), p => Assert.Equal((409, "illegal-transition"), p));
        Assert.Equal(["orders.v1.order_created", "orders.v1.processing"], await EventsOfAsync(order));
    }

    [Fact]
    public async Task A_cancellation_is_durable_before_anybody_is_told()
    {
        var order = (await PlaceAsync(_user, 1)).Order.Id;
        await CancelAsync(_user, order);
        Assert.True(OrderId.TryParse(order, out var id));
        Assert.NotNull(await orders.AsAsync<OrdersDb, DateTimeOffset?>(
            db => db.Orders.Where(o => o.Id == id.Value).Select(o => o.CancelRequestedAt).SingleAsync(Cancel)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("created_at")]
    [InlineData("total")]
    [InlineData("-total")]
    public async Task Pages_by_cursor_hold_every_order_once_in_the_order_asked_for(string sort)
    {
        long[] quantities = [3, 1, 2, 1, 3];
        foreach (var quantity in quantities)
            await PlaceAsync(_user, quantity);
        var seen = new List<OrderMessage>();
        var cursor = "";
        do
        {
            var page = await ListAsync(_user, new ListOrdersRequest { Sort = sort, Page = new PageRequest { Limit = 2, Cursor = cursor } });
            Assert.Equal(5, page.Page.Total);
            seen.AddRange(page.Orders);
            cursor = page.Page.NextCursor;
        }
        while (cursor.Length > 0);
        Assert.Equal(5, seen.Select(o => o.Id).Distinct().Count());
        Assert.Equal(
            sort switch
            {
                "total" => [1599, 1599, 3198, 4797, 4797],
                "-total" => [4797, 4797, 3198, 1599, 1599],
                "created_at" => quantities.Select(q => q * 1599),
                _ => quantities.Reverse().Select(q => q * 1599),
            },
            seen.Select(o => o.TotalMinor));
    }

    [Fact]
    public async Task A_page_cannot_be_asked_for_by_an_unknown_order_or_a_foreign_cursor()
    {
        Assert.Equal(400, (await RefusedAsync(() => ListAsync(_user, new ListOrdersRequest { Sort = "colour" }))).Status);
        Assert.Equal(400, (await RefusedAsync(() => ListAsync(_user, new ListOrdersRequest { Page = new PageRequest { Cursor = "Zm9v" } }))).Status);
        Assert.Equal(400, (await RefusedAsync(() => ListAsync(_user, new ListOrdersRequest { Sort = "total", Page = new PageRequest { Cursor = "Zm9v" } }))).Status);
    }

    [Fact]
    public async Task Refunds_are_noted_at_the_order_however_often_and_in_which_order_they_are_told()
    {
        var order = (await PlaceAsync(_user, 1)).Order.Id;
        foreach (var (amount, total) in new (long, long)[] { (500, 500), (99, 599), (500, 500), (99, 599) })
            await orders.AsAsync<PaymentRefundedHandler, EventOutcome>(handler => handler.HandleAsync(
                new PaymentRefunded(order, "PAY-1", "REF-1", _user.ToString(), amount, total, "USD", null, orders.Clock.GetUtcNow()), new EventContext("1", "", ""), Cancel));
        Assert.Equal(599, (await GetAsync(_user, order)).RefundedMinor);
    }

    /// <summary>As the workflow does it.</summary>
    private async Task<string> ConfirmedAsync()
    {
        var order = (await PlaceAsync(_user, 1)).Order.Id;
        Assert.True(OrderId.TryParse(order, out var id));
        return await orders.AsAsync<OrdersDb, string>(async db =>
        {
            Assert.True((await db.Orders.SingleAsync(o => o.Id == id.Value, Cancel)).TryConfirm(PaymentId.New(), orders.Clock.GetUtcNow()));
            await db.SaveChangesAsync(Cancel);
            return order;
        });
    }

    private static OrderId IdOf(PlaceOrderResponse placed)
    {
        Assert.True(OrderId.TryParse(placed.Order.Id, out var id));
        return id;
    }

    private Task<PlaceOrderResponse> PlaceAsync(UserId user, long quantity, string key = "", string sku = OrdersFixture.Sku, int waitSeconds = 0)
    {
        var request = new PlaceOrderRequest { ShippingAddress = "12 St James Square", IdempotencyKey = key, WaitSeconds = waitSeconds };
        request.Items.Add(new OrderItem { ProductId = sku, Quantity = quantity });
        return orders.AsAsync<OrderBook, PlaceOrderResponse>(user, book => book.PlaceOrderAsync(request, Cancel));
    }

    private Task<OrderMessage> GetAsync(UserId user, string order, string role = Roles.Customer) =>
        orders.AsAsync<OrderBook, OrderMessage>(user, book => book.GetOrderAsync(new GetOrderRequest { OrderId = order }, Cancel), role);

    private Task<ListOrdersResponse> ListAsync(UserId user, ListOrdersRequest? request = null) =>
        orders.AsAsync<OrderBook, ListOrdersResponse>(user, book => book.ListOrdersAsync(request ?? new ListOrdersRequest(), Cancel));

    private Task<OrderMessage> CancelAsync(UserId user, string order) =>
        orders.AsAsync<OrderBook, OrderMessage>(user, book => book.CancelOrderAsync(new CancelOrderRequest { OrderId = order }, Cancel));

    private Task<OrderMessage> MoveAsync(string order, string status, string role = Roles.Operator) =>
        orders.AsAsync<OrderBook, OrderMessage>(_user, book => book.UpdateStatusAsync(new UpdateStatusRequest { OrderId = order, Status = status }, Cancel), role);

    private Task<List<string>> EventsOfAsync(string order) =>
        orders.AsAsync<OrdersDb, List<string>>(db =>
            db.Set<OutboxMessage>().AsNoTracking().Where(m => m.PartitionKey == order).OrderBy(m => m.Id).Select(m => m.Type).ToListAsync(Cancel));

    private static Task<ProblemException> RefusedAsync(Func<Task> call) => Assert.ThrowsAsync<ProblemException>(call);

    private static async Task<(int Status, string Code)?> ProblemOfAsync(Func<Task> call)
    {
        try
        {
            await call();
            return null;
        }
        catch (ProblemException e)
        {
            return (e.Status, e.Code);
        }
    }
}
