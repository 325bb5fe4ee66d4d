using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Common;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Inventory.Data;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.Domain;
using DaprPlatform.Payments.Data;
using DaprPlatform.Payments.Domain;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using DaprPlatform.Workflows;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Order = DaprPlatform.Orders.Domain.Order;

namespace DaprPlatform.Services.Tests;

/// <summary>
/// The workflow of an order with its real activities on the databases of orders, inventory and payments, and a fault, passing or lasting, before or behind the
/// effect, at each of them: whatever happens, the order is decided, and its stock and its money are where that says.
/// </summary>
public sealed class SagaTests(OrdersFixture orders, InventoryFixture inventory, PaymentsFixture payments)
    : IClassFixture<OrdersFixture>, IClassFixture<InventoryFixture>, IClassFixture<PaymentsFixture>
{
    private const int Few = 2;
    // Above the threshold of the fixture.
    private const int Many = 100;
    private static readonly string[] Forward = ["ValidateOrder", "ReserveStock", "HoldStock", "AuthorizePayment", "CommitStock", "ConfirmOrder"];
    private static readonly string[] Backward = ["Restock", "RefundPayment", "ReleaseStock", "MarkCancelled"];
    private static readonly Fault[] Faults = [Fault.OnceBefore, Fault.OnceAfter, Fault.AlwaysBefore, Fault.AlwaysAfter];
    private readonly UserId _user = UserId.New();

    public static TheoryData<string, Fault> ForwardFaults => [.. from step in Forward from fault in Faults select (step, fault)];

    public static TheoryData<string, Fault> BackwardFaults => [.. from step in Backward from fault in Faults select (step, fault)];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(ForwardFaults))]
    public async Task A_fault_on_the_way_forward_ends_in_a_consistent_state(string step, Fault fault)
    {
        var order = await PlaceAsync(step == "HoldStock" ? Many : Few);
        var before = await StockAsync();
        var result = await RunAsync(order, (step, fault));
        Assert.Equal(fault is Fault.OnceBefore or Fault.OnceAfter ? OrderResult.Confirmed : OrderResult.Cancelled, result.Status);
        await AssertConsistentAsync(order, before, result);
    }

    [Theory]
    [MemberData(nameof(BackwardFaults))]
    public async Task A_fault_on_the_way_back_ends_in_a_consistent_state_or_calls_for_somebody(string step, Fault fault)
    {
        var order = await PlaceAsync(Few);
        var before = await StockAsync();
        var lasts = fault is Fault.AlwaysBefore or Fault.AlwaysAfter;
        // The last step fails for good, so that everything has to be undone.
        (string, Fault)[] faults = [("ConfirmOrder", Fault.AlwaysBefore), (step, fault)];
        if (step == "MarkCancelled" && lasts)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => RunAsync(order, faults));
            // What the sweep does with an order that is pending and whose workflow has ended.
            if ((await OrderAsync(order)).Status == OrderStatus.Pending)
                Assert.Equal(OrderResult.Cancelled, (await RunAsync(order)).Status);
            await AssertConsistentAsync(order, before, new OrderResult(OrderResult.Cancelled));
            return;
        }
        var result = await RunAsync(order, faults);
        Assert.Equal(lasts ? OrderResult.CompensationFailed : OrderResult.Cancelled, result.Status);
        await AssertConsistentAsync(order, before, result, stuck: fault == Fault.AlwaysBefore ? step : null);
    }

    [Fact]
    public async Task Money_that_comes_while_an_order_is_given_up_goes_back_whoever_is_first()
    {
        // More than there is: given up before its workflow gets to the payment.
        var placed = new List<OrderId>();
        for (var i = 0; i < 12; i++)
            placed.Add(await PlaceAsync(Few, OrdersFixture.OtherSku));
        await DatabaseFixture.AtOnceAsync(24, async i =>
        {
            if (i % 2 == 0)
                await RunAsync(placed[i / 2]);
            else
                await PayAsync(placed[i / 2], PriceList.Price * Few);
            return 0;
        });
        foreach (var order in placed)
        {
            Assert.Equal(OrderStatus.Cancelled, (await OrderAsync(order)).Status);
            // The event of the payment, at last and twice.
            for (var i = 0; i < 2; i++)
                await PaymentToldAsync(order);
            Assert.All(await PaymentsAsync(order), p => Assert.Equal(p.AmountMinor, p.RefundedMinor));
            Assert.Equal("order-not-payable", await PayAsync(order, PriceList.Price * Few));
        }
    }

    [Fact]
    public async Task A_payment_made_behind_the_cancellation_of_an_order_refunds_itself()
    {
        var order = await PlaceAsync(Few);
        await orders.AsAsync<IOrderLedger, int>(async ledger =>
        {
            await ledger.CancelAsync(order, CancelReasons.OutOfStock, [], Cancel);
            return 0;
        });
        Assert.Null(await PayAsync(order, PriceList.Price * Few));
        await PaymentToldAsync(order);
        var payment = Assert.Single(await PaymentsAsync(order));
        Assert.Equal((PaymentStatus.Refunded, PriceList.Price * Few), (payment.Status, payment.RefundedMinor));
    }

    private async Task AssertConsistentAsync(OrderId id, (long Available, long Reserved, long Sold) before, OrderResult result, string? stuck = null)
    {
        var (order, paid, stock) = (await OrderAsync(id), await PaymentsAsync(id), await StockAsync());
        var quantity = order.Lines.Sum(l => l.Quantity);
        if (result.Status == OrderResult.Confirmed)
        {
            Assert.Equal(OrderStatus.Confirmed, order.Status);
            Assert.Equal((before.Available - quantity, before.Reserved, before.Sold + quantity), stock);
            Assert.Equal((PaymentStatus.Completed, order.TotalMinor, 0L), Assert.Single(paid.Select(p => (p.Status, p.AmountMinor, p.RefundedMinor))));
            return;
        }
        Assert.Equal(OrderStatus.Cancelled, order.Status);
        // A compensation that never ran leaves exactly its own part behind; everything else is undone.
        Assert.Equal(stuck is "Restock" ? (before.Available - quantity, before.Reserved, before.Sold + quantity) : before, stock);
        Assert.Equal(stuck is "RefundPayment" ? order.TotalMinor : 0, paid.Sum(p => p.AmountMinor - p.RefundedMinor));
        var alerts = result.Status == OrderResult.CompensationFailed ? 1 : 0;
        Assert.Equal(alerts, (await EventsAsync(id)).Count(e => e == "orders.v1.compensation_failed"));
        Assert.Equal(1, (await EventsAsync(id)).Count(e => e == "orders.v1.cancelled"));
        Assert.Equal(alerts == 1, order.Reason == CancelReasons.CompensationFailed && order.Attention.Length > 0);
    }

    private Task<OrderResult> RunAsync(OrderId order, params (string, Fault)[] faults)
    {
        var activities = new ServiceCollection()
            .AddSingleton<Stock.StockClient>(new LocalStock(inventory))
            .AddSingleton<Charges.ChargesClient>(new LocalCharges(payments))
            .AddScoped(_ => orders.Services.CreateScope().ServiceProvider.GetRequiredService<IOrderLedger>())
            .BuildServiceProvider();
        var context = new LocalWorkflow(LocalWorkflow.From(activities), faults).Raise(OrderEvents.Approval, new ApprovalDecision(Approved: true));
        return new OrderWorkflow().RunAsync(context, new OrderPlaced(order.ToString()));
    }

    private async Task<OrderId> PlaceAsync(int quantity, string sku = OrdersFixture.Sku)
    {
        await inventory.StockProductAsync(OrdersFixture.Sku, 1_000_000, Cancel);
        var request = new PlaceOrderRequest { ShippingAddress = "12 St James Square", PaymentToken = "tok_approve" };
        request.Items.Add(new OrderItem { ProductId = sku, Quantity = quantity });
        return LocalCall.Parse((await orders.AsAsync<OrderBook, PlaceOrderResponse>(_user, book => book.PlaceOrderAsync(request, Cancel))).Order.Id);
    }

    /// <summary>As a customer does it by hand; null, or why it was refused.</summary>
    private async Task<string?> PayAsync(OrderId order, long amount)
    {
        var request = new PayRequest { OrderId = order.ToString(), Amount = new MoneyValue { Minor = amount, Currency = "USD" }, Token = "tok_approve" };
        try
        {
            await payments.AsAsync<CashDesk, PayResponse>(_user, desk => desk.PayAsync(request, Cancel));
            return null;
        }
        catch (ProblemException e)
        {
            return e.Code;
        }
    }

    private async Task PaymentToldAsync(OrderId order)
    {
        foreach (var payment in (await PaymentsAsync(order)).Where(p => p.AmountMinor > 0))
        {
            var told = new PaymentProcessed(
                order.ToString(), new PaymentId(payment.Id).ToString(), _user.ToString(), true, null, payment.AmountMinor, payment.Currency, orders.Clock.GetUtcNow());
            await orders.AsAsync<IServiceProvider, int>(async provider =>
            {
                var chain = new OrderChain(provider.GetRequiredService<IOrderLedger>(), new LocalStock(inventory), provider.GetRequiredService<WorkflowStarter>());
                var handler = new PaymentProcessedHandler(provider.GetRequiredService<OrdersDb>(), new LocalCharges(payments), chain);
                await handler.HandleAsync([new DeliveredEvent<PaymentProcessed>(told, new EventContext("1", told.CloudEventType, "payments"))], Cancel);
                return 0;
            });
        }
    }

    private Task<Order> OrderAsync(OrderId id) =>
        orders.AsAsync<OrdersDb, Order>(db => db.Orders.AsNoTracking().Include(o => o.Lines).SingleAsync(o => o.Id == id.Value, Cancel));

    private Task<List<PaymentRow>> PaymentsAsync(OrderId id) =>
        payments.AsAsync<PaymentsDb, List<PaymentRow>>(db => db.Payments.AsNoTracking().Where(p => p.OrderId == id.Value && p.Status != PaymentStatus.Voided).ToListAsync(Cancel));

    private Task<(long Available, long Reserved, long Sold)> StockAsync() => inventory.StockOfAsync(OrdersFixture.Sku, Cancel);

    private Task<List<string>> EventsAsync(OrderId id) =>
        orders.AsAsync<OrdersDb, List<string>>(db => db.Set<OutboxMessage>().AsNoTracking().Where(m => m.PartitionKey == id.ToString()).Select(m => m.Type).ToListAsync(Cancel));
}
