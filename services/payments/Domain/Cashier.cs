using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Payments.Data;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Outcome = DaprPlatform.Contracts.Payments.AuthorizeResult.Types.Outcome;

namespace DaprPlatform.Payments.Domain;

/// <summary>
/// Captures and returns money. An order is captured once at most, and never behind a void: the index on orders decides between attempts made at once.
/// </summary>
internal sealed class Cashier(PaymentsDb db, ICardProcessor processor, PaymentMetrics metrics, OutboxSignal outbox, TimeProvider time)
{
    /// <summary>The attempt made by the order's workflow.</summary>
    public const string WorkflowAttempt = "workflow";

    private const int MaxRaces = 3;

    /// <summary>Captures the order's total on behalf of its workflow. The same answer every time.</summary>
    public async Task<AuthorizeResult> AuthorizeAsync(
        OrderId order, UserId user, Money amount, string method, string token, CancellationToken cancellationToken, string mode = OrderModes.Orchestrated)
    {
        for (var race = 0; ; race++)
        {
            // Of most orders nothing is known yet.
            List<PaymentRow> rows = await db.IsKnownAsync(order.Value, cancellationToken)
                ? await db.Payments.AsNoTracking().Where(p => p.OrderId == order.Value).ToListAsync(cancellationToken)
                : [];
            if (rows.FirstOrDefault(p => p.Status != PaymentStatus.Failed) is { } open)
            {
                if (open.Status != PaymentStatus.Completed)
                    return new AuthorizeResult { Outcome = Outcome.Voided };
                if (open.AmountMinor != amount.Minor || open.Currency != amount.Currency)
                    throw Refusals.Conflict("payment-amount-mismatch", "The order was paid with another amount.");
                return Captured(open);
            }
            if (rows.FirstOrDefault(p => p.Attempt == WorkflowAttempt) is { } failed)
                return Declined(failed);
            try
            {
                var started = time.GetTimestamp();
                var (payment, processed) = await DecideAsync(order, user, WorkflowAttempt, amount, method, token, mode, cancellationToken);
                await db.WriteAsync(payment, OutboxModel.MessageOf(processed, payment.CreatedAt), cancellationToken);
                outbox.Set();
                Count(payment, started);
                return payment.Status == PaymentStatus.Completed ? Captured(payment) : Declined(payment);
            }
            catch (PostgresException e) when (race < MaxRaces && IsLostRace(e))
            {
                // Next time it is known.
            }
        }
    }

    /// <summary>Returns whatever was captured for the order and refuses every later charge. How much was returned by this call.</summary>
    public async Task<long> VoidAsync(OrderId order, string reason, CancellationToken cancellationToken)
    {
        for (var race = 0; ; race++)
        {
            try
            {
                return await TryVoidAsync(order, reason, cancellationToken);
            }
            catch (DbUpdateException e) when (race < MaxRaces && IsLostRace(e))
            {
                db.ChangeTracker.Clear();
            }
        }
    }

    /// <summary>Tells again what a payment of the order was decided as, to whom the first telling was of no use.</summary>
    public void PublishAgain(OrderId order, UserId user, Money amount, string paymentId, string mode)
    {
        var now = time.GetUtcNow();
        db.Publish(new PaymentProcessed(order.ToString(), paymentId, user.ToString(), Success: true, null, amount.Minor, amount.Currency, now, mode), now);
    }

    /// <summary>Decides the charge and writes the payment with its event; <paramref name="alongside"/> adds to the same transaction.</summary>
    /// <exception cref="DbUpdateException">Another attempt was faster (<see cref="IsLostRace"/>); nothing was captured.</exception>
    public async Task<PaymentRow> ChargeAsync(
        OrderId order, UserId user, string attempt, Money amount, string method, string token, Action<PaymentRow> alongside,
        CancellationToken cancellationToken, string mode = OrderModes.Orchestrated)
    {
        var started = time.GetTimestamp();
        var (payment, processed) = await DecideAsync(order, user, attempt, amount, method, token, mode, cancellationToken);
        db.Payments.Add(payment);
        db.Publish(processed, payment.CreatedAt);
        alongside(payment);
        await db.SaveChangesAsync(cancellationToken);
        Count(payment, started);
        return payment;
    }

    /// <summary>The event of a refund that was completed just now.</summary>
    public static PaymentRefunded Refunded(PaymentRow payment, RefundRow refund) => new(
        new OrderId(payment.OrderId).ToString(),
        new PaymentId(payment.Id).ToString(),
        new RefundId(refund.Id).ToString(),
        new UserId(payment.UserId).ToString(),
        refund.AmountMinor,
        payment.ReturnedMinor,
        payment.Currency,
        refund.Reason.Length == 0 ? null : refund.Reason,
        payment.UpdatedAt);

    public static bool IsLostRace(Exception exception) =>
        Faults.IsUniqueViolation(exception, PaymentsDb.OneOpenIndex) || Faults.IsUniqueViolation(exception, PaymentsDb.AttemptIndex);

    /// <summary>What becomes of the charge; nothing is written yet.</summary>
    private async Task<(PaymentRow Payment, PaymentProcessed Processed)> DecideAsync(
        OrderId order, UserId user, string attempt, Money amount, string method, string token, string mode, CancellationToken cancellationToken)
    {
        var card = PaymentMethods.NeedsCard(method) ? await FindCardAsync(user, token, cancellationToken) : null;
        var charge = PaymentMethods.NeedsCard(method)
            ? card is null ? new Charge(FailureReasons.InvalidToken) : processor.Capture(card.Reference, amount)
            : new Charge(null);
        var now = time.GetUtcNow();
        var payment = new PaymentRow
        {
            Id = PaymentId.New().Value,
            OrderId = order.Value,
            UserId = user.Value,
            Attempt = attempt,
            Status = charge.Captured ? PaymentStatus.Completed : PaymentStatus.Failed,
            Method = method,
            AmountMinor = amount.Minor,
            Currency = amount.Currency,
            CardBrand = card?.Brand ?? "",
            CardLast4 = card?.Last4 ?? "",
            FailureReason = charge.FailureReason ?? "",
            CreatedAt = now,
            UpdatedAt = now,
        };
        return (payment, new PaymentProcessed(
            order.ToString(), new PaymentId(payment.Id).ToString(), user.ToString(), charge.Captured, charge.FailureReason, amount.Minor, amount.Currency, now, mode));
    }

    private void Count(PaymentRow payment, long started)
    {
        if (payment.Status == PaymentStatus.Failed)
            metrics.Failed(payment.Method, payment.FailureReason);
        else
            metrics.Succeeded(payment.Method, "success");
        metrics.Took(time.GetElapsedTime(started), payment.Method);
    }

    private async Task<long> TryVoidAsync(OrderId order, string reason, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var open = await db.Payments.FromSql($"SELECT * FROM payments WHERE order_id = {order.Value} AND status <> 'Failed' FOR UPDATE")
            .SingleOrDefaultAsync(cancellationToken);
        long returned = 0;
        if (open is null)
        {
            var now = time.GetUtcNow();
            db.Payments.Add(new PaymentRow
            {
                Id = PaymentId.New().Value,
                OrderId = order.Value,
                UserId = Guid.Empty,
                Attempt = "void",
                Status = PaymentStatus.Voided,
                Method = "",
                AmountMinor = 0,
                Currency = "XXX",
                CreatedAt = now,
                UpdatedAt = now,
            });
        }
        else if (open.Status == PaymentStatus.Completed)
        {
            await db.Entry(open).Collection(p => p.Refunds).LoadAsync(cancellationToken);
            // One that is given up later would leave its amount with us.
            if (open.Refunds.Exists(r => r.Status == RefundStatus.Pending))
                throw Refusals.Unavailable("A refund of the payment is on its way; it");
            returned = open.LeftMinor;
            if (returned > 0)
            {
                var refund = Return(open, returned, reason);
                await db.AuditAsync(
                    RefundAudit.OrderWorkflow, RefundAudit.Voided, new PaymentId(open.Id).ToString(), RefundAudit.Details(open, refund), refund.CreatedAt, cancellationToken);
            }
        }
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return returned;
    }

    private RefundRow Return(PaymentRow open, long amount, string reason)
    {
        var now = time.GetUtcNow();
        // A void that is repeated, because nothing of it was written down, is the same to the processor.
        var refusal = processor.Refund(new PaymentId(open.Id).ToString(), "void:" + new OrderId(open.OrderId), new Money(amount, open.Currency)).FailureReason;
        if (refusal is not null)
            throw Refusals.Conflict("refund-refused", $"The processor does not return the money: {refusal}.");
        var refund = open.Reserve(amount, reason, now);
        db.Refunds.Add(refund);
        open.Complete(refund, now);
        db.Publish(Refunded(open, refund), now);
        metrics.Succeeded(open.Method, "refunded");
        return refund;
    }

    private async Task<ProcessorCard?> FindCardAsync(UserId user, string token, CancellationToken cancellationToken)
    {
        if (TestCards.All.FirstOrDefault(c => c.Token == token) is { } known)
            return processor.Store(known.Number);
        var now = time.GetUtcNow();
        return await db.CardTokens.AsNoTracking().Where(t => t.Token == token && t.UserId == user.Value && t.ExpiresAt > now)
            .Select(t => new ProcessorCard(t.Reference, t.Brand, t.Last4)).FirstOrDefaultAsync(cancellationToken);
    }

    private static AuthorizeResult Captured(PaymentRow payment) => new() { Outcome = Outcome.Captured, PaymentId = new PaymentId(payment.Id).ToString() };

    private static AuthorizeResult Declined(PaymentRow payment) =>
        new() { Outcome = Outcome.Declined, PaymentId = new PaymentId(payment.Id).ToString(), FailureReason = payment.FailureReason };
}
