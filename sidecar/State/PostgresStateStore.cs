using System.Data;
using System.Globalization;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Components;
using Npgsql;
using NpgsqlTypes;

namespace DaprPlatform.Sidecar.State;

/// <summary>
/// <c>state.postgresql</c>, version 1, on a real server: a row a key, JSON as jsonb, other bytes as base64 in a JSON string with <c>isbinary</c>.
/// The ETag is the row's <c>xmin</c>: the number of the transaction that wrote it.
/// </summary>
internal sealed class PostgresStateStore(ComponentSpec spec) : IStateStore
{
    private const string Live = "(expiredate IS NULL OR expiredate > CURRENT_TIMESTAMP)";
    private const string Expiry = "CASE WHEN $4::bigint > 0 THEN CURRENT_TIMESTAMP + $4::bigint * interval '1 second' END";
    private readonly CancellationTokenSource _stopping = new();
    private NpgsqlDataSource? _source;
    private string _table = "";
    private Task _cleaning = Task.CompletedTask;

    public StateFeatures Features => StateFeatures.ETag | StateFeatures.Transactional | StateFeatures.Query | StateFeatures.Ttl | StateFeatures.KeysLike;

    private NpgsqlDataSource Source => _source ?? throw new InvalidOperationException("the store is not initialised");

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        var options = PostgresOptions.Parse(spec);
        _table = options.Table;
        try
        {
            _source = NpgsqlDataSource.Create(options.ConnectionString);
            await using var command = _source.CreateCommand($"""
                CREATE TABLE IF NOT EXISTS {options.MetadataTable} (key text NOT NULL PRIMARY KEY, value text NOT NULL);
                CREATE TABLE IF NOT EXISTS {options.Table} (key text NOT NULL PRIMARY KEY, value jsonb NOT NULL, isbinary boolean NOT NULL,
                    insertdate timestamp with time zone NOT NULL DEFAULT now(), updatedate timestamp with time zone NULL, expiredate timestamp with time zone NULL);
                """);
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateTable)
        {
            // Another sidecar makes the same tables at this moment.
        }
        catch (Exception e) when (e is NpgsqlException or ArgumentException)
        {
            throw new ComponentException($"failed to connect to the database: {e.Message}", e);
        }

        if (options.CleanupInterval is { } interval)
            _cleaning = CleanAsync(interval);
    }

    public async ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        (await GetManyAsync([key], metadata, cancellationToken).ConfigureAwait(false))[0];

    public async ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        await using var command = Source.CreateCommand($"SELECT key, value::text, isbinary, xmin::text, expiredate FROM {_table} WHERE key = ANY($1) AND {Live}");
        command.Parameters.Add(new NpgsqlParameter { Value = keys.ToArray() });
        var found = (await ReadAsync(command, cancellationToken).ConfigureAwait(false)).ToDictionary(r => r.Key, r => r.Item, StringComparer.Ordinal);
        return [.. keys.Select(k => found.GetValueOrDefault(k))];
    }

    public async ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken)
    {
        await using var connection = await Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await WriteAsync(connection, write, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        await using var connection = await Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);
        foreach (var write in writes)
            await WriteAsync(connection, write, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        await using var command = Source.CreateCommand($"""
            SELECT key FROM {_table} WHERE starts_with(key, $1) AND ($2::text IS NULL OR key COLLATE "C" > $2) AND {Live} ORDER BY key COLLATE "C" LIMIT $3
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = prefix });
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)after ?? DBNull.Value });
        command.Parameters.Add(new NpgsqlParameter { Value = limit });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var keys = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            keys.Add(reader.GetString(0));
        return keys;
    }

    public async ValueTask<StateQueryAnswer> QueryAsync(StateQuery query, CancellationToken cancellationToken)
    {
        var sql = new PostgresQuery(query, _table);
        await using var command = Source.CreateCommand(sql.Sql);
        foreach (var parameter in sql.Parameters)
            command.Parameters.Add(parameter);
        var rows = await ReadAsync(command, cancellationToken).ConfigureAwait(false);
        return new StateQueryAnswer(rows, query.Limit > 0 && rows.Count == query.Limit ? (sql.Offset + rows.Count).ToString(CultureInfo.InvariantCulture) : "");
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _cleaning.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
        if (_source is not null)
            await _source.DisposeAsync().ConfigureAwait(false);
    }

    private async Task WriteAsync(NpgsqlConnection connection, StateWrite write, CancellationToken cancellationToken)
    {
        uint version = 0;
        if (write.HasETag && !uint.TryParse(write.ETag, NumberStyles.None, CultureInfo.InvariantCulture, out version))
            throw new ETagException(true, $"strconv.ParseUint: parsing \"{write.ETag}\": invalid syntax");
        await using var command = connection.CreateCommand();
        command.Parameters.Add(new NpgsqlParameter { Value = write.Key });
        if (write.Kind == StateOperationKind.Delete)
        {
            command.CommandText = write.HasETag ? $"DELETE FROM {_table} WHERE key = $1 AND xmin = $2 AND {Live}" : $"DELETE FROM {_table} WHERE key = $1";
            if (write.HasETag)
                command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Xid, Value = version });
        }
        else
        {
            command.CommandText = write.HasETag
                ? $"UPDATE {_table} SET value = $2, isbinary = $3, updatedate = CURRENT_TIMESTAMP, expiredate = {Expiry} WHERE key = $1 AND xmin = $5 AND {Live}"
                : $"""
                    INSERT INTO {_table} AS t (key, value, isbinary, expiredate) VALUES ($1, $2, $3, {Expiry})
                    ON CONFLICT (key) DO UPDATE SET value = $2, isbinary = $3, updatedate = CURRENT_TIMESTAMP, expiredate = {Expiry}
                    {(write.Concurrency == Concurrency.FirstWrite ? "WHERE t.expiredate IS NOT NULL AND t.expiredate <= CURRENT_TIMESTAMP" : "")}
                    """;
            command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = write.IsBinary ? JsonSerializer.Serialize(Convert.ToBase64String(write.Value.Span)) : Encoding.UTF8.GetString(write.Value.Span) });
            command.Parameters.Add(new NpgsqlParameter { Value = write.IsBinary });
            command.Parameters.Add(new NpgsqlParameter { Value = (long)(StateTtl.Parse(write, "error parsing TTL: ") ?? 0) });
            if (write.HasETag)
                command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Xid, Value = version });
        }

        var changed = await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        if (changed > 0 || (write.Kind == StateOperationKind.Delete && !write.HasETag))
            return;
        throw write.HasETag ? new ETagException(false) : new StateException("no item was updated");
    }

    private static async ValueTask<List<(string Key, StateItem Item)>> ReadAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var rows = new List<(string, StateItem)>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var text = reader.GetString(1);
            var value = reader.GetBoolean(2) ? Convert.FromBase64String(JsonSerializer.Deserialize<string>(text) ?? "") : Encoding.UTF8.GetBytes(text);
            DateTimeOffset? expiry = reader.IsDBNull(4) ? null : new DateTimeOffset(reader.GetDateTime(4).ToUniversalTime());
            rows.Add((reader.GetString(0), new StateItem(value, reader.GetString(3), expiry)));
        }

        return rows;
    }

    private async Task CleanAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval, spec.Time);
        while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
        {
            try
            {
                await using var command = Source.CreateCommand($"DELETE FROM {_table} WHERE NOT {Live}");
                await command.ExecuteNonQueryAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (NpgsqlException)
            {
                // Expired rows are invisible whether they are removed or not; the next round tries again.
            }
        }
    }
}
