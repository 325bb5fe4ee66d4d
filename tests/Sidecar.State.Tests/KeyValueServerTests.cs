using System.Text;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.State.Tests;

public sealed class KeyValueServerTests : IAsyncLifetime
{
    private const string Space = "state";
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();
    private DurableStore _store = null!;
    private KeyValueServers _servers = null!;

    public ValueTask InitializeAsync()
    {
        Open();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _servers.DisposeAsync();
        await _store.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_key_of_redis_counts_its_saves_and_begins_anew_after_a_deletion()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        Assert.Equal(1, await VersionAsync(redis, Set("k", "1")));
        Assert.Equal(2, await VersionAsync(redis, Set("k", "2")));
        await ApplyAsync(redis, new KeyValueOperation { Key = "k", IsDelete = true });
        Assert.Null(await redis.GetAsync(Space, "k", default));
        Assert.Equal(1, await VersionAsync(redis, Set("k", "3")));
    }

    [Fact]
    public async Task Keys_of_etcd_share_one_revision_that_a_restart_never_lowers()
    {
        var etcd = await _servers.ConnectAsync("etcd://a");
        Assert.Equal(2, await VersionAsync(etcd, Set("a", "1")));
        Assert.Equal(3, await VersionAsync(etcd, Set("b", "1")));
        Assert.Equal(4, await VersionAsync(etcd, Set("a", "2")));
        var both = await etcd.TransactAsync(Space, [Set("a", "3"), Set("b", "3")], allOrNothing: true, default);
        Assert.Equal([5, 5], both.Select(r => r.Version));
        await ApplyAsync(etcd, new KeyValueOperation { Key = "a", IsDelete = true });
        await ReopenAsync();
        etcd = await _servers.ConnectAsync("etcd://a");
        Assert.True(await VersionAsync(etcd, Set("a", "4")) > 6);
    }

    [Fact]
    public async Task Everything_acknowledged_is_there_after_a_restart()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("kept", "v"), Set("gone", "x"), Set("short", "s", 60));
        await ApplyAsync(redis, new KeyValueOperation { Key = "gone", IsDelete = true });
        await ApplyAsync(redis, Set("kept", "w") with { Mark = true });
        await ReopenAsync();
        redis = await _servers.ConnectAsync("redis://a/0");
        var records = await redis.GetManyAsync(Space, ["kept", "gone", "short"], default);
        Assert.Equal(("w", 2L, true), (Text(records[0]), records[0]!.Version, records[0]!.Marked));
        Assert.Null(records[1]);
        Assert.Equal(_time.GetUtcNow().AddSeconds(60).ToUnixTimeMilliseconds(), records[2]!.ExpiresAt);
    }

    [Fact]
    public async Task Servers_and_spaces_do_not_see_each_other()
    {
        var (a, b) = (await _servers.ConnectAsync("redis://a/0"), await _servers.ConnectAsync("redis://b/0"));
        await ApplyAsync(a, Set("k", "of a"));
        Assert.Null(await b.GetAsync(Space, "k", default));
        Assert.Null(await a.GetAsync("lock", "k", default));
    }

    [Theory]
    [InlineData(nameof(KeyValueCondition.Absent), KeyValueStatus.Conflict, KeyValueStatus.Done)]
    [InlineData(nameof(KeyValueCondition.Version), KeyValueStatus.Conflict, KeyValueStatus.Missing)]
    [InlineData(nameof(KeyValueCondition.VersionOrAbsent), KeyValueStatus.Conflict, KeyValueStatus.Done)]
    [InlineData(nameof(KeyValueCondition.Unmarked), KeyValueStatus.Conflict, KeyValueStatus.Done)]
    [InlineData(nameof(KeyValueCondition.Value), KeyValueStatus.Conflict, KeyValueStatus.Missing)]
    public async Task A_condition_that_fails_writes_nothing(string condition, object whenThere, object whenMissing)
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("there", "old") with { Mark = true });
        var operation = Set("there", "new") with { Condition = Enum.Parse<KeyValueCondition>(condition), Version = 7, Expected = "other"u8.ToArray() };
        var results = await redis.TransactAsync(Space, [operation, operation with { Key = "missing" }], allOrNothing: false, default);
        Assert.Equal([whenThere, whenMissing], results.Select(r => (object)r.Status));
        Assert.Equal("old", Text(await redis.GetAsync(Space, "there", default)));
        Assert.Equal((KeyValueStatus)whenMissing == KeyValueStatus.Done, await redis.GetAsync(Space, "missing", default) is not null);
    }

    [Fact]
    public async Task A_condition_that_holds_lets_the_write_through()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("k", "1"));
        await ApplyAsync(redis, Set("k", "2") with { Condition = KeyValueCondition.Version, Version = 1 });
        await ApplyAsync(redis, Set("k", "3") with { Condition = KeyValueCondition.VersionOrAbsent, Version = 2 });
        await ApplyAsync(redis, Set("k", "4") with { Condition = KeyValueCondition.Unmarked });
        await ApplyAsync(redis, Set("k", "5") with { Condition = KeyValueCondition.Value, Expected = "4"u8.ToArray() });
        Assert.Equal("5", Text(await redis.GetAsync(Space, "k", default)));
    }

    [Fact]
    public async Task A_refused_operation_takes_the_whole_transaction_back()
    {
        var etcd = await _servers.ConnectAsync("etcd://a");
        await ApplyAsync(etcd, Set("a", "1"), Set("b", "1"));
        var results = await etcd.TransactAsync(Space, [Set("a", "2"), Delete("b"), Set("c", "2"), Set("d", "2") with { Condition = KeyValueCondition.Version, Version = 9 }, Set("e", "2")], allOrNothing: true, default);
        Assert.Equal([KeyValueStatus.Skipped, KeyValueStatus.Skipped, KeyValueStatus.Skipped, KeyValueStatus.Missing, KeyValueStatus.Skipped], results.Select(r => r.Status));
        Assert.Equal(["1", "1", null, null, null], (await etcd.GetManyAsync(Space, ["a", "b", "c", "d", "e"], default)).Select(Text));
        await ReopenAsync();
        etcd = await _servers.ConnectAsync("etcd://a");
        Assert.Equal(["1", "1", null, null, null], (await etcd.GetManyAsync(Space, ["a", "b", "c", "d", "e"], default)).Select(Text));
    }

    [Fact]
    public async Task Operations_of_a_transaction_see_those_before_them()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        var results = await redis.TransactAsync(Space,
            [Set("k", "1"), Set("k", "2"), Set("k", "3") with { Condition = KeyValueCondition.Version, Version = 2 }, Delete("k"), Set("k", "4") with { Condition = KeyValueCondition.Absent }], allOrNothing: true, default);
        Assert.Equal([1, 2, 3, 0, 1], results.Select(r => r.Version));
        await ReopenAsync();
        redis = await _servers.ConnectAsync("redis://a/0");
        Assert.Equal("4", Text(await redis.GetAsync(Space, "k", default)));
    }

    [Fact]
    public async Task Of_racing_first_writes_in_one_commit_one_wins()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        using var hold = new ManualResetEventSlim();
        var blocked = _store.WriteAsync(_ => hold.Wait());
        var racing = Enumerable.Range(0, 10).Select(i => redis.TransactAsync(Space, [Set("k", $"{i}") with { Condition = KeyValueCondition.Absent }], allOrNothing: true, default).AsTask()).ToList();
        hold.Set();
        await blocked;
        var results = await Task.WhenAll(racing);
        Assert.Equal(KeyValueStatus.Done, results[0][0].Status);
        Assert.All(results[1..], r => Assert.Equal(KeyValueStatus.Conflict, r[0].Status));
        Assert.Equal("0", Text(await redis.GetAsync(Space, "k", default)));
    }

    [Fact]
    public async Task A_commit_that_fails_leaves_readers_and_later_writers_with_what_was_before()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("k", "1"));
        await _store.WriteAsync(connection => connection.Execute("PRAGMA max_page_count=1"));
        await Assert.ThrowsAsync<StoreException>(async () => await redis.TransactAsync(Space, [Set("k", "2"), Set("big", new string('x', 50_000))], allOrNothing: true, default));
        Assert.Equal("1", Text(await redis.GetAsync(Space, "k", default)));
        await _store.WriteAsync(connection => connection.Execute("PRAGMA max_page_count=1000000"));
        Assert.Equal(2, await VersionAsync(redis, Set("k", "3")));
        await ReopenAsync();
        redis = await _servers.ConnectAsync("redis://a/0");
        Assert.Equal("3", Text(await redis.GetAsync(Space, "k", default)));
        Assert.Null(await redis.GetAsync(Space, "big", default));
    }

    [Fact]
    public async Task An_expired_key_is_not_there_and_counts_from_one_again()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("k", "1", 10));
        await ApplyAsync(redis, Set("k", "2") with { Ttl = KeyValueTtl.Keep });
        _time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.Equal("2", Text(await redis.GetAsync(Space, "k", default)));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Null(await redis.GetAsync(Space, "k", default));
        Assert.Empty(await redis.KeysAsync(Space, "", null, 10, default));
        Assert.Equal(1, await VersionAsync(redis, Set("k", "3") with { Condition = KeyValueCondition.Absent, Ttl = KeyValueTtl.Keep }));
        _time.Advance(TimeSpan.FromDays(1000));
        Assert.Equal("3", Text(await redis.GetAsync(Space, "k", default)));
    }

    [Fact]
    public async Task Sweeping_removes_what_has_expired_and_nothing_else()
    {
        var redis = (KeyValueServer)await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("short", "1", 10), Set("long", "1", 1000), Set("ever", "1"));
        _time.Advance(TimeSpan.FromSeconds(10));
        await redis.SweepAsync();
        Assert.Equal(["ever", "long"], _store.Read(connection =>
        {
            var keys = new List<string>();
            var select = connection.Prepared("SELECT key FROM kv_rows ORDER BY key");
            while (select.Read())
                keys.Add(select.Text(0));
            return keys;
        }));
    }

    [Fact]
    public async Task Keys_are_listed_in_order_by_prefix_from_where_the_last_page_ended()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("b||2", ""), Set("a||1", ""), Set("b||1", ""), Set("b||10", ""), Set("c", ""), Set("b", ""));
        Assert.Equal(["b||1", "b||10", "b||2"], await redis.KeysAsync(Space, "b||", null, 10, default));
        Assert.Equal(["b||1", "b||10"], await redis.KeysAsync(Space, "b||", null, 2, default));
        Assert.Equal(["b||2"], await redis.KeysAsync(Space, "b||", "b||10", 2, default));
        Assert.Equal(["b||2"], await redis.KeysAsync(Space, "b||", "b||11", 2, default));
        Assert.Empty(await redis.KeysAsync(Space, "b||", "b||2", 2, default));
        Assert.Empty(await redis.KeysAsync(Space, "x", null, 2, default));
        Assert.Equal(6, (await redis.KeysAsync(Space, "", null, 100, default)).Count);
    }

    [Fact]
    public async Task A_watch_hears_every_later_change_in_order_until_it_ends()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("k", "before"));
        var heard = new List<string>();
        var watch = await redis.WatchAsync(Space, change => heard.Add($"{change.Key}={(change.Value is { } v ? Encoding.UTF8.GetString(v.Span) : "deleted")}"), default);
        await ApplyAsync(redis, Set("k", "1"), Set("l", "2"));
        await ApplyAsync(redis, Delete("k"));
        await redis.TransactAsync(Space, [Set("l", "3") with { Condition = KeyValueCondition.Absent }], allOrNothing: true, default);
        await watch.DisposeAsync();
        await ApplyAsync(redis, Set("k", "after"));
        Assert.Equal(["k=1", "l=2", "k=deleted"], heard);
    }

    [Fact]
    public async Task A_reader_never_sees_half_a_transaction()
    {
        var redis = await _servers.ConnectAsync("redis://a/0");
        await ApplyAsync(redis, Set("a", "0"), Set("b", "0"));
        using var ended = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            while (!ended.IsCancellationRequested)
            {
                var both = await redis.GetManyAsync(Space, ["a", "b"], default);
                Assert.Equal(Text(both[0]), Text(both[1]));
            }
        });
        for (var i = 1; i <= 300; i++)
            await ApplyAsync(redis, Set("a", $"{i}"), Set("b", $"{i}"));
        await ended.CancelAsync();
        await reading;
    }

    private static KeyValueOperation Set(string key, string value, int? seconds = null) => new()
    {
        Key = key,
        Value = Encoding.UTF8.GetBytes(value),
        Ttl = seconds is null ? KeyValueTtl.Clear : KeyValueTtl.Set,
        TtlMilliseconds = (seconds ?? 0) * 1000L,
    };

    private static KeyValueOperation Delete(string key) => new() { Key = key, IsDelete = true };

    private static string? Text(KeyValueRecord? record) => record is null ? null : Encoding.UTF8.GetString(record.Value.Span);

    private static async Task ApplyAsync(IKeyValueServer server, params KeyValueOperation[] operations)
    {
        var results = await server.TransactAsync(Space, operations, allOrNothing: true, default);
        Assert.All(results, r => Assert.Equal(KeyValueStatus.Done, r.Status));
    }

    private static async Task<long> VersionAsync(IKeyValueServer server, KeyValueOperation operation) => (await server.TransactAsync(Space, [operation], allOrNothing: true, default))[0].Version;

    private void Open()
    {
        _store = DurableStore.Open(_folder.File("engine.db"));
        _servers = new KeyValueServers(_store, _time);
    }

    private async Task ReopenAsync()
    {
        await _servers.DisposeAsync();
        await _store.DisposeAsync();
        Open();
    }
}
