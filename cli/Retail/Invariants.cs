using Npgsql;

namespace DaprPlatform.Cli.Retail;

/// <summary>A rule that no fault may break, and what was found.</summary>
internal sealed record InvariantResult(string Name, bool Holds, string Detail);

/// <summary>Units of a product: on the shelf, set aside for orders under way, and sold.</summary>
internal sealed record StockLevel(long Available, long Reserved, long Sold)
{
    public long Total => Available + Reserved + Sold;
}

/// <summary>What went wrong, counted.</summary>
/// <param name="Lost">Accepted orders that are not there, and confirmed orders without a payment.</param>
/// <param name="Doubled">Charges beyond the first of an order, and order numbers given twice or skipped.</param>
/// <param name="Oversold">Units sold beyond those there were, or units that came from or went to nowhere.</param>
/// <param name="Leaked">Reservations and units still set aside, units sold without an order, and payments kept for orders that are not confirmed.</param>
/// <param name="Stuck">Orders without a decision, or whose accepted cancellation was not carried out.</param>
internal sealed record Violations(long Lost, long Doubled, long Oversold, long Leaked, long Stuck)
{
    public bool None => this is { Lost: 0, Doubled: 0, Oversold: 0, Leaked: 0, Stuck: 0 };
}

/// <summary>Looks past the services into their databases, read-only, and compares what they say of the same orders.</summary>
internal sealed class Invariants(Func<string, string> connectionTo)
{
    private static readonly string[] Confirmed = ["CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED"];

    private sealed record Order(string Id, string Status, long Total);

    private sealed record Payment(string OrderId, string Status, long Amount, long Refunded);

    public async Task<IReadOnlyDictionary<string, StockLevel>> StockAsync(CancellationToken cancel)
    {
        var levels = new Dictionary<string, StockLevel>(StringComparer.Ordinal);
        await foreach (var row in RowsAsync("inventory", "SELECT sku, available, reserved, sold FROM products", cancel))
            levels[row.GetString(0)] = new StockLevel(row.GetInt64(1), row.GetInt64(2), row.GetInt64(3));
        return levels;
    }

    /// <summary>Checks every rule on what is there now.</summary>
    /// <param name="start">The stock at the start.</param>
    /// <param name="cancel">Ends the reading.</param>
    public async Task<IReadOnlyList<InvariantResult>> CheckAsync(IReadOnlyDictionary<string, StockLevel> start, CancellationToken cancel)
    {
        var now = await StockAsync(cancel);
        var orders = new Dictionary<string, Order>();
        await foreach (var row in RowsAsync("orders", OrdersSql, cancel))
            orders[row.GetString(0)] = new Order(row.GetString(0), row.GetString(1).ToUpperInvariant(), row.GetInt64(2));
        var sold = new Dictionary<string, long>(StringComparer.Ordinal);
        await foreach (var row in RowsAsync("orders", SoldSql, cancel))
            sold[row.GetString(0)] = row.GetInt64(1);
        var payments = new List<Payment>();
        await foreach (var row in RowsAsync("payments", PaymentsSql, cancel))
            payments.Add(new Payment(row.GetString(0), row.GetString(1).ToUpperInvariant(), row.GetInt64(2), row.GetInt64(3)));
        var reservations = 0L;
        await foreach (var row in RowsAsync("inventory", OpenReservationsSql, cancel))
            reservations = row.GetInt64(0);
        return
        [
            StockIsKept(start, now),
            SoldIsConfirmed(now, sold),
            EveryConfirmedOrderIsPaidOnce(orders, payments),
            NobodyPaysForNothing(orders, payments),
            NothingIsReserved(now, reservations),
            EveryOrderIsDecided(orders),
        ];
    }

    /// <summary>Counts what a fault may have broken; all zeros is what a platform that keeps its promises shows once everything has come to rest.</summary>
    /// <param name="start">The stock at the start.</param>
    /// <param name="accepted">Ids of the orders that the gateway has accepted.</param>
    /// <param name="cancel">Ends the reading.</param>
    public async Task<Violations> CountAsync(IReadOnlyDictionary<string, StockLevel> start, IReadOnlyCollection<string> accepted, CancellationToken cancel)
    {
        var now = await StockAsync(cancel);
        var orders = new Dictionary<string, Order>();
        await foreach (var row in RowsAsync("orders", OrdersSql, cancel))
            orders[row.GetString(0)] = new Order(row.GetString(0), row.GetString(1).ToUpperInvariant(), row.GetInt64(2));
        var sold = new Dictionary<string, long>(StringComparer.Ordinal);
        await foreach (var row in RowsAsync("orders", SoldSql, cancel))
            sold[row.GetString(0)] = row.GetInt64(1);
        var payments = new List<Payment>();
        await foreach (var row in RowsAsync("payments", PaymentsSql, cancel))
            payments.Add(new Payment(row.GetString(0), row.GetString(1).ToUpperInvariant(), row.GetInt64(2), row.GetInt64(3)));
        var confirmed = orders.Values.Where(o => Confirmed.Contains(o.Status)).Select(o => o.Id).ToHashSet(StringComparer.Ordinal);
        var charged = payments.Where(p => p.Status is "COMPLETED" or "REFUNDED").GroupBy(p => p.OrderId).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        var kept = payments.Where(p => p.Status == "COMPLETED" && p.Refunded < p.Amount).Select(p => p.OrderId).ToHashSet(StringComparer.Ordinal);
        return new Violations(
            // Accepted and gone, or confirmed without the money.
            Lost: accepted.Count(id => !orders.ContainsKey(id[(id.IndexOf('-', StringComparison.Ordinal) + 1)..])) + confirmed.Count(id => !charged.ContainsKey(id)),
            Doubled: charged.Values.Sum(c => (long)c - 1) + await CountAsync("orders", GapsSql, cancel),
            Oversold: start.Sum(s => now.TryGetValue(s.Key, out var level) ? Math.Max(0, Math.Max(level.Sold, sold.GetValueOrDefault(s.Key)) - s.Value.Total) + Math.Abs(level.Total - s.Value.Total) : s.Value.Total),
            Leaked: await CountAsync("inventory", OpenReservationsSql, cancel) + now.Sum(n => n.Value.Reserved + Math.Abs(n.Value.Sold - sold.GetValueOrDefault(n.Key))) + kept.Count(id => !confirmed.Contains(id)),
            Stuck: await CountAsync("orders", StuckSql, cancel));
    }

    /// <summary>The trace contexts under which a service wrote events of this type about an order.</summary>
    public async Task<IReadOnlyList<string?>> TraceParentsAsync(string service, string order, string type, CancellationToken cancel)
    {
        var parents = new List<string?>();
        await foreach (var row in RowsAsync(service, "SELECT partition_key, type, trace_parent FROM outbox", cancel))
            if (row.GetString(0) == order && row.GetString(1) == type)
                parents.Add(row.IsDBNull(2) ? null : row.GetString(2));
        return parents;
    }

    /// <summary>Who drives an order, or drove it; null when there is no such order.</summary>
    public async Task<string?> ModeOfAsync(string order, CancellationToken cancel)
    {
        await foreach (var row in RowsAsync("orders", "SELECT id::text, mode FROM orders", cancel))
            if (order.EndsWith(row.GetString(0), StringComparison.Ordinal))
                return row.GetString(1);
        return null;
    }

    /// <summary>How many of these orders were driven by events.</summary>
    public async Task<long> ChoreographedAsync(IReadOnlyCollection<string> orders, CancellationToken cancel)
    {
        var ids = orders.Select(id => id[(id.IndexOf('-', StringComparison.Ordinal) + 1)..]).ToHashSet(StringComparer.Ordinal);
        var found = 0L;
        await foreach (var row in RowsAsync("orders", "SELECT id::text FROM orders WHERE mode = 'choreographed'", cancel))
            if (ids.Contains(row.GetString(0)))
                found++;
        return found;
    }

    /// <summary>How many events of a service hold a text.</summary>
    public async Task<int> EventsWithAsync(string service, string text, CancellationToken cancel)
    {
        var found = 0;
        await foreach (var row in RowsAsync(service, "SELECT data::text FROM outbox", cancel))
            if (row.GetString(0).Contains(text, StringComparison.OrdinalIgnoreCase))
                found++;
        return found;
    }

    private async Task<long> CountAsync(string database, string sql, CancellationToken cancel)
    {
        await foreach (var row in RowsAsync(database, sql, cancel))
            return row.GetInt64(0);
        return 0;
    }

    private static InvariantResult StockIsKept(IReadOnlyDictionary<string, StockLevel> start, IReadOnlyDictionary<string, StockLevel> now)
    {
        var wrong = start.Where(s => now.GetValueOrDefault(s.Key)?.Total != s.Value.Total).Select(s => $"{s.Key}: {s.Value} became {now.GetValueOrDefault(s.Key)}").ToList();
        return Result("stock at the start = stock now + sold", wrong, $"{start.Values.Sum(s => s.Total)} units of {start.Count} products");
    }

    private static InvariantResult SoldIsConfirmed(IReadOnlyDictionary<string, StockLevel> now, Dictionary<string, long> sold)
    {
        var wrong = now.Where(n => n.Value.Sold != sold.GetValueOrDefault(n.Key)).Select(n => $"{n.Key}: sold {n.Value.Sold}, in confirmed orders {sold.GetValueOrDefault(n.Key)}").ToList();
        return Result("sold = units in confirmed orders", wrong, $"{sold.Values.Sum()} units");
    }

    private static InvariantResult EveryConfirmedOrderIsPaidOnce(Dictionary<string, Order> orders, List<Payment> payments)
    {
        var captured = payments.Where(p => p.Status == "COMPLETED").ToLookup(p => p.OrderId);
        var confirmed = orders.Values.Where(o => Confirmed.Contains(o.Status)).ToList();
        var wrong = confirmed.Where(o => captured[o.Id].Count() != 1 || captured[o.Id].Single().Amount != o.Total)
            .Select(o => $"{o.Id} of {o.Total}: paid {string.Join(" + ", captured[o.Id].Select(p => p.Amount).DefaultIfEmpty(0))}").ToList();
        return Result("every confirmed order has exactly one captured payment of its amount", wrong, $"{confirmed.Count} orders, {confirmed.Sum(o => o.Total)} minor units");
    }

    private static InvariantResult NobodyPaysForNothing(Dictionary<string, Order> orders, List<Payment> payments)
    {
        var wrong = payments.Where(p => p.Status == "COMPLETED" && p.Refunded < p.Amount && !(orders.TryGetValue(p.OrderId, out var order) && Confirmed.Contains(order.Status)))
            .Select(p => $"{p.OrderId} ({orders.GetValueOrDefault(p.OrderId)?.Status ?? "unknown"}) was charged {p.Amount}").ToList();
        return Result("no payment is kept for an order that is not confirmed", wrong, $"{payments.Count} payments");
    }

    private static InvariantResult NothingIsReserved(IReadOnlyDictionary<string, StockLevel> now, long reservations)
    {
        var wrong = now.Where(n => n.Value.Reserved != 0).Select(n => $"{n.Key}: {n.Value.Reserved}").ToList();
        if (reservations != 0)
            wrong.Insert(0, $"{reservations} reservations are open");
        return Result("no reservation is left", wrong, "0");
    }

    private static InvariantResult EveryOrderIsDecided(Dictionary<string, Order> orders)
    {
        var wrong = orders.Values.Where(o => o.Status == "PENDING").Select(o => o.Id).ToList();
        return Result("every accepted order has reached its end", wrong, $"{orders.Count} orders");
    }

    private static InvariantResult Result(string name, List<string> wrong, string detail)
    {
        const int shown = 5;
        return wrong.Count == 0 ? new(name, true, detail) : new(name, false, $"{wrong.Count} wrong: {string.Join("; ", wrong.Take(shown))}");
    }

    private async IAsyncEnumerable<NpgsqlDataReader> RowsAsync(string database, string sql, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(connectionTo(database));
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand($"SET default_transaction_read_only = on; {sql}", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
            yield return reader;
    }

    private const string OpenReservationsSql = "SELECT count(*) FROM reservations WHERE state IN ('Reserved', 'Held')";

    // Numbers of a user's orders go from 1 up without gaps: one too many is an order twice, one missing an order that was rolled back after its number was given.
    private const string GapsSql = "SELECT coalesce(sum(abs(top - placed)), 0)::bigint FROM (SELECT max(number) AS top, count(*) AS placed FROM orders GROUP BY user_id) AS numbers";

    private const string StuckSql =
        "SELECT count(*) FROM orders WHERE upper(status::text) = 'PENDING' OR (cancel_requested_at IS NOT NULL AND upper(status::text) <> 'CANCELLED')";

    private const string OrdersSql = "SELECT id::text, status::text, total_minor FROM orders";

    private const string SoldSql =
        "SELECT l.sku, sum(l.quantity)::bigint FROM order_lines l JOIN orders o ON o.id = l.order_id WHERE upper(o.status::text) IN ('CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED') GROUP BY l.sku";

    private const string PaymentsSql = "SELECT order_id::text, status::text, amount_minor, refunded_minor FROM payments";
}
