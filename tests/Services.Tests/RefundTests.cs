using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Payments.Data;
using DaprPlatform.Payments.Domain;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using DaprPlatform.Workflows.Refunds;
using Microsoft.EntityFrameworkCore;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>The workflow of a refund on the real payments database, with a fault at each of its steps.</summary>
public sealed class RefundTests(PaymentsFixture payments) : IClassFixture<PaymentsFixture>
{
    private const long Paid = 1000;
    private readonly UserId _user = UserId.New();
    private readonly OrderId _order = OrderId.New();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("SendRefund", Fault.OnceBefore, RefundResult.Completed)]
    [InlineData("SendRefund", Fault.OnceAfter, RefundResult.Completed)]
    [InlineData("SendRefund", Fault.AlwaysBefore, RefundResult.Refused)]
    [InlineData("SendRefund", Fault.AlwaysAfter, RefundResult.Completed)]
    [InlineData("CompleteRefund", Fault.OnceBefore, RefundResult.Completed)]
    [InlineData("CompleteRefund", Fault.OnceAfter, RefundResult.Completed)]
    [InlineData("CompleteRefund", Fault.AlwaysBefore, RefundResult.CompensationFailed)]
    [InlineData("CompleteRefund", Fault.AlwaysAfter, RefundResult.CompensationFailed)]
    public async Task A_fault_on_the_way_forward_ends_with_the_money_in_one_place(string step, Fault fault, string status)
    {
        var refund = await AcceptedAsync(300);
        Assert.Equal(status, (await RunAsync(refund, (step, fault))).Status);
        await AssertConsistentAsync(refund);
    }

    [Theory]
    [InlineData(Fault.None, RefundResult.Refused)]
    [InlineData(Fault.OnceBefore, RefundResult.Refused)]
    [InlineData(Fault.OnceAfter, RefundResult.Refused)]
    [InlineData(Fault.AlwaysBefore, RefundResult.CompensationFailed)]
    [InlineData(Fault.AlwaysAfter, RefundResult.CompensationFailed)]
    public async Task A_refusal_gives_the_amount_free_whatever_happens_on_the_way_back(Fault fault, string status)
    {
        var refund = await AcceptedAsync(300);
        payments.Processor.RefundRefusal = "account_closed";
        try
        {
            Assert.Equal(status, (await RunAsync(refund, ("AbandonRefund", fault))).Status);
        }
        finally
        {
            payments.Processor.RefundRefusal = null;
        }
        await AssertConsistentAsync(refund);
    }

    [Fact]
    public async Task A_flag_that_cannot_be_written_is_written_when_the_workflow_is_started_again()
    {
        var refund = await AcceptedAsync(300);
        await Assert.ThrowsAnyAsync<Exception>(() => RunAsync(refund, ("CompleteRefund", Fault.AlwaysBefore), ("FlagRefund", Fault.AlwaysBefore)));
        Assert.Equal(RefundStatus.Pending, (await RowAsync(refund)).Status);
        Assert.Equal(RefundResult.Completed, (await RunAsync(refund)).Status);
        await AssertConsistentAsync(refund);
    }

    [Fact]
    public async Task A_workflow_that_runs_twice_refunds_once()
    {
        var refund = await AcceptedAsync(300);
        await RunAsync(refund);
        Assert.Equal(RefundResult.Completed, (await RunAsync(refund)).Status);
        await AssertConsistentAsync(refund);
        Assert.Equal(["payments.v1.payment_processed", "payments.v1.payment_refunded"], await EventsAsync());
    }

    [Fact]
    public async Task A_refused_refund_is_told_and_leaves_the_amount_to_the_next()
    {
        var payment = await PaidAsync();
        payments.Processor.RefundRefusal = "account_closed";
        var problem = await Assert.ThrowsAsync<ProblemException>(() => RefundAsync(payment, null));
        payments.Processor.RefundRefusal = null;
        Assert.Equal((422, "refund-refused"), (problem.Status, problem.Code));
        var answer = await RefundAsync(payment, null);
        Assert.Equal(("COMPLETED", Paid), (answer.Refund.Status, answer.Refund.AmountMinor));
    }

    [Fact]
    public async Task Every_refund_is_on_record_with_who_asked_and_what_became_of_it()
    {
        var payment = await PaidAsync();
        await RefundAsync(payment, 100);
        payments.Processor.RefundRefusal = "account_closed";
        await Assert.ThrowsAsync<ProblemException>(() => RefundAsync(payment, 50));
        payments.Processor.RefundRefusal = null;
        await payments.AsAsync<Cashier, long>(cashier => cashier.VoidAsync(_order, "cancelled", Cancel));
        // Asked again, as a workflow does: nothing went, nothing is on record.
        await payments.AsAsync<Cashier, long>(cashier => cashier.VoidAsync(_order, "cancelled", Cancel));

        var acts = await payments.AsAsync<PaymentsDb, List<string>>(db =>
            db.Database.SqlQuery<string>($"SELECT actor || ' ' || action || ' ' || (data::jsonb ->> 'amountMinor') AS \"Value\" FROM audit_log WHERE subject = {payment} ORDER BY id").ToListAsync(Cancel));
        Assert.Equal(
            [$"{_user} payment.refund 100", "RefundWorkflow refund.completed 100", $"{_user} payment.refund 50", "RefundWorkflow refund.given-up 50", "OrderWorkflow payment.void 900"], acts);
    }

    [Fact]
    public async Task A_void_waits_for_a_refund_that_is_on_its_way()
    {
        var refund = await AcceptedAsync(300);
        Task<long> VoidAsync() => payments.AsAsync<Cashier, long>(cashier => cashier.VoidAsync(_order, "cancelled", Cancel));
        Assert.Equal(503, (await Assert.ThrowsAsync<ProblemException>(VoidAsync)).Status);
        await RunAsync(refund);
        Assert.Equal(700, await VoidAsync());
        Assert.Equal(0, await VoidAsync());
        var payment = await PaymentAsync();
        Assert.Equal((PaymentStatus.Refunded, Paid), (payment.Status, payment.RefundedMinor));
    }

    /// <summary>Where the books say the money is, is where the processor sent it, and the world was told exactly that.</summary>
    private async Task AssertConsistentAsync(RefundId refund)
    {
        var (row, payment, events) = (await RowAsync(refund), await PaymentAsync(), await EventsAsync());
        var sent = payments.Processor.Returned.ContainsKey(refund.ToString());
        Assert.NotEqual(RefundStatus.Pending, row.Status);
        Assert.Equal(row.Status == RefundStatus.Failed ? 0 : 300, payment.RefundedMinor);
        Assert.Equal(row.Status == RefundStatus.Completed ? 1 : 0, events.Count(e => e == "payments.v1.payment_refunded"));
        Assert.Equal(row.Status == RefundStatus.Attention ? 1 : 0, events.Count(e => e == "payments.v1.compensation_failed"));
        if (row.Status != RefundStatus.Attention)
            Assert.Equal(sent, row.Status == RefundStatus.Completed);
    }

    private async Task<string> PaidAsync() =>
        (await payments.AsAsync<Cashier, AuthorizeResult>(c => c.AuthorizeAsync(_order, _user, new Money(Paid, "USD"), PaymentMethods.Default, "tok_approve", Cancel))).PaymentId;

    /// <summary>Set aside, as the request does it, and left there.</summary>
    private async Task<RefundId> AcceptedAsync(long amount)
    {
        await PaidAsync();
        return await payments.AsAsync<PaymentsDb, RefundId>(async db =>
        {
            var payment = await db.Payments.SingleAsync(p => p.OrderId == _order.Value, Cancel);
            var refund = payment.Reserve(amount, "", payments.Clock.GetUtcNow());
            db.Refunds.Add(refund);
            await db.SaveChangesAsync(Cancel);
            return new RefundId(refund.Id);
        });
    }

    private Task<RefundResult> RunAsync(RefundId refund, params (string, Fault)[] faults) =>
        new RefundWorkflow().RunAsync(new LocalWorkflow(LocalWorkflow.From(payments.Services), faults), new RefundAccepted(refund.ToString()));

    private Task<RefundResponse> RefundAsync(string payment, long? amount)
    {
        var request = new RefundRequest { PaymentId = payment };
        if (amount is { } minor)
            request.AmountMinor = minor;
        return payments.AsAsync<CashDesk, RefundResponse>(_user, desk => desk.RefundAsync(request, Cancel));
    }

    private Task<RefundRow> RowAsync(RefundId refund) =>
        payments.AsAsync<PaymentsDb, RefundRow>(db => db.Refunds.AsNoTracking().SingleAsync(r => r.Id == refund.Value, Cancel));

    private Task<PaymentRow> PaymentAsync() =>
        payments.AsAsync<PaymentsDb, PaymentRow>(db => db.Payments.AsNoTracking().SingleAsync(p => p.OrderId == _order.Value, Cancel));

    private Task<List<string>> EventsAsync() =>
        payments.AsAsync<PaymentsDb, List<string>>(db =>
            db.Set<OutboxMessage>().AsNoTracking().Where(m => m.PartitionKey == _order.ToString()).OrderBy(m => m.Id).Select(m => m.Type).ToListAsync(Cancel));
}
