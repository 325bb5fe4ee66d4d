using DaprPlatform.Contracts;
using DaprPlatform.Orders.Domain;
using DaprPlatform.ServiceDefaults.Problems;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>Whatever is done to an order in whatever order, what it is and what it was stay true.</summary>
public sealed class MachineTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void The_history_of_an_order_is_a_walk_of_the_machine() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Walks(), walk =>
        {
            var order = Walk(walk);
            var history = order.History.Select(h => h.Status).ToArray();
            Assert.Equal(OrderStatus.Pending, history[0]);
            Assert.Equal(order.Status, history[^1]);
            Assert.Equal(Enumerable.Range(1, history.Length), order.History.Select(h => h.Position));
            for (var i = 1; i < history.Length; i++)
                Assert.True(OrderStatusMachine.CanMove(history[i - 1], history[i]));
        }));

    [Fact]
    public void An_order_whose_cancellation_was_accepted_is_never_confirmed_or_shipped_afterwards() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Walks(), walk =>
        {
            var order = Walk(walk);
            if (order.CancelRequestedAt is { } at)
                Assert.All(order.History.Where(h => h.At > at), h => Assert.Equal(OrderStatus.Cancelled, h.Status));
        }));

    [Fact]
    public void What_has_ended_stays_ended() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Walks(), walk =>
        {
            var order = Walk(walk);
            if (order.Status is not (OrderStatus.Cancelled or OrderStatus.Delivered))
                return;
            var length = order.HistoryLength;
            foreach (var step in Enumerable.Range(0, Steps))
                Do(order, step, Start.AddDays(1));
            Assert.Equal(length, order.HistoryLength);
        }));

    [Fact]
    public void No_status_can_be_reached_again_and_cancelled_only_before_shipment() =>
        Assert.All(Enum.GetValues<OrderStatus>(), from => Assert.All(Enum.GetValues<OrderStatus>(), to =>
        {
            if (OrderStatusMachine.CanMove(from, to))
                Assert.True(to == OrderStatus.Cancelled ? from < OrderStatus.Shipped : to == from + 1);
        }));

    private const int Steps = 6;

    private static Arbitrary<int[]> Walks() => Gen.Choose(0, Steps - 1).ArrayOf(12).ToArbitrary();

    private static Order Walk(int[] steps)
    {
        var order = new Order
        {
            Id = OrderId.New().Value,
            UserId = Guid.NewGuid(),
            Number = 1,
            Currency = "USD",
            TotalMinor = 1,
            ShippingAddress = "",
            PaymentMethod = "",
            PaymentToken = "",
            CreatedAt = Start,
        };
        order.Accept();
        for (var i = 0; i < steps.Length; i++)
            Do(order, steps[i], Start.AddMinutes(i + 1));
        return order;
    }

    // A refusal is an answer; anything else that is thrown fails the test.
    private static void Do(Order order, int step, DateTimeOffset now)
    {
        try
        {
            switch (step)
            {
                case 0:
                    order.TryConfirm(PaymentId.New(), now);
                    break;
                case 1 when order.IsCancellable:
                    order.TryCancel(CancelReasons.CancelledByCustomer, "", now);
                    break;
                case 2:
                    order.RequestCancellation(now);
                    break;
                case 3:
                    order.MoveTo(OrderStatus.Processing, now);
                    break;
                case 4:
                    order.MoveTo(OrderStatus.Shipped, now);
                    break;
                case 5:
                    order.MoveTo(OrderStatus.Delivered, now);
                    break;
            }
        }
        catch (ProblemException e) when (e.Status == 409)
        {
        }
    }
}
