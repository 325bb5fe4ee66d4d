using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Storage;
using Google.Protobuf;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>A row of the table of jobs.</summary>
/// <param name="Spec">The job, serialized.</param>
internal readonly record struct JobRow(long Id, string ActorId, string Name, long Due, long Fired, long Expires, byte[] Spec);

/// <summary>A place in the order of scopes, actors and names.</summary>
/// <param name="Scope">Number of the scope.</param>
internal readonly record struct RowPlace(long Scope, string Actor, string Name);

/// <summary>A row with what it is found by.</summary>
/// <param name="Server">Address of its scheduler.</param>
internal sealed record ScheduledRow(string Server, RowPlace Place, JobScope Scope, JobRow Row);

/// <summary>
/// Where the jobs of all schedulers of this process are. A job that is replaced gets another number, so that what is still said about the old one finds nothing.
/// Members that take a connection run on the store's writer thread, unless they say otherwise.
/// </summary>
internal sealed class JobTable(DurableStore store)
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS scheduler_scopes (id INTEGER PRIMARY KEY, server TEXT NOT NULL, owner INTEGER NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
            UNIQUE (server, owner, namespace, name));
        CREATE TABLE IF NOT EXISTS scheduler_jobs (id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, actor TEXT NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL, fired INTEGER NOT NULL,
            expires INTEGER NOT NULL, spec BLOB NOT NULL, UNIQUE (scope, actor, name));
        CREATE TABLE IF NOT EXISTS scheduler_homes (scope INTEGER NOT NULL, folder TEXT NOT NULL, PRIMARY KEY (scope, folder)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS scheduler_jobs_due ON scheduler_jobs (scope, due, id);
        """;

    private const string Columns = "id, actor, name, due, fired, expires, spec";
    private long _lastId;
    private bool _isLoaded;

    public DurableStore Store => store;

    /// <summary>Makes the tables where they are missing; call before anything else.</summary>
    public Task LoadAsync() => store.WriteAsync(connection =>
    {
        if (_isLoaded)
            return;
        connection.Execute(Schema);
        var last = connection.Prepared("SELECT max(id) FROM scheduler_jobs");
        if (last.Read())
            _lastId = last.IsNull(0) ? 0 : last.Integer(0);
        last.Reset();
        _isLoaded = true;
    });

    /// <summary>The number of a scope; 0 when it has none. On any connection.</summary>
    public static long FindScope(StoreConnection connection, string server, JobScope scope)
    {
        var statement = connection.Prepared("SELECT id FROM scheduler_scopes WHERE server = ?1 AND owner = ?2 AND namespace = ?3 AND name = ?4")
            .Bind(1, server).Bind(2, (long)scope.Owner).Bind(3, scope.Namespace).Bind(4, scope.Name);
        var id = statement.Read() ? statement.Integer(0) : 0;
        statement.Reset();
        return id;
    }

    /// <summary>The number of a scope, which it gets if it has none.</summary>
    public static long AddScope(StoreConnection connection, string server, JobScope scope)
    {
        connection.Prepared("INSERT OR IGNORE INTO scheduler_scopes (server, owner, namespace, name) VALUES (?1, ?2, ?3, ?4)")
            .Bind(1, server).Bind(2, (long)scope.Owner).Bind(3, scope.Namespace).Bind(4, scope.Name).Run();
        return FindScope(connection, server, scope);
    }

    /// <summary>The number of a job and when it expires. On any connection.</summary>
    public static (long Id, long Expires)? Find(StoreConnection connection, long scope, string actorId, string name)
    {
        var statement = connection.Prepared("SELECT id, expires FROM scheduler_jobs WHERE scope = ?1 AND actor = ?2 AND name = ?3").Bind(1, scope).Bind(2, actorId).Bind(3, name);
        (long, long)? found = statement.Read() ? (statement.Integer(0), statement.Integer(1)) : null;
        statement.Reset();
        return found;
    }

    /// <summary>Adds a job and returns its number.</summary>
    public long Insert(StoreConnection connection, long scope, string actorId, string name, long due, long expires, ReadOnlySpan<byte> spec)
    {
        var id = ++_lastId;
        connection.Prepared("INSERT INTO scheduler_jobs (id, scope, actor, name, due, fired, expires, spec) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)")
            .Bind(1, id).Bind(2, scope).Bind(3, actorId).Bind(4, name).Bind(5, due).Bind(6, expires).BindBlob(7, spec).Run();
        return id;
    }

    public static void Advance(StoreConnection connection, long id, long due, long fired) =>
        connection.Prepared("UPDATE scheduler_jobs SET due = ?2, fired = ?3 WHERE id = ?1").Bind(1, id).Bind(2, due).Bind(3, fired).Run();

    public static void Delete(StoreConnection connection, long id) => connection.Prepared("DELETE FROM scheduler_jobs WHERE id = ?1").Bind(1, id).Run();

    /// <summary>The serialized job of a number. On any connection.</summary>
    public static byte[]? Spec(StoreConnection connection, long id)
    {
        var statement = connection.Prepared("SELECT spec FROM scheduler_jobs WHERE id = ?1").Bind(1, id);
        var spec = statement.Read() ? statement.Bytes(0).ToArray() : null;
        statement.Reset();
        return spec;
    }

    /// <summary>The jobs that come after a place in the order of due times.</summary>
    public static List<JobRow> After(StoreConnection connection, long scope, (long Due, long Id) place, int count)
    {
        var statement = connection.Prepared($"SELECT {Columns} FROM scheduler_jobs WHERE scope = ?1 AND (due, id) > (?2, ?3) ORDER BY due, id LIMIT ?4")
            .Bind(1, scope).Bind(2, place.Due).Bind(3, place.Id).Bind(4, (long)count);
        var rows = new List<JobRow>();
        while (statement.Read())
            rows.Add(Row(statement));
        return rows;
    }

    /// <summary>The jobs of a scope, or of one actor of it, by actor and name. On any connection.</summary>
    public static List<JobRow> List(StoreConnection connection, long scope, string? actorId)
    {
        var statement = actorId is null
            ? connection.Prepared($"SELECT {Columns} FROM scheduler_jobs WHERE scope = ?1 ORDER BY actor, name").Bind(1, scope)
            : connection.Prepared($"SELECT {Columns} FROM scheduler_jobs WHERE scope = ?1 AND actor = ?2 ORDER BY name").Bind(1, scope).Bind(2, actorId);
        var rows = new List<JobRow>();
        while (statement.Read())
            rows.Add(Row(statement));
        return rows;
    }

    /// <summary>Jobs of all scopes of an owner behind a place, by scope, actor and name. On any connection.</summary>
    public static List<ScheduledRow> Browse(StoreConnection connection, string server, JobOwner owner, RowPlace? after, int limit, long now)
    {
        var scopes = new List<(long Id, JobScope Scope)>();
        var select = connection.Prepared("SELECT id, namespace, name FROM scheduler_scopes WHERE server = ?1 AND owner = ?2 AND id >= ?3 ORDER BY id").Bind(1, server).Bind(2, (long)owner).Bind(3, after?.Scope ?? 0);
        while (select.Read())
            scopes.Add((select.Integer(0), new JobScope(owner, select.Text(1), select.Text(2))));
        var rows = new List<ScheduledRow>();
        foreach (var (id, scope) in scopes)
        {
            var place = after is { } given && given.Scope == id ? given : new RowPlace(id, "", "");
            var jobs = connection.Prepared($"SELECT {Columns} FROM scheduler_jobs WHERE scope = ?1 AND (actor, name) > (?2, ?3) AND expires > ?4 ORDER BY actor, name LIMIT ?5")
                .Bind(1, id).Bind(2, place.Actor).Bind(3, place.Name).Bind(4, now).Bind(5, (long)(limit - rows.Count));
            while (jobs.Read())
            {
                var row = Row(jobs);
                rows.Add(new ScheduledRow("", new RowPlace(id, row.ActorId, row.Name), scope, row));
            }

            if (rows.Count >= limit)
                break;
        }

        return rows;
    }

    /// <summary>How many jobs of a scope have not expired. On any connection.</summary>
    public static long Count(StoreConnection connection, long scope, long now)
    {
        var statement = connection.Prepared("SELECT count(*) FROM scheduler_jobs WHERE scope = ?1 AND expires > ?2").Bind(1, scope).Bind(2, now);
        statement.Read();
        var count = statement.Integer(0);
        statement.Reset();
        return count;
    }

    /// <summary>The numbers of the jobs of a scope, or of one actor of it, whose names begin with a prefix.</summary>
    public static List<long> WithPrefix(StoreConnection connection, long scope, string? actorId, string prefix)
    {
        var statement = actorId is null
            ? connection.Prepared("SELECT id, name FROM scheduler_jobs WHERE scope = ?1").Bind(1, scope)
            : connection.Prepared("SELECT id, name FROM scheduler_jobs WHERE scope = ?1 AND actor = ?2 AND name >= ?3 ORDER BY name").Bind(1, scope).Bind(2, actorId).Bind(3, prefix);
        var ids = new List<long>();
        while (statement.Read())
        {
            if (prefix.Length == 0 || statement.Text(1).StartsWith(prefix, StringComparison.Ordinal))
                ids.Add(statement.Integer(0));
            else if (actorId is not null)
                break;
        }

        statement.Reset();
        return ids;
    }

    /// <summary>The folders that a scope was used from.</summary>
    public static List<string> Homes(StoreConnection connection, long scope)
    {
        var statement = connection.Prepared("SELECT folder FROM scheduler_homes WHERE scope = ?1").Bind(1, scope);
        var folders = new List<string>();
        while (statement.Read())
            folders.Add(statement.Text(0));
        return folders;
    }

    public static void AddHome(StoreConnection connection, long scope, string folder) =>
        connection.Prepared("INSERT OR IGNORE INTO scheduler_homes (scope, folder) VALUES (?1, ?2)").Bind(1, scope).Bind(2, folder).Run();

    public static void DeleteHomes(StoreConnection connection, long scope) => connection.Prepared("DELETE FROM scheduler_homes WHERE scope = ?1").Bind(1, scope).Run();

    public static Job Parse(byte[] spec) => Job.Parser.ParseFrom(spec);

    public static byte[] Serialize(Job job) => job.ToByteArray();

    private static JobRow Row(StoreStatement row) => new(row.Integer(0), row.Text(1), row.Text(2), row.Integer(3), row.Integer(4), row.Integer(5), row.Bytes(6).ToArray());
}
