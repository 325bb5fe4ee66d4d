namespace DaprPlatform.Sidecar.Storage;

/// <summary>
/// Where the key-value servers of this process are durable: a row a key, found by its number alone, since the servers know the numbers of their keys. Each change is one statement on one page.
/// </summary>
internal sealed class KeyValueTable(DurableStore store)
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS kv_rows (id INTEGER PRIMARY KEY, server TEXT NOT NULL, space TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
            version INTEGER NOT NULL, expires INTEGER NOT NULL, marked INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS kv_servers (server TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL);
        """;

    private long _lastId;

    public DurableStore Store => store;

    /// <summary>A number no row has had. Writer thread only.</summary>
    public long NextId() => ++_lastId;

    public void Put(StoreConnection connection, long id, string server, string space, string key, KeyValueRecord record) => connection
        .Prepared("""
            INSERT INTO kv_rows (id, server, space, key, value, version, expires, marked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            ON CONFLICT (id) DO UPDATE SET value = ?5, version = ?6, expires = ?7, marked = ?8
            """)
        .Bind(1, id).Bind(2, server).Bind(3, space).Bind(4, key).BindBlob(5, record.Value.Span).Bind(6, record.Version).Bind(7, record.ExpiresAt).Bind(8, record.Marked ? 1 : 0)
        .Run();

    public void Delete(StoreConnection connection, long id) => connection.Prepared("DELETE FROM kv_rows WHERE id = ?1").Bind(1, id).Run();

    /// <summary>Keeps the revisions up to this one from being handed out again after a restart.</summary>
    public void Reserve(StoreConnection connection, string server, long revision) => connection
        .Prepared("INSERT INTO kv_servers (server, revision) VALUES (?1, ?2) ON CONFLICT (server) DO UPDATE SET revision = ?2")
        .Bind(1, server).Bind(2, revision).Run();

    /// <summary>Makes the tables and reads everything into the servers.</summary>
    /// <param name="server">The server of a name, made when it is new.</param>
    public Task LoadAsync(Func<string, KeyValueServer> server) => store.WriteAsync(connection =>
    {
        connection.Execute(Schema);
        var revisions = connection.Prepared("SELECT server, revision FROM kv_servers");
        while (revisions.Read())
            server(revisions.Text(0)).LoadRevision(revisions.Integer(1));
        var rows = connection.Prepared("SELECT id, server, space, key, value, version, expires, marked FROM kv_rows");
        while (rows.Read())
        {
            var id = rows.Integer(0);
            _lastId = Math.Max(_lastId, id);
            server(rows.Text(1)).Load(id, rows.Text(2), rows.Text(3), new KeyValueRecord(rows.Bytes(4).ToArray(), rows.Integer(5), rows.Integer(6), rows.Integer(7) != 0));
        }
    });
}
