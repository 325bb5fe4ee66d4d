using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DaprPlatform.ServiceDefaults.Outbox;

/// <summary>The table of events, as the relay reads and marks it: a trip to the database for each.</summary>
internal sealed class OutboxTable(DbContext db)
{
    // One relay at a time, or two replicas would publish one order's events out of order. Losing a mark costs a duplicate, so it need not be synced.
    private const long AdvisoryLock = 0x6f7574626f78;
    private static readonly string Take = string.Create(CultureInfo.InvariantCulture, $"SELECT pg_advisory_xact_lock({AdvisoryLock}), set_config('synchronous_commit', 'off', true)");

    private const string Read =
        """
        SELECT id, event_id, topic, type, partition_key, data, trace_parent, occurred_at FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT $1
        """;

    private const string Mark = "UPDATE outbox SET sent_at = $2 WHERE id = ANY ($1)";

    /// <summary>The oldest events that are not sent. No other relay has any until the batch is disposed of.</summary>
    public async Task<Batch> TakeAsync(int count, CancellationToken cancellationToken)
    {
        var connection = (NpgsqlConnection)db.Database.GetDbConnection();
        await db.Database.OpenConnectionAsync(cancellationToken);
        var batch = new Batch(db, connection);
        try
        {
            await using var statements = new NpgsqlBatch(connection)
            {
                BatchCommands = { new("BEGIN"), new(Take), new(Read) { Parameters = { new() { Value = count } } } },
            };
            await using var reader = await statements.ExecuteReaderAsync(cancellationToken);
            await reader.NextResultAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
                batch.Messages.Add(new OutboxMessage
                {
                    Id = reader.GetInt64(0),
                    EventId = reader.GetGuid(1),
                    Topic = reader.GetString(2),
                    Type = reader.GetString(3),
                    PartitionKey = reader.GetString(4),
                    Data = reader.GetString(5),
                    TraceParent = await reader.IsDBNullAsync(6, cancellationToken) ? null : reader.GetString(6),
                    OccurredAt = await reader.GetFieldValueAsync<DateTimeOffset>(7, cancellationToken),
                });
            return batch;
        }
        catch
        {
            await batch.DisposeAsync();
            throw;
        }
    }

    /// <summary>Events in the transaction in which they are marked.</summary>
    internal sealed class Batch(DbContext db, NpgsqlConnection connection) : IAsyncDisposable
    {
        private bool _ended;

        public List<OutboxMessage> Messages { get; } = [];

        public async Task MarkAsync(IReadOnlyCollection<long> ids, DateTimeOffset at, CancellationToken cancellationToken)
        {
            await using var statements = new NpgsqlBatch(connection)
            {
                BatchCommands = { new(Mark) { Parameters = { new() { Value = ids.ToArray() }, new() { Value = at } } }, new("COMMIT") },
            };
            await statements.ExecuteNonQueryAsync(cancellationToken);
            _ended = true;
        }

        public async ValueTask DisposeAsync()
        {
            try
            {
                if (!_ended && connection.FullState.HasFlag(System.Data.ConnectionState.Open))
                {
                    await using var rollback = new NpgsqlCommand("ROLLBACK", connection);
                    await rollback.ExecuteNonQueryAsync(CancellationToken.None);
                }
            }
            catch (Exception e) when (e is NpgsqlException or InvalidOperationException or IOException)
            {
                // The connection is gone, and with it the transaction.
            }
            finally
            {
                await db.Database.CloseConnectionAsync();
            }
        }
    }
}
