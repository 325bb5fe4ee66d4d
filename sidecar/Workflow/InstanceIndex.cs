using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Storage;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Data.Sqlite;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>A commit, as those who follow instances are told it.</summary>
/// <param name="Hub">Name of the hub: the store's server, namespace and app id.</param>
/// <param name="Summary">Null: removed.</param>
internal sealed record CommittedInstance(string Hub, string Id, InstanceSummary? Summary, bool IsRemoved);

/// <summary>What instances are looked for by.</summary>
/// <param name="Hubs">Numbers; null: all.</param>
/// <param name="Statuses">Null: any.</param>
/// <param name="Name">Of the workflow, all of it; null: any.</param>
/// <param name="Text">A part of the id or of the workflow's name, in any case; null: any.</param>
/// <param name="From">Created then or later, Unix milliseconds; null: no limit.</param>
/// <param name="To">Created before; null: no limit.</param>
/// <param name="Before">Older than the instance of this number; null: from the newest.</param>
internal sealed record InstanceQuery(IReadOnlySet<long>? Hubs, IReadOnlySet<OrchestrationStatus>? Statuses, string? Name, string? Text, long? From, long? To, long? Before, int Limit)
{
    public bool IsUnfiltered => Statuses is null && Name is null && Text is null && From is null && To is null;
}

/// <param name="Created">Unix milliseconds; null until its first turn.</param>
internal sealed record IndexedInstance(long Key, long Hub, string Id, string Name, OrchestrationStatus Status, long? Created, long? Updated, string? CustomStatus);

/// <param name="Next">Older ones begin before this number; null: there are none.</param>
/// <param name="RowsRead">What it took.</param>
internal sealed record IndexedPage(IReadOnlyList<IndexedInstance> Instances, long? Next, int RowsRead);

/// <summary>
/// Instances newest first, in the order in which their ids were first used. The columns stand in the instances' own rows, which are written anyway when an instance begins, ends or
/// changes its status, and the only index of its own leaves out instances that run or have completed, so that the way of a workflow costs what it did before.
/// </summary>
internal static class InstanceIndex
{
    /// <summary>Rows one look reads at most; a page that ends there says where to go on.</summary>
    public const int MostRows = 250_000;

    private const string Columns = "key, hub, id, name, status, created, updated, custom";
    private static readonly OrchestrationStatus[] Usual = [OrchestrationStatus.Running, OrchestrationStatus.Completed];
    private static readonly OrchestrationStatus[] Ended = [OrchestrationStatus.Completed, OrchestrationStatus.Failed, OrchestrationStatus.Terminated, OrchestrationStatus.Canceled];

    /// <summary>Brings the table of an earlier version up to this one.</summary>
    public static void Migrate(StoreConnection connection)
    {
        var columns = new HashSet<string>(StringComparer.Ordinal);
        var info = connection.Prepared("SELECT name FROM pragma_table_info('wf_instances')");
        while (info.Read())
            columns.Add(info.Text(0));
        if (!columns.Contains("status"))
        {
            foreach (var column in (string[])["name TEXT", "status INTEGER", "created INTEGER", "updated INTEGER"])
                connection.Execute($"ALTER TABLE wf_instances ADD COLUMN {column}");
            Fill(connection);
        }

        connection.Execute("CREATE INDEX IF NOT EXISTS wf_unusual ON wf_instances (key) WHERE status > 1");
    }

    public static long? Milliseconds(Timestamp? time) => time?.ToDateTimeOffset().ToUnixTimeMilliseconds();

    /// <exception cref="SqliteException">The store fails.</exception>
    public static IndexedPage Read(StoreConnection connection, InstanceQuery query)
    {
        var found = new List<IndexedInstance>();
        var rowsRead = 0;
        long? next = null;
        foreach (var statement in Sources(connection, query))
        {
            var rows = 0;
            var matched = 0;
            while (statement.Read())
            {
                rows++;
                if (Matches(statement, query))
                {
                    found.Add(Row(statement));
                    matched++;
                }

                if (matched <= query.Limit && rows < MostRows)
                    continue;
                // Whatever this source still has is older; so is what the others have from there on.
                if (matched <= query.Limit)
                    next = Math.Max(next ?? 0, statement.Integer(0));
                statement.Reset();
                break;
            }

            rowsRead += rows;
        }

        found.Sort(static (a, b) => b.Key.CompareTo(a.Key));
        // Where one source was left early, the others' older instances are not next to what was read.
        if (next is { } edge)
            found.RemoveAll(i => i.Key < edge);
        if (found.Count > query.Limit)
        {
            found.RemoveRange(query.Limit, found.Count - query.Limit);
            next = found[^1].Key;
        }

        for (var i = 0; i < found.Count; i++)
        {
            if (!Ended.Contains(found[i].Status))
                found[i] = found[i] with { Updated = LastEvent(connection, found[i].Key) ?? found[i].Updated };
        }

        return new IndexedPage(found, next, rowsRead);
    }

    /// <summary>How many instances hubs have.</summary>
    public static long Count(StoreConnection connection, IReadOnlySet<long>? hubs)
    {
        if (hubs is null)
            return One(connection.Prepared("SELECT count(*) FROM wf_instances"));
        return hubs.Sum(hub => One(connection.Prepared("SELECT count(*) FROM wf_instances WHERE hub = ?1").Bind(1, hub)));

        static long One(StoreStatement statement)
        {
            statement.Read();
            var count = statement.Integer(0);
            statement.Reset();
            return count;
        }
    }

    /// <summary>All hubs by their numbers.</summary>
    public static Dictionary<long, string> Hubs(StoreConnection connection)
    {
        var hubs = new Dictionary<long, string>();
        var select = connection.Prepared("SELECT key, name FROM wf_hubs");
        while (select.Read())
            hubs[select.Integer(0)] = select.Text(1);
        return hubs;
    }

    // Those that have not ended, and those with an unusual end, are found without passing over all the others.
    private static IEnumerable<StoreStatement> Sources(StoreConnection connection, InstanceQuery query)
    {
        var before = query.Before ?? long.MaxValue;
        if (query.Statuses is { } unusual && !unusual.Overlaps(Usual))
        {
            yield return connection.Prepared($"SELECT {Columns} FROM wf_instances INDEXED BY wf_unusual WHERE status > 1 AND key < ?1 ORDER BY key DESC").Bind(1, before);
        }
        else if (query.Statuses is { } open && !open.Overlaps(Ended))
        {
            foreach (var hub in query.Hubs ?? Hubs(connection).Keys.ToHashSet())
                yield return connection.Prepared($"SELECT {Columns} FROM wf_instances INDEXED BY wf_open WHERE hub = ?1 AND open = 1 AND key < ?2 ORDER BY key DESC").Bind(1, hub).Bind(2, before);
        }
        else
        {
            yield return connection.Prepared($"SELECT {Columns} FROM wf_instances WHERE key < ?1 ORDER BY key DESC").Bind(1, before);
        }
    }

    private static bool Matches(StoreStatement row, InstanceQuery query)
    {
        if (query.Hubs is { } hubs && !hubs.Contains(row.Integer(1)))
            return false;
        if (query.Statuses is { } statuses && !statuses.Contains((OrchestrationStatus)row.Integer(4)))
            return false;
        if (query.From is not null || query.To is not null)
        {
            if (row.IsNull(5) || row.Integer(5) is var created && (created < (query.From ?? long.MinValue) || created >= (query.To ?? long.MaxValue)))
                return false;
        }

        if (query.Name is { } name && row.Text(3) != name)
            return false;
        return query.Text is not { } text || row.Text(2).Contains(text, StringComparison.OrdinalIgnoreCase) || row.Text(3).Contains(text, StringComparison.OrdinalIgnoreCase);
    }

    private static IndexedInstance Row(StoreStatement row) => new(row.Integer(0), row.Integer(1), row.Text(2), row.IsNull(3) ? "" : row.Text(3), (OrchestrationStatus)row.Integer(4),
        row.IsNull(5) ? null : row.Integer(5), row.IsNull(6) ? null : row.Integer(6), row.IsNull(7) ? null : row.Text(7));

    // A turn in the middle of a workflow does not write the instance's row.
    private static long? LastEvent(StoreConnection connection, long key)
    {
        var select = connection.Prepared("SELECT events FROM wf_history WHERE instance = ?1 ORDER BY block DESC LIMIT 1").Bind(1, key);
        if (!select.Read())
            return null;
        var events = GetInstanceHistoryResponse.Parser.ParseFrom(select.Bytes(0)).Events;
        select.Reset();
        return events.Count == 0 ? null : Milliseconds(events[^1].Timestamp);
    }

    private static void Fill(StoreConnection connection)
    {
        var instances = new List<(long Hub, string Id)>();
        var select = connection.Prepared("SELECT hub, id FROM wf_instances");
        while (select.Read())
            instances.Add((select.Integer(0), select.Text(1)));
        foreach (var (hub, id) in instances)
        {
            var stored = EngineWorkflowStorage.Find(connection, hub, id)!;
            var start = stored.Inbox.Count > 0 ? stored.Inbox[0].ExecutionStarted : null;
            var summary = stored.History.Summary([], start, isContinued: start is not null && stored.Shape.Generation > 1);
            connection.Prepared("UPDATE wf_instances SET name = ?2, status = ?3, created = ?4, updated = ?5 WHERE key = ?1")
                .Bind(1, stored.Shape.Key).Bind(2, summary.Name).Bind(3, (long)summary.Status).Bind(4, Milliseconds(summary.CreatedAt)).Bind(5, Milliseconds(summary.UpdatedAt)).Run();
        }
    }
}
