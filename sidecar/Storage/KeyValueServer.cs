using System.Runtime.InteropServices;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>
/// A key-value server in this process: everything is in memory, every change also in the durable store. Conditions are checked on the store's writer thread,
/// so in the order of the commits and without a lock; the maps that readers see change after the commit.
/// </summary>
internal sealed class KeyValueServer(string name, KeyValueFlavor flavor, KeyValueTable table, TimeProvider time) : IKeyValueServer
{
    private const int RevisionsAtATime = 1024;

    private readonly Dictionary<string, Space> _spaces = new(StringComparer.Ordinal);

    // Writer thread only. The revisions up to the reserved one are never handed out again after a restart; 0 when it is not known what is reserved.
    private long _revision = 1;
    private long _reserved = 1;

    public string Name => name;

    public KeyValueFlavor Flavor => flavor;

    private KeyValueTable Table => table;

    public ValueTask<KeyValueRecord?> GetAsync(string space, string key, CancellationToken cancellationToken)
    {
        var rows = SpaceOf(space);
        lock (rows)
            return new ValueTask<KeyValueRecord?>(rows.Find(key, Now()));
    }

    public ValueTask<KeyValueRecord?[]> GetManyAsync(string space, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var found = new KeyValueRecord?[keys.Count];
        var rows = SpaceOf(space);
        var now = Now();
        lock (rows)
        {
            for (var i = 0; i < found.Length; i++)
                found[i] = rows.Find(keys[i], now);
        }

        return new ValueTask<KeyValueRecord?[]>(found);
    }

    public ValueTask<IReadOnlyList<string>> KeysAsync(string space, string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        var rows = SpaceOf(space);
        var now = Now();
        lock (rows)
        {
            foreach (var key in rows.KeysFrom(after is not null && string.CompareOrdinal(after, prefix) > 0 ? after : prefix))
            {
                if (keys.Count >= limit || !key.StartsWith(prefix, StringComparison.Ordinal))
                    break;
                if (key != after && rows.Find(key, now) is not null)
                    keys.Add(key);
            }
        }

        return new ValueTask<IReadOnlyList<string>>(keys);
    }

    public ValueTask<KeyValueResult[]> TransactAsync(string space, IReadOnlyList<KeyValueOperation> operations, bool allOrNothing, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var work = new TransactWork(this, SpaceOf(space), operations, allOrNothing);
        table.Store.Enqueue(work);
        return new ValueTask<KeyValueResult[]>(work.Task);
    }

    public ValueTask<IAsyncDisposable> WatchAsync(string space, Action<KeyValueChange> listener, CancellationToken cancellationToken) =>
        new(new Watch(SpaceOf(space), listener));

    /// <summary>A row read at start, before anything else happens.</summary>
    public void Load(long id, string space, string key, KeyValueRecord record) => SpaceOf(space).Set(key, new Row(id, record));

    /// <summary>The revision the server must not go below.</summary>
    public void LoadRevision(long reserved) => _revision = _reserved = reserved;

    /// <summary>Removes what has expired; completes when that is durable.</summary>
    public async Task SweepAsync()
    {
        Space[] spaces;
        lock (_spaces)
            spaces = [.. _spaces.Values];
        foreach (var space in spaces)
        {
            IReadOnlyList<string> expired;
            lock (space)
                expired = space.Expired(Now());
            if (expired.Count == 0)
                continue;
            var work = new SweepWork(this, space, expired);
            table.Store.Enqueue(work);
            await work.Task.ConfigureAwait(false);
        }
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    private Space SpaceOf(string space)
    {
        lock (_spaces)
        {
            ref var found = ref CollectionsMarshal.GetValueRefOrAddDefault(_spaces, space, out _);
            return found ??= new Space(space);
        }
    }

    private void TakeRevision(StoreConnection connection)
    {
        _revision++;
        if (_revision <= _reserved)
            return;
        _reserved = _revision + RevisionsAtATime;
        table.Reserve(connection, name, _reserved);
    }

    // What is in the way of an operation; null is nothing.
    private static KeyValueResult? Refusal(KeyValueOperation operation, KeyValueRecord? record)
    {
        var fits = operation.Condition switch
        {
            KeyValueCondition.None => true,
            KeyValueCondition.Absent => record is null,
            KeyValueCondition.Version => record?.Version == operation.Version,
            KeyValueCondition.VersionOrAbsent => record is null || record.Version == operation.Version,
            KeyValueCondition.Unmarked => record is null || !record.Marked,
            KeyValueCondition.Value => record is not null && record.Value.Span.SequenceEqual(operation.Expected.Span),
            _ => throw new ArgumentOutOfRangeException(nameof(operation)),
        };
        return fits ? null : record is null ? new KeyValueResult(KeyValueStatus.Missing, 0) : new KeyValueResult(KeyValueStatus.Conflict, record.Version);
    }

    private KeyValueRecord NewRecord(KeyValueOperation operation, KeyValueRecord? record, long revision, long now)
    {
        var expiresAt = operation.Ttl switch
        {
            KeyValueTtl.Set => operation.TtlMilliseconds > long.MaxValue - now ? 0 : now + operation.TtlMilliseconds,
            KeyValueTtl.Keep => record?.ExpiresAt ?? 0,
            _ => 0,
        };
        var version = flavor == KeyValueFlavor.Etcd ? revision : (record?.Version ?? 0) + 1;
        return new KeyValueRecord(operation.Value, version, expiresAt, operation.Mark || record?.Marked == true);
    }

    /// <summary>A record and where the durable store has it.</summary>
    private sealed record Row(long Id, KeyValueRecord Record);

    private sealed class Space(string name)
    {
        private readonly Dictionary<string, Row> _rows = new(StringComparer.Ordinal);
        private readonly SortedSet<string> _keys = new(StringComparer.Ordinal);

        public string Name => name;

        /// <summary>What transactions that are not committed yet have made of keys; null is deleted. Writer thread only.</summary>
        public Dictionary<string, Row?> Pending { get; } = new(StringComparer.Ordinal);

        public Action<KeyValueChange>? Listeners { get; set; }

        public KeyValueRecord? Find(string key, long now) => _rows.TryGetValue(key, out var row) && !row.Record.HasExpired(now) ? row.Record : null;

        /// <summary>What the next transaction finds, expired or not. Writer thread only: it alone changes the map, so it needs no lock to read it.</summary>
        public Row? Latest(string key) => Pending.TryGetValue(key, out var pending) ? pending : _rows.GetValueOrDefault(key);

        public IEnumerable<string> KeysFrom(string first) =>
            _keys.Max is { } last && string.CompareOrdinal(last, first) >= 0 ? _keys.GetViewBetween(first, last) : [];

        public IReadOnlyList<string> Expired(long now) => [.. _rows.Where(r => r.Value.Record.HasExpired(now)).Select(r => r.Key)];

        public void Set(string key, Row? row)
        {
            if (row is null)
            {
                if (_rows.Remove(key))
                    _keys.Remove(key);
                return;
            }

            ref var slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_rows, key, out var existed);
            slot = row;
            if (!existed)
                _keys.Add(key);
        }
    }

    private sealed class Watch : IAsyncDisposable
    {
        private readonly Space _space;
        private readonly Action<KeyValueChange> _listener;

        public Watch(Space space, Action<KeyValueChange> listener)
        {
            (_space, _listener) = (space, listener);
            lock (space)
                space.Listeners += listener;
        }

        public ValueTask DisposeAsync()
        {
            lock (_space)
                _space.Listeners -= _listener;
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>A write to one space: plans its changes first, then writes them, and shows them to readers after the commit.</summary>
    private abstract class SpaceWork(KeyValueServer server, Space space) : StoreWork
    {
        private readonly List<(string Key, Row? After, long Id, bool WasPending, Row? PendingBefore)> _changes = new(1);

        // Every condition is checked before the first statement.
        public override bool NeedsSavepoint => false;

        protected KeyValueServer Server => server;

        protected Space Space => space;

        public override void Run(StoreConnection connection)
        {
            Plan(server.Now());
            if (_changes.Count > 0 && server.Flavor == KeyValueFlavor.Etcd)
                server.TakeRevision(connection);
            foreach (var (key, after, id, _, _) in _changes)
            {
                if (after is null)
                    server.Table.Delete(connection, id);
                else
                    server.Table.Put(connection, id, server.Name, space.Name, key, after.Record);
            }
        }

        public override void Committed()
        {
            if (_changes.Count == 0)
                return;
            Action<KeyValueChange>? listeners;
            lock (space)
            {
                foreach (var change in _changes)
                {
                    space.Set(change.Key, change.After);
                    space.Pending.Remove(change.Key);
                }

                listeners = space.Listeners;
            }

            if (listeners is null)
                return;
            foreach (var change in _changes)
                listeners(new KeyValueChange(change.Key, change.After?.Record.Value));
        }

        public override void Fail(Exception error)
        {
            // The group is lost as a whole, with everything that is pending.
            foreach (var change in _changes)
                space.Pending.Remove(change.Key);
            if (_changes.Count > 0)
                server._reserved = 0;
            _changes.Clear();
        }

        protected abstract void Plan(long now);

        protected void Put(string key, Row? before, KeyValueRecord record)
        {
            var id = before?.Id ?? server.Table.NextId();
            Change(key, new Row(id, record), id);
        }

        protected void Delete(string key, Row before) => Change(key, null, before.Id);

        protected void ForgetPlan()
        {
            for (var i = _changes.Count - 1; i >= 0; i--)
            {
                if (_changes[i].WasPending)
                    space.Pending[_changes[i].Key] = _changes[i].PendingBefore;
                else
                    space.Pending.Remove(_changes[i].Key);
            }

            _changes.Clear();
        }

        private void Change(string key, Row? after, long id)
        {
            var wasPending = space.Pending.TryGetValue(key, out var pendingBefore);
            space.Pending[key] = after;
            _changes.Add((key, after, id, wasPending, pendingBefore));
        }
    }

    private sealed class TransactWork(KeyValueServer server, Space space, IReadOnlyList<KeyValueOperation> operations, bool allOrNothing) : SpaceWork(server, space)
    {
        private readonly TaskCompletionSource<KeyValueResult[]> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly KeyValueResult[] _results = new KeyValueResult[operations.Count];

        public Task<KeyValueResult[]> Task => _done.Task;

        public override void Complete() => _done.TrySetResult(_results);

        public override void Fail(Exception error)
        {
            base.Fail(error);
            _done.TrySetException(error);
        }

        protected override void Plan(long now)
        {
            for (var i = 0; i < _results.Length; i++)
            {
                var operation = operations[i];
                var row = Space.Latest(operation.Key);
                var record = row is null || row.Record.HasExpired(now) ? null : row.Record;
                if (Refusal(operation, record) is { } refusal)
                {
                    _results[i] = refusal;
                    if (!allOrNothing)
                        continue;
                    ForgetPlan();
                    Array.Fill(_results, new KeyValueResult(KeyValueStatus.Skipped, 0), 0, i);
                    Array.Fill(_results, new KeyValueResult(KeyValueStatus.Skipped, 0), i + 1, _results.Length - i - 1);
                    return;
                }

                if (!operation.IsDelete)
                {
                    var changed = Server.NewRecord(operation, record, Server._revision + 1, now);
                    Put(operation.Key, row, changed);
                    _results[i] = new KeyValueResult(KeyValueStatus.Done, changed.Version);
                }
                else
                {
                    if (row is not null)
                        Delete(operation.Key, row);
                    _results[i] = new KeyValueResult(KeyValueStatus.Done, 0);
                }
            }
        }
    }

    private sealed class SweepWork(KeyValueServer server, Space space, IReadOnlyList<string> keys) : SpaceWork(server, space)
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Task => _done.Task;

        public override void Complete() => _done.TrySetResult();

        public override void Fail(Exception error)
        {
            base.Fail(error);
            _done.TrySetException(error);
        }

        protected override void Plan(long now)
        {
            foreach (var key in keys)
            {
                if (Space.Latest(key) is { } row && row.Record.HasExpired(now))
                    Delete(key, row);
            }
        }
    }
}
