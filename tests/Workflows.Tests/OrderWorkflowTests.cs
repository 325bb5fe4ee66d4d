using DaprPlatform.Contracts;
using Xunit;

namespace DaprPlatform.Workflows.Tests;

public sealed class OrderWorkflowTests
{
    private static readonly string[] HappyPath = ["ValidateOrder", "ReserveStock", "AuthorizePayment", "CommitStock", "ConfirmOrder"];
    private readonly FakeContext _context = new FakeContext()
        .Answer("ValidateOrder", new Validation())
        .Answer("AuthorizePayment", new StepResult(Detail: "PAY-1"));

    private Task<OrderResult> RunAsync() => new OrderWorkflow().RunAsync(_context, new OrderPlaced("ORD-1"));

    [Fact]
    public async Task An_order_in_order_is_confirmed_by_five_steps()
    {
        var result = await RunAsync();
        Assert.Equal(OrderResult.Confirmed, result.Status);
        Assert.Equal(HappyPath, _context.Calls);
        Assert.Equal(HappyPath, _context.Statuses);
        Assert.Equal(new ReserveInput("ORD-1", Hold: true), _context.Inputs["ReserveStock"]);
        Assert.Equal(new ConfirmInput("ORD-1", "PAY-1"), _context.Inputs["ConfirmOrder"]);
    }

    [Fact]
    public async Task An_order_that_was_decided_before_is_left_alone()
    {
        _context.Answer("ValidateOrder", new Validation(AlreadyDecided: true));
        Assert.Equal(OrderResult.AlreadyDecided, (await RunAsync()).Status);
        Assert.Equal(["ValidateOrder"], _context.Calls);
    }

    [Theory]
    [InlineData("ReserveStock", CancelReasons.OutOfStock, new[] { "RefundPayment", "ReleaseStock", "MarkCancelled" })]
    [InlineData("AuthorizePayment", CancelReasons.PaymentDeclined, new[] { "RefundPayment", "ReleaseStock", "MarkCancelled" })]
    [InlineData("CommitStock", CancelReasons.OutOfStock, new[] { "Restock", "RefundPayment", "ReleaseStock", "MarkCancelled" })]
    [InlineData("ConfirmOrder", CancelReasons.CancelledByCustomer, new[] { "Restock", "RefundPayment", "ReleaseStock", "MarkCancelled" })]
    public async Task A_refusal_undoes_the_steps_begun_in_reverse(string step, string reason, string[] compensations)
    {
        _context.Answer(step, new StepResult(reason));
        var result = await RunAsync();
        Assert.Equal(new OrderResult(OrderResult.Cancelled, reason), result);
        Assert.Equal(compensations, _context.Calls.SkipWhile(c => c != step).Skip(1));
        Assert.Equal(reason, Assert.IsType<MarkCancelledInput>(_context.Inputs["MarkCancelled"]).Reason);
    }

    [Theory]
    [InlineData("ValidateOrder", 1)]
    [InlineData("ReserveStock", 2)]
    [InlineData("AuthorizePayment", 2)]
    [InlineData("CommitStock", 3)]
    [InlineData("ConfirmOrder", 3)]
    public async Task A_step_that_fails_for_good_is_undone_too(string step, int compensations)
    {
        _context.Fail(step);
        var result = await RunAsync();
        Assert.Equal(new OrderResult(OrderResult.Cancelled, CancelReasons.StepFailed), result);
        Assert.Equal(compensations, _context.Calls.Count(c => c is "ReleaseStock" or "RefundPayment" or "Restock"));
        Assert.Equal("MarkCancelled", _context.Calls[^1]);
    }

    [Fact]
    public async Task A_compensation_that_fails_does_not_stop_the_others_and_is_told()
    {
        _context.Answer("CommitStock", new StepResult(CancelReasons.OutOfStock)).Fail("RefundPayment");
        var result = await RunAsync();
        Assert.Equal(OrderResult.CompensationFailed, result.Status);
        Assert.Equal(["RefundPayment: RefundPayment is broken"], result.Failures);
        Assert.Equal(["Restock", "RefundPayment", "ReleaseStock", "MarkCancelled"], _context.Calls[4..]);
        var marked = Assert.IsType<MarkCancelledInput>(_context.Inputs["MarkCancelled"]);
        Assert.Equal(CancelReasons.CompensationFailed, marked.Reason);
        Assert.Single(marked.Failures);
    }

    [Fact]
    public async Task A_cancellation_before_anything_reserves_nothing()
    {
        _context.Raise(OrderEvents.Cancel, new CancelRequested(CancelReasons.CancelledByCustomer));
        Assert.Equal(new OrderResult(OrderResult.Cancelled, CancelReasons.CancelledByCustomer), await RunAsync());
        // Nobody may pay for it any more, whichever way.
        Assert.Equal(["RefundPayment", "MarkCancelled"], _context.Calls);
    }

    [Theory]
    [InlineData("ReserveStock", new[] { "RefundPayment", "ReleaseStock", "MarkCancelled" })]
    [InlineData("AuthorizePayment", new[] { "RefundPayment", "ReleaseStock", "MarkCancelled" })]
    [InlineData("CommitStock", new[] { "Restock", "RefundPayment", "ReleaseStock", "MarkCancelled" })]
    public async Task A_cancellation_wins_over_a_step_that_is_still_tried(string step, string[] compensations)
    {
        _context.Hang(step);
        var running = RunAsync();
        Assert.False(running.IsCompleted);
        _context.Raise(OrderEvents.Cancel, new CancelRequested(CancelReasons.CancelledByCustomer));
        Assert.Equal(CancelReasons.CancelledByCustomer, (await running).Reason);
        Assert.Equal(compensations, _context.Calls.SkipWhile(c => c != step).Skip(1));
    }

    [Fact]
    public async Task A_cancellation_during_a_step_is_taken_before_the_next()
    {
        _context.RaiseDuring("AuthorizePayment", OrderEvents.Cancel, new CancelRequested(CancelReasons.CancelledByCustomer), new StepResult(Detail: "PAY-1"));
        await RunAsync();
        Assert.DoesNotContain("ConfirmOrder", _context.Calls);
        Assert.Equal("MarkCancelled", _context.Calls[^1]);
        Assert.Contains("RefundPayment", _context.Calls);
    }

    [Fact]
    public async Task A_large_order_waits_for_approval_and_holds_its_stock_before_paying()
    {
        _context.Answer("ValidateOrder", new Validation(ApprovalTimeoutSeconds: 600));
        var running = RunAsync();
        Assert.False(running.IsCompleted);
        Assert.Equal("AwaitApproval", _context.Statuses[^1]);
        Assert.Equal(new ReserveInput("ORD-1", Hold: false), _context.Inputs["ReserveStock"]);
        _context.Raise(OrderEvents.Approval, new ApprovalDecision(Approved: true));
        Assert.Equal(OrderResult.Confirmed, (await running).Status);
        Assert.Equal(["ValidateOrder", "ReserveStock", "HoldStock", "AuthorizePayment", "CommitStock", "ConfirmOrder"], _context.Calls);
        Assert.True(_context.TimerWasCancelled);
    }

    [Fact]
    public async Task A_large_order_that_is_rejected_releases_its_stock()
    {
        _context.Answer("ValidateOrder", new Validation(ApprovalTimeoutSeconds: 600));
        var running = RunAsync();
        _context.Raise(OrderEvents.Approval, new ApprovalDecision(Approved: false));
        Assert.Equal(CancelReasons.ApprovalRejected, (await running).Reason);
        Assert.Equal(["ValidateOrder", "ReserveStock", "RefundPayment", "ReleaseStock", "MarkCancelled"], _context.Calls);
    }

    [Fact]
    public async Task A_large_order_that_nobody_decides_lapses()
    {
        _context.Answer("ValidateOrder", new Validation(ApprovalTimeoutSeconds: 600));
        var running = RunAsync();
        _context.Timer.SetResult();
        Assert.Equal(CancelReasons.ApprovalTimeout, (await running).Reason);
        Assert.Equal(["ReleaseStock", "MarkCancelled"], _context.Calls[^2..]);
    }

    [Fact]
    public async Task A_large_order_may_be_cancelled_while_it_waits()
    {
        _context.Answer("ValidateOrder", new Validation(ApprovalTimeoutSeconds: 600));
        var running = RunAsync();
        _context.Raise(OrderEvents.Cancel, new CancelRequested(CancelReasons.CancelledByCustomer));
        Assert.Equal(CancelReasons.CancelledByCustomer, (await running).Reason);
        Assert.True(_context.TimerWasCancelled);
    }

    [Fact]
    public async Task Stock_that_was_lost_while_waiting_for_approval_is_out_of_stock_before_any_payment()
    {
        _context.Answer("ValidateOrder", new Validation(ApprovalTimeoutSeconds: 600)).Answer("HoldStock", new StepResult(CancelReasons.OutOfStock));
        var running = RunAsync();
        _context.Raise(OrderEvents.Approval, new ApprovalDecision(Approved: true));
        Assert.Equal(CancelReasons.OutOfStock, (await running).Reason);
        Assert.DoesNotContain("AuthorizePayment", _context.Calls);
    }

    [Fact]
    public async Task Compensations_are_tried_far_longer_than_steps()
    {
        _context.Answer("AuthorizePayment", new StepResult(CancelReasons.PaymentDeclined));
        await RunAsync();
        var forward = _context.Options["ReserveStock"]!.RetryPolicy!;
        var backward = _context.Options["ReleaseStock"]!.RetryPolicy!;
        Assert.Equal(TimeSpan.FromMilliseconds(200), forward.FirstRetryInterval);
        Assert.Equal(TimeSpan.FromSeconds(10), forward.MaxRetryInterval);
        Assert.True(forward.MaxNumberOfAttempts * 10 > 1800, "an outage of half an hour must not turn an order into a refusal");
        Assert.True(backward.MaxNumberOfAttempts > forward.MaxNumberOfAttempts * 10);
    }

    [Fact]
    public async Task A_confirmed_order_is_taken_back_in_reverse()
    {
        var result = await new CancelOrderWorkflow().RunAsync(_context, new OrderCancellation("ORD-1", CancelReasons.CancelledByCustomer));
        Assert.Equal(OrderResult.Cancelled, result.Status);
        Assert.Equal(["Restock", "RefundPayment", "MarkCancelled"], _context.Calls);
    }
}
