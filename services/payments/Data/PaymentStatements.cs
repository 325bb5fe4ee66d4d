using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;

namespace DaprPlatform.Payments.Data;

/// <summary>What every order does to its payment, each as one statement.</summary>
internal static class PaymentStatements
{
    private const string Known = "SELECT 1 FROM payments WHERE order_id = $1 LIMIT 1";

    private const string Write =
        """
        WITH written AS (
            INSERT INTO payments (id, order_id, user_id, attempt, status, method, amount_minor, refunded_minor, currency, card_brand, card_last4, failure_reason, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12, $12)),
        told AS (
            INSERT INTO outbox (event_id, topic, type, partition_key, data, trace_parent, occurred_at) VALUES ($13, $14, $15, $16, $17, $18::text, $12))
        SELECT 1
        """;

    /// <summary>Whether there is anything about the order's payment: an attempt, or the mark of a void.</summary>
    public static async Task<bool> IsKnownAsync(this PaymentsDb db, Guid order, CancellationToken cancellationToken) =>
        await db.FirstAsync(Known, [order], static row => row.GetInt32(0), cancellationToken) == 1;

    /// <summary>Writes a new payment with its event.</summary>
    /// <exception cref="Npgsql.PostgresException">An index refuses it; nothing is written.</exception>
    public static Task WriteAsync(this PaymentsDb db, PaymentRow payment, OutboxMessage processed, CancellationToken cancellationToken) =>
        db.FirstAsync(
            Write,
            [
                payment.Id, payment.OrderId, payment.UserId, payment.Attempt, payment.Status.ToString(), payment.Method, payment.AmountMinor, payment.Currency, payment.CardBrand,
                payment.CardLast4, payment.FailureReason, payment.CreatedAt.ToUniversalTime(),
                processed.EventId, processed.Topic, processed.Type, processed.PartitionKey, processed.Data, processed.TraceParent,
            ],
            static row => row.GetInt32(0),
            cancellationToken);
}
