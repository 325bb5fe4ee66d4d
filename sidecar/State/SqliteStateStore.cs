using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.State;

/// <summary>
/// <c>state.sqlite</c>: the component's own file, in the format of Dapr's component, so that either can go on with what the other wrote. Writes of concurrent
/// callers share a commit. ETags are UUIDs, times whole seconds in UTC; what has expired is not there, although its row is until the next cleaning.
/// </summary>
internal sealed class SqliteStateStore(ComponentSpec spec) : IStateStore
{
    private readonly TimeProvider _time = spec.Time;
    private readonly CancellationTokenSource _stopping = new();
    private SqliteSql _sql = new("state", "metadata");
    private DurableStore? _store;
    private Task _cleaning = Task.CompletedTask;

    public StateFeatures Features => StateFeatures.ETag | StateFeatures.Transactional | StateFeatures.Ttl | StateFeatures.KeysLike;

    public bool FindsRepeatedKeysOnce => true;

    private DurableStore Store => _store ?? throw new InvalidOperationException("the store is not initialised");

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        var options = SqliteOptions.Parse(spec);
        _sql = new SqliteSql(options.Table, options.MetadataTable);
        try
        {
            _store = SqliteFiles.Of(spec.Engine).Open(options);
            await _store.WriteAsync(_sql.Migrate).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (StoreException e)
        {
            throw new ComponentException(e.Message, e);
        }

        if (options.CleanupInterval is { } interval)
            _cleaning = CleanAsync(interval);
    }

    public ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var now = Now();
        return Store.ReadAsync(connection => Find(connection, key, now));
    }

    public ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var now = Now();
        return Store.ReadAsync<IReadOnlyList<StateItem?>>(connection =>
        {
            var items = new StateItem?[keys.Count];
            for (var i = 0; i < items.Length; i++)
                items[i] = Find(connection, keys[i], now);
            return items;
        }, snapshot: true);
    }

    public ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken) => Enqueue([write]);

    public ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) => Enqueue(writes);

    public ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        var now = Now();
        return Store.ReadAsync<IReadOnlyList<string>>(connection =>
        {
            var keys = new List<string>();
            // Both ends as the index has them: a page costs what it holds, wherever it is.
            var goesOn = after is not null && string.CompareOrdinal(after, prefix) >= 0;
            var select = connection.Prepared(goesOn ? _sql.KeysAfter : _sql.Keys).Bind(1, now).Bind(2, goesOn ? after : prefix).Bind(4, limit);
            // Every text comes before every blob.
            select = SqliteSql.After(prefix) is { } end ? select.Bind(3, end) : select.BindBlob(3, [0]);
            while (select.Read())
                keys.Add(select.Text(0));
            return keys;
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _cleaning.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
        if (Interlocked.Exchange(ref _store, null) is { } store)
            await SqliteFiles.Of(spec.Engine).CloseAsync(store).ConfigureAwait(false);
    }

    /// <summary>Removes the rows that have expired, unless another process has done so within the interval.</summary>
    public Task CleanAsync(TimeSpan interval, CancellationToken cancellationToken) => Store.WriteAsync(connection =>
    {
        var now = _time.GetUtcNow();
        if (connection.Prepared(_sql.ClaimCleanup).Bind(1, SqliteSql.Time(now)).Bind(2, SqliteSql.Time(now - interval)).Run() > 0)
            connection.Prepared(_sql.Cleanup).Bind(1, SqliteSql.Time(now)).Run();
    }).WaitAsync(cancellationToken);

    private async Task CleanAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval, _time);
        while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
        {
            try
            {
                await CleanAsync(interval, _stopping.Token).ConfigureAwait(false);
            }
            catch (StoreException)
            {
                // Expired rows are invisible whether they are removed or not; the next round tries again.
            }
        }
    }

    private string Now() => SqliteSql.Time(_time.GetUtcNow());

    private ValueTask Enqueue(IReadOnlyList<StateWrite> writes)
    {
        var expiries = new string?[writes.Count];
        for (var i = 0; i < expiries.Length; i++)
        {
            if (writes[i].Kind == StateOperationKind.Upsert && StateTtl.Parse(writes[i], "error parsing TTL: ") is > 0 and var seconds)
                expiries[i] = SqliteSql.Time(_time.GetUtcNow().AddSeconds(seconds));
        }

        var work = new WriteWork(_sql, writes, expiries, Now());
        Store.Enqueue(work);
        return new ValueTask(work.Task);
    }

    private StateItem? Find(StoreConnection connection, string key, string now)
    {
        var select = connection.Prepared(_sql.Find).Bind(1, now).Bind(2, key);
        if (!select.Read())
            return null;
        var value = select.Bytes(0);
        StateItem item;
        if (select.Integer(1) == 0)
        {
            item = new StateItem(value.ToArray(), select.Text(2), SqliteSql.Time(select, 3));
        }
        else
        {
            var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(value.Length)];
            if (Base64.DecodeFromUtf8(value, bytes, out _, out var written) != OperationStatus.Done)
            {
                select.Reset();
                throw new StateException($"the value of {key} is marked as binary and is no base64");
            }

            item = new StateItem(bytes.AsMemory(0, written), select.Text(2), SqliteSql.Time(select, 3));
        }

        select.Reset();
        return item;
    }

    private sealed class WriteWork(SqliteSql sql, IReadOnlyList<StateWrite> writes, string?[] expiries, string now) : StoreWork
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Task => _done.Task;

        // A single statement that changes nothing leaves nothing to take back.
        public override bool NeedsSavepoint => writes.Count > 1;

        public override void Run(StoreConnection connection)
        {
            for (var i = 0; i < expiries.Length; i++)
            {
                var write = writes[i];
                var changed = write.Kind == StateOperationKind.Delete ? Delete(connection, write) : Upsert(connection, write, expiries[i]);
                if (!changed)
                    throw new ETagException(false);
            }
        }

        public override void Complete() => _done.TrySetResult();

        public override void Fail(Exception error) => _done.TrySetException(error);

        private bool Delete(StoreConnection connection, StateWrite write)
        {
            if (write.HasETag)
                return connection.Prepared(sql.DeleteMatching).Bind(1, now).Bind(2, write.Key).Bind(3, write.ETag).Run() > 0;
            connection.Prepared(sql.Delete).Bind(1, write.Key).Run();
            return true;
        }

        private bool Upsert(StoreConnection connection, StateWrite write, string? expiry)
        {
            var statement = connection.Prepared(write.HasETag ? sql.UpdateMatching : write.Concurrency == Concurrency.FirstWrite ? sql.InsertNew : sql.Upsert)
                .Bind(1, now).Bind(2, write.Key).Bind(4, write.IsBinary ? 1 : 0).Bind(5, Guid.NewGuid().ToString()).Bind(6, expiry);
            BindValue(statement, write);
            if (write.HasETag)
                statement.Bind(7, write.ETag);
            return statement.Run() > 0;
        }

        private static void BindValue(StoreStatement statement, StateWrite write)
        {
            if (!write.IsBinary)
            {
                statement.BindText(3, write.Value.Span);
                return;
            }

            var encoded = ArrayPool<byte>.Shared.Rent(Base64.GetMaxEncodedToUtf8Length(write.Value.Length));
            Base64.EncodeToUtf8(write.Value.Span, encoded, out _, out var written);
            statement.BindText(3, encoded.AsSpan(0, written));
            ArrayPool<byte>.Shared.Return(encoded);
        }
    }
}

/// <summary>The statements of <c>state.sqlite</c> for one pair of tables. ?1 is the time now.</summary>
internal sealed class SqliteSql(string table, string metadata)
{
    private const string TimeFormat = "yyyy-MM-dd HH:mm:ss";
    private const string Live = "(expiration_time IS NULL OR expiration_time > ?1)";

    public string Find { get; } = $"SELECT value, is_binary, etag, expiration_time FROM {table} WHERE key = ?2 AND {Live}";

    public string Keys { get; } = $"SELECT key FROM {table} WHERE key >= ?2 AND key < ?3 AND {Live} ORDER BY key LIMIT ?4";

    public string KeysAfter { get; } = $"SELECT key FROM {table} WHERE key > ?2 AND key < ?3 AND {Live} ORDER BY key LIMIT ?4";

    public string Upsert { get; } = $"""
        INSERT INTO {table} (key, value, is_binary, etag, expiration_time, update_time) VALUES (?2, ?3, ?4, ?5, ?6, ?1)
        ON CONFLICT (key) DO UPDATE SET value = ?3, is_binary = ?4, etag = ?5, expiration_time = ?6, update_time = ?1
        """;

    public string InsertNew { get; } = $"""
        INSERT INTO {table} (key, value, is_binary, etag, expiration_time, update_time) VALUES (?2, ?3, ?4, ?5, ?6, ?1)
        ON CONFLICT (key) DO UPDATE SET value = ?3, is_binary = ?4, etag = ?5, expiration_time = ?6, update_time = ?1 WHERE NOT {Live}
        """;

    public string UpdateMatching { get; } =
        $"UPDATE {table} SET value = ?3, is_binary = ?4, etag = ?5, expiration_time = ?6, update_time = ?1 WHERE key = ?2 AND etag = ?7 AND {Live}";

    public string Delete { get; } = $"DELETE FROM {table} WHERE key = ?1";

    public string DeleteMatching { get; } = $"DELETE FROM {table} WHERE key = ?2 AND etag = ?3 AND {Live}";

    public string Cleanup { get; } = $"DELETE FROM {table} WHERE NOT {Live}";

    public string ClaimCleanup { get; } =
        $"INSERT INTO {metadata} (key, value) VALUES ('last-cleanup', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1 WHERE value <= ?2";

    /// <summary>Makes the tables as Dapr's component does.</summary>
    /// <exception cref="StateException">They are of a later version.</exception>
    public void Migrate(StoreConnection connection)
    {
        connection.Execute($"CREATE TABLE IF NOT EXISTS {metadata} (key text NOT NULL PRIMARY KEY, value text NOT NULL)");
        connection.Execute($"""
            CREATE TABLE IF NOT EXISTS {table} (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL, etag TEXT NOT NULL,
                expiration_time TIMESTAMP DEFAULT NULL, update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)
            """);
        connection.Execute($"INSERT OR IGNORE INTO {metadata} (key, value) VALUES ('migrations', '1')");
        var version = connection.Prepared($"SELECT value FROM {metadata} WHERE key = 'migrations'");
        var text = version.Read() ? version.Text(0) : "";
        version.Reset();
        if (text != "1")
            throw new ComponentException($"the table {table} has the version {text}; this runtime knows version 1");
    }

    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);

    public static DateTimeOffset? Time(StoreStatement row, int column) => row.IsNull(column) ? null
        : DateTimeOffset.Parse(row.Text(column), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);

    /// <summary>The least key that is above all that begin with a prefix; null when there is none.</summary>
    public static string? After(string prefix)
    {
        for (var length = prefix.Length; length > 0; length--)
        {
            var last = prefix[length - 1];
            if (last < '\uD7FF')
                return prefix[..(length - 1)] + (char)(last + 1);
        }

        return null;
    }
}
