using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;

namespace DaprPlatform.Payments.Data;

/// <summary>What every order does to its payment, each as one statement.</summary>
internal static class PaymentStatements
{
    private const string Write =
        """
        WITH written AS (
            INSERT INTO payments (id, order_id, user_id, attempt, status, method, amount_minor, refunded_minor, currency, card_brand, card_last4, failure_reason, created_at, updated_at)
            SELECT $1::uuid, $2::uuid, $3::uuid, $4::text, $5::text, $6::text, $7::bigint, 0, $8::text, $9::text, $10::text, $11::text, $12::timestamptz, $12::timestamptz
            WHERE $19::boolean OR NOT EXISTS (SELECT FROM payments WHERE order_id = $2::uuid)
            RETURNING id),
        told AS (
            INSERT INTO outbox (event_id, topic, type, partition_key, data, trace_parent, occurred_at)
            SELECT $13::uuid, $14::text, $15::text, $16::text, $17::text, $18::text, $12::timestamptz FROM written)
        SELECT 1 FROM written
        """;

    /// <summary>Writes a new payment with its event.</summary>
    /// <param name="db">Where.</param>
    /// <param name="payment">The payment.</param>
    /// <param name="processed">The event.</param>
    /// <param name="behindOthers">Also where there is something about the order's payment already: another attempt, or the mark of a void.</param>
    /// <param name="cancellationToken">Ends the try; what was sent may have happened.</param>
    /// <returns>Whether it was written.</returns>
    /// <exception cref="Npgsql.PostgresException">An index refuses it; nothing is written.</exception>
    public static async Task<bool> TryWriteAsync(this PaymentsDb db, PaymentRow payment, OutboxMessage processed, bool behindOthers, CancellationToken cancellationToken) =>
        await db.FirstAsync(
            Write,
            [
                payment.Id, payment.OrderId, payment.UserId, payment.Attempt, payment.Status.ToString(), payment.Method, payment.AmountMinor, payment.Currency, payment.CardBrand,
                payment.CardLast4, payment.FailureReason, payment.CreatedAt.ToUniversalTime(),
                processed.EventId, processed.Topic, processed.Type, processed.PartitionKey, processed.Data, processed.TraceParent, behindOthers,
            ],
            static row => row.GetInt32(0),
            cancellationToken) == 1;
}
