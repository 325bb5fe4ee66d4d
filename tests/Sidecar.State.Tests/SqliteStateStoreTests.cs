using System.Text;
using DaprPlatform.Sidecar.Components;
using Microsoft.Data.Sqlite;

namespace DaprPlatform.Sidecar.State.Tests;

/// <summary>The file is Dapr's: what its component wrote is read, what this one writes has the same form.</summary>
public sealed class SqliteStateStoreTests : IDisposable
{
    private static readonly Dictionary<string, string> None = [];
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_file_that_Dapr_wrote_is_read()
    {
        File.Copy(Path.Combine(AppContext.BaseDirectory, "fixtures", "sqlite-state.db"), _folder.File("fixture.db"));
        await using var engine = await Specs.EngineAsync(_folder, _time);
        await using var store = await OpenAsync(engine, ("connectionString", _folder.File("fixture.db")));
        var items = await store.GetManyAsync(["writer||object", "writer||grpc-bytes", "writer||expired", "writer||far", "plain"], None, default);
        Assert.Equal("{\"a\":[\"x\",null],\"b\":1}", Encoding.UTF8.GetString(items[0]!.Value.Span));
        Assert.Equal("5de7844a-44a8-4cff-b483-bf64bb6cdef4", items[0]!.ETag);
        Assert.Equal([0, 255, 1, 10, 128], items[1]!.Value.ToArray());
        Assert.Null(items[2]);
        Assert.Equal(new DateTimeOffset(2046, 11, 16, 8, 18, 28, TimeSpan.Zero), items[3]!.ExpiresAt);
        Assert.NotNull(items[4]);
    }

    [Fact]
    public async Task The_rows_have_the_form_of_Daprs_component()
    {
        await using (var engine = await Specs.EngineAsync(_folder, _time))
        await using (var store = await OpenAsync(engine, ("connectionString", $"file:{_folder.File("s.db")}?cache=shared"), ("tableName", "mine"), ("metadataTableName", "facts")))
        {
            await store.WriteAsync(new StateWrite(StateOperationKind.Upsert, "app||json", "{\"a\":1}"u8.ToArray(), IsBinary: false), default);
            await store.WriteAsync(new StateWrite(StateOperationKind.Upsert, "app||bytes", new byte[] { 0, 255 }, Metadata: new Dictionary<string, string> { ["ttlInSeconds"] = "90" }), default);
        }

        Assert.Equal(["{\"a\":1}|text|0||2030-01-02 03:04:05", "AP8=|text|1|2030-01-02 03:05:35|2030-01-02 03:04:05"],
            Query("s.db", "SELECT value || '|' || typeof(value) || '|' || is_binary || '|' || ifnull(expiration_time, '') || '|' || update_time FROM mine ORDER BY key DESC"));
        Assert.Equal(["migrations=1"], Query("s.db", "SELECT key || '=' || value FROM facts"));
    }

    [Fact]
    public async Task Cleaning_removes_expired_rows_once_an_interval()
    {
        await using var engine = await Specs.EngineAsync(_folder, _time);
        await using var store = await OpenAsync(engine, ("connectionString", _folder.File("s.db")), ("cleanupInterval", "0"));
        await SaveAsync(store, "old", 10);
        await SaveAsync(store, "kept", null);
        _time.Advance(TimeSpan.FromSeconds(11));
        await store.CleanAsync(TimeSpan.FromMinutes(1), default);
        Assert.Equal(["kept"], Query("s.db", "SELECT key FROM state"));
        await SaveAsync(store, "again", 10);
        _time.Advance(TimeSpan.FromSeconds(11));
        await store.CleanAsync(TimeSpan.FromMinutes(1), default);
        Assert.Equal(["again", "kept"], Query("s.db", "SELECT key FROM state ORDER BY key"));
        _time.Advance(TimeSpan.FromMinutes(1));
        await store.CleanAsync(TimeSpan.FromMinutes(1), default);
        Assert.Equal(["kept"], Query("s.db", "SELECT key FROM state"));
    }

    [Fact]
    public async Task Two_stores_on_one_file_see_each_others_writes()
    {
        await using var engine = await Specs.EngineAsync(_folder, _time);
        await using var one = await OpenAsync(engine, ("connectionString", _folder.File("s.db")));
        await using (var two = await OpenAsync(engine, ("connectionString", _folder.File("s.db"))))
        {
            await SaveAsync(one, "k", null);
            Assert.NotNull(await two.GetAsync("k", Consistency.Strong, None, default));
        }

        await SaveAsync(one, "l", null);
        Assert.NotNull(await one.GetAsync("l", Consistency.Strong, None, default));
    }

    [Fact]
    public async Task A_database_in_memory_works_without_a_file()
    {
        await using var engine = await Specs.EngineAsync(_folder, _time);
        await using var store = await OpenAsync(engine, ("connectionString", ":memory:"));
        await SaveAsync(store, "k", null);
        Assert.Equal([true, false], (await store.GetManyAsync(["k", "l"], None, default)).Select(i => i is not null));
        Assert.Equal(["k"], await store.KeysAsync("", null, 10, default));
    }

    [Theory]
    [InlineData("tableName", "no table")]
    [InlineData("tableName", "1st")]
    [InlineData("metadataTableName", "a;b")]
    [InlineData("busyTimeout", "soon")]
    [InlineData("cleanupInterval", "never")]
    [InlineData("connectionString", "")]
    public async Task A_malformed_option_is_refused(string name, string value)
    {
        await using var engine = await Specs.EngineAsync(_folder, _time);
        (string, string)[] metadata = name == "connectionString" ? [(name, value)] : [("connectionString", _folder.File("s.db")), (name, value)];
        await Assert.ThrowsAsync<ComponentException>(() => OpenAsync(engine, metadata));
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_refused()
    {
        File.WriteAllText(_folder.File("text.db"), new string('x', 5000));
        await using var engine = await Specs.EngineAsync(_folder, _time);
        await Assert.ThrowsAsync<ComponentException>(() => OpenAsync(engine, ("connectionString", _folder.File("text.db"))));
    }

    private static async Task<SqliteStateStore> OpenAsync(Hosting.Engine engine, params (string Name, string Value)[] metadata)
    {
        var store = new SqliteStateStore(Specs.Of(engine, "state.sqlite", metadata));
        try
        {
            await store.InitAsync(default);
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    private static ValueTask SaveAsync(SqliteStateStore store, string key, int? ttl) => store.WriteAsync(
        new StateWrite(StateOperationKind.Upsert, key, "1"u8.ToArray(), Metadata: ttl is null ? null : new Dictionary<string, string> { ["ttlInSeconds"] = $"{ttl}" }), default);

    private List<string> Query(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder.File(file)};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
            rows.Add(reader.GetString(0));
        return rows;
    }
}
