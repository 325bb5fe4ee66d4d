using DaprPlatform.Sidecar.Storage;
using Microsoft.Data.Sqlite;

namespace DaprPlatform.Sidecar.State.Tests;

public sealed class DurableStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_was_acknowledged_is_there_after_reopening()
    {
        await using (var store = await OpenAsync())
            await AddAsync(store, "one");
        await using (var store = await OpenAsync())
            Assert.Equal(["one"], Names(store));
    }

    [Fact]
    public async Task Writes_that_wait_share_one_commit()
    {
        await using var store = await OpenAsync();
        var events = new List<string>();
        using var hold = new ManualResetEventSlim();
        var first = store.WriteAsync(_ => hold.Wait());
        var works = Enumerable.Range(0, 10).Select(i => new RecordingWork(events, i)).ToList();
        works.ForEach(store.Enqueue);
        hold.Set();
        await first;
        await Task.WhenAll(works.Select(w => w.Task));
        Assert.Equal([.. Enumerable.Range(0, 10).Select(i => $"run {i}"), .. Enumerable.Range(0, 10).Select(i => $"committed {i}"), .. Enumerable.Range(0, 10).Select(i => $"complete {i}")], events);
    }

    [Fact]
    public async Task A_write_that_throws_is_taken_back_alone()
    {
        await using var store = await OpenAsync();
        using var hold = new ManualResetEventSlim();
        var first = store.WriteAsync(_ => hold.Wait());
        var good = AddAsync(store, "good");
        var bad = store.WriteAsync(connection =>
        {
            Insert(connection, "bad");
            throw new InvalidOperationException("no");
        });
        var last = AddAsync(store, "last");
        hold.Set();
        await Task.WhenAll(first, good, last);
        Assert.Equal("no", (await Assert.ThrowsAsync<InvalidOperationException>(() => bad)).Message);
        Assert.Equal(["good", "last"], Names(store));
    }

    [Fact]
    public async Task A_statement_that_fails_is_taken_back_alone()
    {
        await using var store = await OpenAsync();
        await AddAsync(store, "one");
        await Assert.ThrowsAsync<SqliteException>(() => store.WriteAsync(connection =>
        {
            Insert(connection, "two");
            Insert(connection, "one");
        }));
        Assert.Equal(["one"], Names(store));
    }

    [Fact]
    public async Task A_reader_does_not_see_what_is_not_committed()
    {
        await using var store = await OpenAsync();
        using var written = new ManualResetEventSlim();
        using var hold = new ManualResetEventSlim();
        var write = store.WriteAsync(connection =>
        {
            Insert(connection, "new");
            written.Set();
            hold.Wait();
        });
        written.Wait();
        Assert.Empty(Names(store));
        hold.Set();
        await write;
        Assert.Equal(["new"], Names(store));
    }

    [Fact]
    public async Task A_full_disk_fails_the_group_and_nothing_else()
    {
        await using var store = await OpenAsync();
        await AddAsync(store, "before");
        await store.WriteAsync(connection => connection.Execute("PRAGMA max_page_count=1"));
        var failure = await Assert.ThrowsAsync<StoreException>(() => AddAsync(store, new string('x', 100_000)));
        Assert.Contains("the disk is full", failure.Message, StringComparison.Ordinal);
        await store.WriteAsync(connection => connection.Execute("PRAGMA max_page_count=1000000"));
        await AddAsync(store, "after");
        Assert.Equal(["after", "before"], Names(store));
    }

    [Fact]
    public async Task A_database_that_another_process_has_locked_fails_with_a_clear_reason()
    {
        await using var store = await OpenAsync(new DurableStoreOptions { BusyTimeout = TimeSpan.FromMilliseconds(20) });
        await using var other = new SqliteConnection($"Data Source={_folder.File("test.db")};Pooling=false");
        other.Open();
        Execute(other, "BEGIN IMMEDIATE");
        var failure = await Assert.ThrowsAsync<StoreException>(() => AddAsync(store, "one"));
        Assert.Contains("locked by another process", failure.Message, StringComparison.Ordinal);
        Execute(other, "ROLLBACK");
        await AddAsync(store, "two");
        Assert.Equal(["two"], Names(store));
    }

    [Fact]
    public async Task A_second_owner_is_refused()
    {
        var exclusive = new DurableStoreOptions { Exclusive = true };
        await using (var store = await OpenAsync(exclusive))
        {
            var refusal = Assert.Throws<StoreException>(() => DurableStore.Open(_folder.File("test.db"), exclusive));
            Assert.Contains("in use by another process", refusal.Message, StringComparison.Ordinal);
        }

        await using (await OpenAsync(exclusive))
        {
        }
    }

    [Fact]
    public void A_file_that_is_no_database_is_refused()
    {
        File.WriteAllText(_folder.File("text.db"), new string('x', 5000));
        var refusal = Assert.Throws<StoreException>(() => DurableStore.Open(_folder.File("text.db")));
        Assert.Contains("text.db", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(3000)]
    public async Task A_torn_log_loses_only_what_was_not_acknowledged(int torn)
    {
        await using (var store = await OpenAsync())
        {
            for (var i = 0; i < 5; i++)
                await AddAsync(store, $"name {i}");
            var acknowledged = new FileInfo(_folder.File("test.db-wal")).Length;
            await AddAsync(store, "torn");
            File.Copy(_folder.File("test.db"), _folder.File("crash.db"));
            File.Copy(_folder.File("test.db-wal"), _folder.File("crash.db-wal"));
            using var log = File.OpenWrite(_folder.File("crash.db-wal"));
            log.SetLength(Math.Max(acknowledged, log.Length - torn));
        }

        await using var reopened = DurableStore.Open(_folder.File("crash.db"));
        Assert.Equal(["name 0", "name 1", "name 2", "name 3", "name 4"], Names(reopened));
    }

    [Fact]
    public async Task A_closed_store_refuses_writes_and_has_done_those_before()
    {
        var store = await OpenAsync();
        var queued = Enumerable.Range(0, 100).Select(i => AddAsync(store, $"{i:D3}")).ToList();
        await store.DisposeAsync();
        await Task.WhenAll(queued);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => AddAsync(store, "late"));
        await using var reopened = await OpenAsync();
        Assert.Equal(100, Names(reopened).Count);
    }

    // The library of the package rounds up to whole seconds: readers that met the writer in the index stood still for one.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task SQLite_sleeps_no_longer_than_it_asks_for(int milliseconds)
    {
        await using var store = DurableStore.Open(DurableStore.InMemory);

        Assert.Equal(milliseconds, SqliteSleep(milliseconds));
    }

    [Fact]
    public async Task A_database_in_memory_answers_reads_and_writes()
    {
        await using var store = DurableStore.Open(DurableStore.InMemory);
        await store.MigrateAsync("CREATE TABLE names (name TEXT PRIMARY KEY)");
        await AddAsync(store, "one");
        Assert.Equal(1, await store.ReadAsync(connection =>
        {
            var count = connection.Prepared("SELECT COUNT(*) FROM names");
            count.Read();
            var number = count.Integer(0);
            count.Reset();
            return number;
        }));
    }

    private async Task<DurableStore> OpenAsync(DurableStoreOptions? options = null)
    {
        var store = DurableStore.Open(_folder.File("test.db"), options);
        await store.MigrateAsync("CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY)");
        return store;
    }

    private static Task AddAsync(DurableStore store, string name) => store.WriteAsync(connection => Insert(connection, name));

    private static void Insert(StoreConnection connection, string name) => connection.Prepared("INSERT INTO names (name) VALUES (?1)").Bind(1, name).Run();

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static List<string> Names(DurableStore store) => store.Read(connection =>
    {
        var names = new List<string>();
        var select = connection.Prepared("SELECT name FROM names ORDER BY name");
        while (select.Read())
            names.Add(select.Text(0));
        return names;
    });

    private sealed class RecordingWork(List<string> events, int number) : StoreWork
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Task => _done.Task;

        public override void Run(StoreConnection connection)
        {
            events.Add($"run {number}");
            Insert(connection, $"{number}");
        }

        public override void Committed() => events.Add($"committed {number}");

        public override void Complete()
        {
            events.Add($"complete {number}");
            _done.TrySetResult();
        }

        public override void Fail(Exception error) => _done.TrySetException(error);
    }

    // What it slept, by what its VFS told it.
    [System.Runtime.InteropServices.DllImport("e_sqlite3", EntryPoint = "sqlite3_sleep")]
    [System.Runtime.InteropServices.DefaultDllImportSearchPaths(System.Runtime.InteropServices.DllImportSearchPath.SafeDirectories)]
    private static extern int SqliteSleep(int milliseconds);
}
