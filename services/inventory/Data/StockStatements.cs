using DaprPlatform.Contracts.Inventory;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;

namespace DaprPlatform.Inventory.Data;

/// <summary>What every order asks and does of stock, each as one statement. Rows of products are locked in order of SKU.</summary>
internal static class StockStatements
{
    // A count that is not that of the lines would be a mistake of this statement; the null it makes is refused by the table, and with it everything.
    private const string Reserve =
        """
        WITH line AS (SELECT * FROM unnest($1::text[], $2::int[]) AS l(sku, quantity)),
        locked AS MATERIALIZED (
            SELECT p.sku, line.quantity FROM products p JOIN line ON p.sku = line.sku
             WHERE p.available >= line.quantity AND (p.available - line.quantity > $3 OR p.available <= $3) ORDER BY p.sku FOR UPDATE OF p),
        enough AS MATERIALIZED (SELECT sku, quantity, count(*) OVER () AS lines FROM locked),
        taken AS (
            UPDATE products p SET available = p.available - e.quantity, reserved = p.reserved + e.quantity, updated_at = $4
              FROM enough e WHERE p.sku = e.sku AND e.lines = cardinality($1::text[]) RETURNING p.sku),
        kept AS (
            INSERT INTO reservations (order_id, state, expires_at, refused_skus, created_at, updated_at)
            SELECT $5, CASE WHEN count(*) = cardinality($1::text[]) THEN $6 END, $7::timestamptz, '{}', $4, $4 FROM taken HAVING count(*) > 0
            RETURNING order_id),
        lines AS (
            INSERT INTO reservation_lines (order_id, sku, quantity) SELECT kept.order_id, line.sku, line.quantity FROM kept, line),
        told AS (
            INSERT INTO outbox (event_id, topic, type, partition_key, data, trace_parent, occurred_at)
            SELECT $8, $9, $10, $11, $12, $13::text, $4 FROM kept)
        SELECT 1 FROM kept
        """;

    private const string Commit =
        """
        WITH sold AS (
            UPDATE reservations SET state = 'Committed', expires_at = NULL, updated_at = $2 WHERE order_id = $1 AND state IN ('Reserved', 'Held') RETURNING order_id),
        line AS MATERIALIZED (SELECT l.sku, l.quantity FROM sold JOIN reservation_lines l ON l.order_id = sold.order_id),
        locked AS MATERIALIZED (SELECT p.sku, line.quantity FROM products p JOIN line ON p.sku = line.sku ORDER BY p.sku FOR UPDATE OF p),
        moved AS (
            UPDATE products p SET reserved = p.reserved - l.quantity, sold = p.sold + l.quantity, updated_at = $2 FROM locked l WHERE p.sku = l.sku RETURNING p.sku),
        told AS (
            INSERT INTO outbox (event_id, topic, type, partition_key, data, trace_parent, occurred_at)
            SELECT $3, $4, $5, $6,
                   CASE WHEN (SELECT count(*) FROM moved) = (SELECT count(*) FROM line) THEN
                       jsonb_set($7::jsonb, '{items}', (SELECT jsonb_agg(jsonb_build_object('product_id', sku, 'quantity', quantity) ORDER BY sku) FROM line))::text END,
                   $8::text, $2
              FROM sold)
        SELECT 1 FROM sold
        """;

    private const string Prices = "SELECT sku, name, price_minor, currency FROM products WHERE sku = ANY ($1)";

    /// <summary>Shows those of the products that there are.</summary>
    public static Task PricesAsync(this InventoryDb db, string[] skus, Action<PricedProduct> product, CancellationToken cancellationToken) =>
        db.EachAsync(
            Prices,
            [skus],
            row => product(new PricedProduct { Sku = row.GetString(0), Name = row.GetString(1), PriceMinor = row.GetInt64(2), Currency = row.GetString(3) }),
            cancellationToken);

    /// <summary>
    /// Takes all lines and writes the reservation with its event. False, and nothing is written, when a line cannot be taken or takes its product down to the threshold,
    /// which is to be told too.
    /// </summary>
    /// <exception cref="Npgsql.PostgresException">There is a reservation of this order.</exception>
    public static async Task<bool> ReserveAsync(
        this InventoryDb db, Reservation reservation, string[] skus, int[] quantities, long lowStock, OutboxMessage reserved, CancellationToken cancellationToken) =>
        await db.FirstAsync(
            Reserve,
            [
                skus, quantities, lowStock, reservation.CreatedAt.ToUniversalTime(), reservation.OrderId, reservation.State.ToString(), reservation.ExpiresAt?.ToUniversalTime(),
                reserved.EventId, reserved.Topic, reserved.Type, reserved.PartitionKey, reserved.Data, reserved.TraceParent,
            ],
            static row => row.GetInt32(0),
            cancellationToken) == 1;

    /// <summary>Turns what is reserved into sold. False, and nothing is written, when the order has no reservation that lasts.</summary>
    /// <param name="db">The database.</param>
    /// <param name="order">Whose.</param>
    /// <param name="at">When.</param>
    /// <param name="committed">The event; the statement sets its items.</param>
    /// <param name="cancellationToken">Ends the try.</param>
    public static async Task<bool> CommitAsync(this InventoryDb db, Guid order, DateTimeOffset at, OutboxMessage committed, CancellationToken cancellationToken) =>
        await db.FirstAsync(
            Commit,
            [order, at.ToUniversalTime(), committed.EventId, committed.Topic, committed.Type, committed.PartitionKey, committed.Data, committed.TraceParent],
            static row => row.GetInt32(0),
            cancellationToken) == 1;
}
