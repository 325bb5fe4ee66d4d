using System.Globalization;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Storage;
using Google.Protobuf;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>The tables that the workflow engines of one process share.</summary>
internal sealed class WorkflowTables
{
    // A turn in the middle of a workflow is one row of wf_history, beside the rows of its neighbours in time.
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS wf_hubs (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE IF NOT EXISTS wf_instances (key INTEGER PRIMARY KEY, hub INTEGER NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL, open INTEGER NOT NULL,
            custom TEXT, inbox BLOB, name TEXT, status INTEGER, created INTEGER, updated INTEGER);
        CREATE UNIQUE INDEX IF NOT EXISTS wf_ids ON wf_instances (hub, id);
        CREATE INDEX IF NOT EXISTS wf_open ON wf_instances (hub, key) WHERE open = 1;
        CREATE TABLE IF NOT EXISTS wf_history (instance INTEGER NOT NULL, block INTEGER NOT NULL, events BLOB NOT NULL, PRIMARY KEY (instance, block)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS wf_propagated (instance INTEGER PRIMARY KEY, history BLOB NOT NULL);
        """;

    private readonly Lazy<Task> _ready;
    private long _last;

    public WorkflowTables(DurableStore store)
    {
        Store = store;
        _ready = new Lazy<Task>(() => store.WriteAsync(connection =>
        {
            connection.Execute(Schema);
            InstanceIndex.Migrate(connection);
            var last = connection.Prepared("SELECT coalesce(max(key), 0) FROM wf_instances");
            _last = last.Read() ? last.Integer(0) : 0;
            last.Reset();
        }));
    }

    public DurableStore Store { get; }

    /// <summary>Told each commit that changes an instance, on the store's writer thread: it must not block. Null, as nearly always: nobody looks.</summary>
    public Action<CommittedInstance>? Observer { get; set; }

    /// <summary>Completes when the tables are there.</summary>
    public Task ReadyAsync() => _ready.Value;

    public static WorkflowTables Of(Engine engine) => engine.Shared("workflow.tables", e => new WorkflowTables(e.Store));

    /// <summary>The number of a hub of a name, made when it is new.</summary>
    public async Task<long> HubAsync(string name)
    {
        await _ready.Value.ConfigureAwait(false);
        return await Store.WriteAsync(connection =>
        {
            connection.Prepared("INSERT OR IGNORE INTO wf_hubs (name) VALUES (?1)").Bind(1, name).Run();
            var select = connection.Prepared("SELECT key FROM wf_hubs WHERE name = ?1").Bind(1, name);
            select.Read();
            var key = select.Integer(0);
            select.Reset();
            return key;
        }).ConfigureAwait(false);
    }

    public long NextKey() => Interlocked.Increment(ref _last);
}

/// <summary>
/// Workflow instances in tables of the engine's own store, for actor state stores whose server is stood in for by this process. Nothing of an instance that has ended stays in memory.
/// </summary>
/// <param name="name">Tells hubs apart: the store's server, namespace and app id.</param>
internal sealed class EngineWorkflowStorage(WorkflowTables tables, string name) : IWorkflowStorage
{
    private readonly Lazy<Task<long>> _hub = new(() => tables.HubAsync(name));

    /// <summary>An instance by the number of its hub, for those who look at it from outside.</summary>
    public static StoredInstance? Find(StoreConnection connection, long hub, string instanceId) => Load(connection, hub, instanceId);

    public async ValueTask<StoredInstance?> LoadAsync(string instanceId, CancellationToken cancellationToken)
    {
        var hub = await _hub.Value.ConfigureAwait(false);
        return await tables.Store.ReadAsync(connection => Load(connection, hub, instanceId), snapshot: true).ConfigureAwait(false);
    }

    public async ValueTask<(IReadOnlyList<string> Ids, string? Next)> OpenAsync(string? page, int limit, CancellationToken cancellationToken)
    {
        var hub = await _hub.Value.ConfigureAwait(false);
        var after = page is null ? 0 : long.Parse(page, CultureInfo.InvariantCulture);
        return await tables.Store.ReadAsync<(IReadOnlyList<string>, string?)>(connection =>
        {
            var ids = new List<string>();
            var last = 0L;
            var select = connection.Prepared("SELECT key, id FROM wf_instances WHERE hub = ?1 AND open = 1 AND key > ?2 ORDER BY key LIMIT ?3").Bind(1, hub).Bind(2, after).Bind(3, limit);
            while (select.Read())
            {
                last = select.Integer(0);
                ids.Add(select.Text(1));
            }

            return (ids, ids.Count < limit ? null : last.ToString(CultureInfo.InvariantCulture));
        }).ConfigureAwait(false);
    }

    public async ValueTask<IReadOnlyList<string>> ListAsync(string? after, int limit, CancellationToken cancellationToken)
    {
        var hub = await _hub.Value.ConfigureAwait(false);
        return await tables.Store.ReadAsync<IReadOnlyList<string>>(connection =>
        {
            var ids = new List<string>();
            var select = connection.Prepared("SELECT id FROM wf_instances WHERE hub = ?1 AND id > ?2 ORDER BY id LIMIT ?3").Bind(1, hub).Bind(2, after ?? "").Bind(3, limit);
            while (select.Read())
                ids.Add(select.Text(0));
            return ids;
        }).ConfigureAwait(false);
    }

    public ValueTask CommitAsync(InstanceChange change, CancellationToken cancellationToken)
    {
        // Who commits has loaded the instance, so the number of the hub is known.
        var work = new Change(change, _hub.Value.Result, name, tables);
        tables.Store.Enqueue(work);
        return new ValueTask(work.Task);
    }

    public async Task EraseAsync(string instanceId, CancellationToken cancellationToken)
    {
        var hub = await _hub.Value.ConfigureAwait(false);
        await tables.Store.WriteAsync(connection =>
        {
            var select = connection.Prepared("SELECT key FROM wf_instances WHERE hub = ?1 AND id = ?2").Bind(1, hub).Bind(2, instanceId);
            var key = select.Read() ? select.Integer(0) : 0;
            select.Reset();
            foreach (var rows in new[] { "DELETE FROM wf_history WHERE instance = ?1", "DELETE FROM wf_propagated WHERE instance = ?1", "DELETE FROM wf_instances WHERE key = ?1" })
                connection.Prepared(rows).Bind(1, key).Run();
        }).WaitAsync(cancellationToken).ConfigureAwait(false);
        tables.Observer?.Invoke(new CommittedInstance(name, instanceId, null, IsRemoved: true));
    }

    private static StoredInstance? Load(StoreConnection connection, long hub, string instanceId)
    {
        var select = connection.Prepared("SELECT key, generation, open, custom, inbox, (SELECT history FROM wf_propagated WHERE instance = key), status FROM wf_instances WHERE hub = ?1 AND id = ?2").Bind(1, hub).Bind(2, instanceId);
        if (!select.Read())
            return null;
        var inbox = select.IsNull(4) ? [] : GetInstanceHistoryResponse.Parser.ParseFrom(select.Bytes(4)).Events.ToArray();
        var shape = new StoredShape
        {
            Key = select.Integer(0),
            Generation = (ulong)select.Integer(1),
            IsOpen = select.Integer(2) != 0,
            CustomStatus = select.IsNull(3) ? null : select.Text(3),
            Inbox = inbox.Length,
            Status = select.IsNull(6) ? null : (OrchestrationStatus)select.Integer(6),
            Propagated = select.IsNull(5) ? null : PropagatedHistory.Parser.ParseFrom(select.Bytes(5)),
        };
        select.Reset();
        var history = new WorkflowHistory();
        var blocks = connection.Prepared("SELECT block, events FROM wf_history WHERE instance = ?1 ORDER BY block").Bind(1, shape.Key);
        while (blocks.Read())
        {
            shape.Block = (int)blocks.Integer(0) + 1;
            foreach (var e in GetInstanceHistoryResponse.Parser.ParseFrom(blocks.Bytes(1)).Events)
                history.Append(e);
        }

        shape.History = history.Events.Count;
        return new StoredInstance(shape, history, inbox);
    }

    private sealed class Change : StoreWork
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly InstanceChange _change;
        private readonly long _hub;
        private readonly string _hubName;
        private readonly WorkflowTables _tables;
        private readonly bool _isNew;
        private readonly bool _rowChanges;
        private readonly byte[]? _events;
        private readonly byte[]? _inbox;
        private readonly byte[]? _propagated;

        public Change(InstanceChange change, long hub, string hubName, WorkflowTables tables)
        {
            _change = change;
            _hub = hub;
            _hubName = hubName;
            _tables = tables;
            var before = change.Before;
            if (change.IsRemoved)
                return;
            _isNew = before.Key == 0;
            if (_isNew)
                before.Key = tables.NextKey();
            _rowChanges = _isNew || change.Inbox.Count > 0 || before.Inbox > 0 || change.CustomStatus != before.CustomStatus || change.Generation != before.Generation || change.IsOpen != before.IsOpen
                || change.Summary?.Status != before.Status;
            _inbox = change.Inbox.Count > 0 ? Bytes(change.Inbox.Select(i => i.Event)) : null;
            _events = change.Appended.Count > 0 ? Bytes(change.Appended) : null;
            _propagated = change.PropagatedChanges ? change.Propagated?.ToByteArray() : null;
        }

        public Task Task => _done.Task;

        // No statement can be refused: nobody else writes these rows.
        public override bool NeedsSavepoint => false;

        public override void Run(StoreConnection connection)
        {
            var before = _change.Before;
            var key = before.Key;
            if (_change.IsRemoved || (_change.Kept == 0 && before.History > 0))
                connection.Prepared("DELETE FROM wf_history WHERE instance = ?1").Bind(1, key).Run();
            if (_change.PropagatedChanges)
            {
                if (_propagated is null)
                    connection.Prepared("DELETE FROM wf_propagated WHERE instance = ?1").Bind(1, key).Run();
                else
                    connection.Prepared("INSERT OR REPLACE INTO wf_propagated (instance, history) VALUES (?1, ?2)").Bind(1, key).BindBlob(2, _propagated).Run();
            }

            if (_change.IsRemoved)
            {
                connection.Prepared("DELETE FROM wf_instances WHERE key = ?1").Bind(1, key).Run();
                return;
            }

            if (_events is not null)
                connection.Prepared("INSERT INTO wf_history (instance, block, events) VALUES (?1, ?2, ?3)").Bind(1, key).Bind(2, before.Block++).BindBlob(3, _events).Run();
            if (!_rowChanges)
                return;
            var statement = _isNew
                ? connection.Prepared("INSERT INTO wf_instances (key, hub, id, generation, open, custom, inbox, name, status, created, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)").Bind(2, _hub).Bind(3, _change.Id)
                : connection.Prepared("UPDATE wf_instances SET generation = ?4, open = ?5, custom = ?6, inbox = ?7, name = ?8, status = ?9, created = ?10, updated = ?11 WHERE key = ?1");
            statement.Bind(1, key).Bind(4, (long)_change.Generation).Bind(5, _change.IsOpen ? 1 : 0).Bind(6, _change.CustomStatus)
                .Bind(8, _change.Summary?.Name).Bind(9, (long?)_change.Summary?.Status).Bind(10, InstanceIndex.Milliseconds(_change.Summary?.CreatedAt)).Bind(11, InstanceIndex.Milliseconds(_change.Summary?.UpdatedAt));
            (_inbox is null ? statement.BindNull(7) : statement.BindBlob(7, _inbox)).Run();
        }

        public override void Complete()
        {
            if (_change.IsRemoved)
                _change.Before.Key = 0;
            _done.TrySetResult();
            _tables.Observer?.Invoke(new CommittedInstance(_hubName, _change.Id, _change.Summary, _change.IsRemoved));
        }

        public override void Fail(Exception error) => _done.TrySetException(error);

        private static byte[] Bytes(IEnumerable<HistoryEvent> events)
        {
            var block = new GetInstanceHistoryResponse();
            block.Events.AddRange(events);
            return block.ToByteArray();
        }
    }
}
