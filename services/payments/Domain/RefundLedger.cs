using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Payments.Data;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.Workflows.Refunds;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Payments.Domain;

/// <summary>The workflow's side of refunds. Each change is one transaction with its event, made under the lock of the payment's row.</summary>
internal sealed partial class RefundLedger(PaymentsDb db, ICardProcessor processor, PaymentMetrics metrics, TimeProvider time, ILogger<RefundLedger> logger) : IRefundLedger
{
    public async Task<string?> SendAsync(RefundId refund, CancellationToken cancellationToken)
    {
        var row = await db.Refunds.AsNoTracking().SingleOrDefaultAsync(r => r.Id == refund.Value, cancellationToken) ?? throw NoSuch(refund);
        if (row.Status != RefundStatus.Pending)
            return row.Status == RefundStatus.Failed ? row.FailureReason : null;
        var currency = await db.Payments.Where(p => p.Id == row.PaymentId).Select(p => p.Currency).SingleAsync(cancellationToken);
        return processor.Refund(new PaymentId(row.PaymentId).ToString(), refund.ToString(), new Money(row.AmountMinor, currency)).FailureReason;
    }

    public Task CompleteAsync(RefundId refund, CancellationToken cancellationToken) =>
        ChangeAsync(
            refund,
            (payment, row, now) =>
            {
                if (!payment.Complete(row, now))
                    return;
                db.Publish(Cashier.Refunded(payment, row), now);
                metrics.Succeeded(payment.Method, "refunded");
            },
            cancellationToken);

    public async Task<bool> AbandonAsync(RefundId refund, string reason, CancellationToken cancellationToken)
    {
        if (!processor.CancelRefund(refund.ToString()))
            return false;
        var stays = false;
        await ChangeAsync(refund, (payment, row, now) => stays = payment.Abandon(row, reason, now), cancellationToken);
        return stays;
    }

    public async Task FlagAsync(RefundId refund, IReadOnlyList<string> failures, CancellationToken cancellationToken)
    {
        PaymentRow? flagged = null;
        await ChangeAsync(
            refund,
            (payment, row, now) =>
            {
                if (!payment.Flag(row, now))
                    return;
                flagged = payment;
                db.Publish(
                    new CompensationFailed(new OrderId(payment.OrderId).ToString(), new UserId(payment.UserId).ToString(), refund.ToString(), "payments", failures, now),
                    now);
            },
            cancellationToken);
        if (flagged is null)
            return;
        foreach (var failure in failures)
            metrics.CompensationFailed(flagged.Method, failure.Split(':')[0]);
        LogFlagged(logger, refund.ToString(), string.Join("; ", failures));
    }

    private async Task ChangeAsync(RefundId refund, Action<PaymentRow, RefundRow, DateTimeOffset> change, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var payment = await db.Payments
            .FromSql($"SELECT * FROM payments WHERE id = (SELECT payment_id FROM refunds WHERE id = {refund.Value}) FOR UPDATE").SingleOrDefaultAsync(cancellationToken)
            ?? throw NoSuch(refund);
        await db.Entry(payment).Collection(p => p.Refunds).LoadAsync(cancellationToken);
        var row = payment.Refunds.Single(r => r.Id == refund.Value);
        var (before, now) = (row.Status, time.GetUtcNow());
        change(payment, row, now);
        if (row.Status != before)
            await db.AuditAsync(RefundAudit.Workflow, RefundAudit.Decided(row.Status), new PaymentId(payment.Id).ToString(), RefundAudit.Details(payment, row), now, cancellationToken);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static InvalidOperationException NoSuch(RefundId refund) => new($"There is no refund {refund}.");

    [LoggerMessage(1, LogLevel.Error, "Refund {Refund} could neither be completed nor given up; somebody has to look: {Failures}")]
    private static partial void LogFlagged(ILogger logger, string refund, string failures);
}
