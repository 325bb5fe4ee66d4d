using DaprPlatform.Contracts;
using DaprPlatform.Orders.Domain;
using DaprPlatform.ServiceDefaults.Problems;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class OrderTests
{
    private static readonly DateTimeOffset Now = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void An_order_goes_from_pending_to_delivered_and_keeps_its_history()
    {
        var order = Accepted();
        Assert.True(order.TryConfirm(PaymentId.New(), Now));
        order.MoveTo(OrderStatus.Processing, Now);
        order.MoveTo(OrderStatus.Shipped, Now);
        order.MoveTo(OrderStatus.Delivered, Now);
        Assert.Equal(
            [OrderStatus.Pending, OrderStatus.Confirmed, OrderStatus.Processing, OrderStatus.Shipped, OrderStatus.Delivered], order.History.Select(h => h.Status));
        Assert.Equal([1, 2, 3, 4, 5], order.History.Select(h => h.Position));
    }

    [Theory]
    [InlineData(false, "SHIPPED")]
    [InlineData(false, "PROCESSING")]
    [InlineData(true, "DELIVERED")]
    [InlineData(true, "PENDING")]
    [InlineData(true, "CANCELLED")]
    public void An_illegal_move_is_refused_and_changes_nothing(bool confirmed, string to)
    {
        var order = Accepted();
        if (confirmed)
            order.TryConfirm(null, Now);
        Assert.True(OrderStatusMachine.TryParse(to, out var status));
        var before = order.Status;
        Assert.Equal("illegal-transition", Assert.Throws<ProblemException>(() => order.MoveTo(status, Now)).Code);
        Assert.Equal(before, order.Status);
    }

    [Fact]
    public void A_requested_cancellation_comes_before_confirmation_and_shipment()
    {
        var pending = Accepted();
        pending.RequestCancellation(Now);
        Assert.False(pending.TryConfirm(null, Now));

        var confirmed = Accepted();
        confirmed.TryConfirm(null, Now);
        confirmed.RequestCancellation(Now);
        Assert.Throws<ProblemException>(() => confirmed.MoveTo(OrderStatus.Processing, Now));
    }

    [Fact]
    public void Confirming_and_cancelling_twice_is_once()
    {
        var order = Accepted();
        Assert.True(order.TryConfirm(null, Now));
        Assert.True(order.TryConfirm(null, Now));
        Assert.True(order.TryCancel(CancelReasons.CancelledByCustomer, "", Now));
        Assert.False(order.TryCancel(CancelReasons.CancelledByCustomer, "", Now));
        Assert.Equal(3, order.History.Count);
        Assert.False(order.TryConfirm(null, Now));
    }

    [Fact]
    public void A_shipped_order_cannot_be_cancelled()
    {
        var order = Accepted();
        order.TryConfirm(null, Now);
        order.MoveTo(OrderStatus.Processing, Now);
        order.MoveTo(OrderStatus.Shipped, Now);
        Assert.Equal(409, Assert.Throws<ProblemException>(() => order.RequestCancellation(Now)).Status);
    }

    [Fact]
    public void Only_an_order_that_waits_for_approval_can_be_decided()
    {
        var order = Accepted();
        Assert.Throws<ProblemException>(() => order.DecideApproval(true));
        order.RequestApproval();
        order.DecideApproval(true);
        order.DecideApproval(true);
        Assert.Throws<ProblemException>(() => order.DecideApproval(false));
    }

    private static Order Accepted()
    {
        var order = new Order
        {
            Id = Guid.NewGuid(),
            UserId = Guid.NewGuid(),
            Number = 1,
            Currency = "USD",
            TotalMinor = 100,
            ShippingAddress = "12 St James Square",
            PaymentMethod = "CREDIT_CARD",
            PaymentToken = "tok_approve",
            CreatedAt = Now,
        };
        order.Accept();
        return order;
    }
}
