using System.Text.Json;
using DaprPlatform.Orders.Data;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Orders.History;

/// <summary>
/// The read model of orders: one row an order, written from events alone and in batches. It has generations: readers see the active one, a rebuild fills the
/// next one while events go to both, and the next becomes active as a whole.
/// </summary>
internal sealed class SummaryStore(OrdersDb db)
{
    // Rows in order, so that two batches never wait for each other in a circle.
    private const string Merge =
        """
        facts AS (
            SELECT * FROM jsonb_to_recordset({0}::jsonb) AS f(order_id uuid, user_id uuid, number bigint, currency text, total_minor bigint, pieces int,
                                                              refunded_minor bigint, created_at timestamptz, timeline jsonb))
        INSERT INTO order_summaries AS s (generation, order_id, user_id, number, currency, total_minor, pieces, refunded_minor, created_at, timeline)
        SELECT g, order_id, user_id, number, currency, total_minor, pieces, refunded_minor, created_at, timeline FROM facts CROSS JOIN generations
         ORDER BY g, order_id
        ON CONFLICT (generation, order_id) DO UPDATE SET
            number = coalesce(s.number, excluded.number),
            total_minor = coalesce(s.total_minor, excluded.total_minor),
            pieces = coalesce(s.pieces, excluded.pieces),
            refunded_minor = greatest(s.refunded_minor, excluded.refunded_minor),
            created_at = coalesce(s.created_at, excluded.created_at),
            timeline = s.timeline || excluded.timeline
        """;

    // The lock makes a rebuild begin either before this, which then writes for it too, or after its commit, of which the rebuild then reads the cause.
    private const string ByEvents =
        """
        WITH state AS MATERIALIZED (SELECT active, building FROM order_summary_state FOR SHARE),
        generations AS (SELECT active AS g FROM state UNION SELECT building FROM state WHERE building IS NOT NULL),

        """ + Merge;

    private const string ByRebuild = "WITH generations AS (SELECT {1}::int AS g),\n" + Merge;

    /// <summary>Writes what events told: one statement, whatever their number. Again is the same as once.</summary>
    public Task ApplyAsync(IEnumerable<OrderSummary> facts, CancellationToken cancellationToken) =>
        db.Database.ExecuteSqlRawAsync(ByEvents, [Json(facts)], cancellationToken);

    public async Task<SummaryState> StateAsync(CancellationToken cancellationToken) =>
        (await db.Database.SqlQuery<SummaryState>(
            $"""
             SELECT active AS "Active", building AS "Building", since AS "Since", p.position AS "Position", coalesce(p.built, 0) AS "Built"
               FROM order_summary_state LEFT JOIN order_summary_progress AS p ON p.generation = building
             """).ToListAsync(cancellationToken))[0];

    /// <summary>Begins a rebuild; one that goes on already is that rebuild.</summary>
    public Task BeginAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        db.Database.ExecuteSqlAsync($"UPDATE order_summary_state SET building = active + 1, since = {now} WHERE building IS NULL", cancellationToken);

    /// <summary>Adds rows to a generation that is being built, and notes how far it is, in one transaction.</summary>
    public async Task BuildAsync(int generation, IReadOnlyList<OrderSummary> facts, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Database.ExecuteSqlRawAsync(ByRebuild, [Json(facts), generation], cancellationToken);
        await db.Database.ExecuteSqlAsync(
            $"""
             INSERT INTO order_summary_progress AS p (generation, position, built) VALUES ({generation}, {facts[^1].OrderId}, {facts.Count})
             ON CONFLICT (generation) DO UPDATE SET position = excluded.position, built = p.built + excluded.built
             """, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Lets readers see the generation that was built, then forgets the one before.</summary>
    public async Task FinishAsync(int generation, CancellationToken cancellationToken)
    {
        await db.Database.ExecuteSqlAsync($"UPDATE order_summary_state SET active = building, building = NULL WHERE building = {generation}", cancellationToken);
        // Of every generation but these: one that a replica went on with after its end is forgotten by the next rebuild.
        await db.Database.ExecuteSqlAsync(
            $"DELETE FROM order_summaries USING order_summary_state AS state WHERE generation <> state.active AND generation <> coalesce(state.building, state.active)", cancellationToken);
        await db.Database.ExecuteSqlAsync($"DELETE FROM order_summary_progress WHERE generation <= {generation}", cancellationToken);
    }

    private static string Json(IEnumerable<OrderSummary> facts) =>
        JsonSerializer.Serialize(facts.GroupBy(f => f.OrderId).Select(g => g.Aggregate((a, b) => a.And(b))));
}

/// <param name="Active">The generation that readers see.</param>
/// <param name="Building">The one that is being built; null: none.</param>
/// <param name="Since">When the last rebuild began.</param>
/// <param name="Position">The last order it has looked at.</param>
/// <param name="Built">Orders it has looked at.</param>
internal sealed record SummaryState(int Active, int? Building, DateTimeOffset? Since, Guid? Position, long Built);
