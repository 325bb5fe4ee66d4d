using DaprPlatform.Contracts;
using DaprPlatform.Payments.Data;
using DaprPlatform.ServiceDefaults.Problems;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>Whatever is done to a payment in whatever order, its money is somewhere and only once.</summary>
public sealed class PaymentMachineTests
{
    private const long Paid = 100;
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void What_is_refunded_never_exceeds_what_was_paid_and_is_the_sum_of_its_refunds() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Walks(), walk =>
        {
            var payment = New();
            foreach (var step in walk)
            {
                Do(payment, step);
                Assert.InRange(payment.RefundedMinor, 0, Paid);
                Assert.Equal(payment.Refunds.Where(r => r.Status != RefundStatus.Failed).Sum(r => r.AmountMinor), payment.RefundedMinor);
                Assert.Equal(Paid - payment.RefundedMinor, payment.LeftMinor);
                Assert.Equal(payment.ReturnedMinor == Paid, payment.Status == PaymentStatus.Refunded);
            }
        }));

    [Fact]
    public void A_refund_that_is_decided_stays_decided() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Walks(), walk =>
        {
            var payment = New();
            foreach (var step in walk)
            {
                var before = payment.Refunds.ToDictionary(r => r.Id, r => r.Status);
                Do(payment, step);
                foreach (var refund in payment.Refunds.Where(r => before.TryGetValue(r.Id, out var status) && status is RefundStatus.Completed or RefundStatus.Failed))
                    Assert.Equal(before.GetValueOrDefault(refund.Id, refund.Status), refund.Status);
            }
        }));

    [Fact]
    public void A_payment_that_is_refunded_takes_no_refund_any_more()
    {
        foreach (var status in Enum.GetValues<PaymentStatus>().Where(s => s != PaymentStatus.Completed))
        {
            var payment = New(status);
            Assert.Equal("payment-not-refundable", Assert.Throws<ProblemException>(() => payment.Reserve(1, "", Start)).Code);
            Assert.Empty(payment.Refunds);
        }
    }

    // What is done, to which refund, with how much.
    private static Arbitrary<(int Kind, int Which, long Amount)[]> Walks() =>
        (from kind in Gen.Choose(0, 3)
         from which in Gen.Choose(0, 4)
         from amount in Gen.Choose(-5, 120)
         select (kind, which, (long)amount)).ArrayOf(20).ToArbitrary();

    private static void Do(PaymentRow payment, (int Kind, int Which, long Amount) step)
    {
        try
        {
            var refund = payment.Refunds.Count > 0 ? payment.Refunds[step.Which % payment.Refunds.Count] : null;
            switch (step.Kind)
            {
                case 0:
                    payment.Reserve(step.Amount, "", Start);
                    break;
                case 1 when refund is not null:
                    payment.Complete(refund, Start);
                    break;
                case 2 when refund is not null:
                    payment.Abandon(refund, "refused", Start);
                    break;
                case 3 when refund is not null:
                    payment.Flag(refund, Start);
                    break;
            }
        }
        catch (Exception e) when (e is ProblemException { Status: 409 or 422 } or InvalidOperationException)
        {
            // A refusal is an answer.
        }
    }

    private static PaymentRow New(PaymentStatus status = PaymentStatus.Completed) => new()
    {
        Id = PaymentId.New().Value,
        OrderId = OrderId.New().Value,
        UserId = Guid.NewGuid(),
        Attempt = "workflow",
        Status = status,
        Method = PaymentMethods.Default,
        AmountMinor = Paid,
        Currency = "USD",
        CreatedAt = Start,
        UpdatedAt = Start,
    };
}
