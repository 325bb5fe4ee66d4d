using DaprPlatform.Orders.Domain;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;

namespace DaprPlatform.Orders.Data;

/// <summary>The two changes that every order makes, each as one statement.</summary>
internal static class OrderStatements
{
    // Everything hangs on the counter: whoever has the user's row writes, and one whose key is known by then (none of its rows is written) gets the answer that was given.
    private const string Accept =
        """
        WITH known AS MATERIALIZED (
            SELECT request_hash, response FROM idempotency_keys WHERE $3 <> '' AND user_id = $2 AND operation = $4 AND key = $3),
        counter AS (
            INSERT INTO order_counters AS c (user_id, last) SELECT $2, 1 WHERE NOT EXISTS (SELECT FROM known)
            ON CONFLICT (user_id) DO UPDATE SET last = c.last + 1 RETURNING last),
        placed AS (
            INSERT INTO orders (id, user_id, number, status, mode, currency, total_minor, shipping_address, payment_method, payment_token,
                                refunded_minor, reason, attention, approval, created_at, updated_at, history_length)
            SELECT $1, $2, last, 'Pending', $7, $8, $9, $10, $11, $12, 0, '', '', 'None', $13, $13, 1 FROM counter),
        lines AS (
            INSERT INTO order_lines (order_id, position, sku, name, quantity, unit_price_minor)
            SELECT $1, l.position, l.sku, l.name, l.quantity, l.price
              FROM counter, unnest($14::text[], $15::text[], $16::int[], $17::bigint[]) WITH ORDINALITY AS l(sku, name, quantity, price, position)),
        entry AS (
            INSERT INTO order_history (order_id, position, status, reason, at) SELECT $1, 1, 'Pending', '', $13 FROM counter),
        told AS (
            INSERT INTO outbox (event_id, topic, type, partition_key, data, trace_parent, occurred_at)
            SELECT $18, $19, $20, $21, jsonb_set($22::jsonb, '{number}', to_jsonb(last))::text, $23::text, $13 FROM counter),
        remembered AS (
            INSERT INTO idempotency_keys (user_id, operation, key, request_hash, response, created_at) SELECT $2, $4, $3, $5, $6, $13 FROM counter WHERE $3 <> '')
        SELECT last, NULL::bytea, NULL::bytea FROM counter UNION ALL SELECT NULL, request_hash, response FROM known
        """;

    private const string Confirm =
        """
        WITH confirmed AS (
            UPDATE orders SET status = 'Confirmed', payment_id = $2::uuid, updated_at = $3, history_length = 2
             WHERE id = $1 AND status = 'Pending' AND cancel_requested_at IS NULL AND history_length = 1 RETURNING refunded_minor),
        entry AS (
            INSERT INTO order_history (order_id, position, status, reason, at) SELECT $1, 2, 'Confirmed', '', $3 FROM confirmed),
        told AS (
            INSERT INTO outbox (event_id, topic, type, partition_key, data, trace_parent, occurred_at)
            SELECT $4, $5, $6, $7, $8, $9::text, $3 FROM confirmed)
        SELECT refunded_minor FROM confirmed
        """;

    /// <summary>
    /// Writes the order as it is, with the user's next number, its event, in which the statement sets the number, and the answer to the key. Null where the key had been
    /// used before; then nothing is written.
    /// </summary>
    /// <exception cref="Npgsql.PostgresException">The key was used meanwhile (<see cref="Idempotency.IsLostRace"/>).</exception>
    public static async Task<AcceptedOrder> AcceptAsync(
        this OrdersDb db, Order order, OutboxMessage created, string operation, string key, byte[] hash, byte[] response, CancellationToken cancellationToken) =>
        await db.FirstAsync(
            Accept,
            [
                order.Id, order.UserId, key, operation, hash, response, order.Mode, order.Currency, order.TotalMinor, order.ShippingAddress, order.PaymentMethod,
                order.PaymentToken, order.CreatedAt.ToUniversalTime(), order.Lines.ConvertAll(l => l.Sku).ToArray(), order.Lines.ConvertAll(l => l.Name).ToArray(),
                order.Lines.ConvertAll(l => l.Quantity).ToArray(), order.Lines.ConvertAll(l => l.UnitPriceMinor).ToArray(),
                created.EventId, created.Topic, created.Type, created.PartitionKey, created.Data, created.TraceParent,
            ],
            static row => row.IsDBNull(0) ? new AcceptedOrder(0, row.GetFieldValue<byte[]>(1), row.GetFieldValue<byte[]>(2)) : new AcceptedOrder(row.GetInt64(0), null, null),
            cancellationToken)
        ?? throw new InvalidOperationException("An order was neither written nor known.");

    /// <summary>Confirms an order of which nothing has happened yet. How much of its payment went back by then, or null when there is more to it.</summary>
    public static Task<long?> ConfirmAsync(this OrdersDb db, Guid order, Guid? payment, DateTimeOffset at, OutboxMessage changed, CancellationToken cancellationToken) =>
        db.FirstAsync(
            Confirm,
            [order, payment, at.ToUniversalTime(), changed.EventId, changed.Topic, changed.Type, changed.PartitionKey, changed.Data, changed.TraceParent],
            static row => (long?)row.GetInt64(0),
            cancellationToken);
}

/// <param name="Number">0: the key was known.</param>
/// <param name="KnownHash">Of the request that used the key.</param>
/// <param name="KnownResponse">The answer to it.</param>
internal sealed record AcceptedOrder(long Number, byte[]? KnownHash, byte[]? KnownResponse);
