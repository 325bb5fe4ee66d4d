using System.Text;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;

namespace DaprPlatform.Sidecar.State.Tests;

/// <summary>What every state store promises, and where they differ.</summary>
public sealed class StateStoreContractTests : IDisposable
{
    private static readonly Dictionary<string, string> None = [];
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();

    public static TheoryData<string> Types => ["state.in-memory", "state.sqlite", "state.redis", "state.etcd"];

    public static TheoryData<string> RollingBack => ["state.in-memory", "state.sqlite", "state.etcd"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Types))]
    public Task A_value_is_read_as_it_was_written(string type) => WithStore(type, async store =>
    {
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        await store.WriteAsync(new StateWrite(StateOperationKind.Upsert, "app||bytes", bytes), default);
        await store.WriteAsync(new StateWrite(StateOperationKind.Upsert, "app||json", "{\"a\":\"\\u003c\"}"u8.ToArray(), IsBinary: false), default);
        await store.WriteAsync(new StateWrite(StateOperationKind.Upsert, "app||empty"), default);
        var items = await store.GetManyAsync(["app||json", "app||none", "app||bytes", "app||empty"], None, default);
        Assert.Equal("{\"a\":\"\\u003c\"}", Text(items[0]));
        Assert.Null(items[1]);
        Assert.Equal(bytes, items[2]!.Value.ToArray());
        Assert.Equal("", Text(items[3]));
        Assert.Equal(bytes, (await GetAsync(store, "app||bytes"))!.Value.ToArray());
    });

    [Theory]
    [MemberData(nameof(Types))]
    public Task A_stale_etag_is_refused_and_the_right_one_is_not(string type) => WithStore(type, async store =>
    {
        await SaveAsync(store, "k", "1");
        var first = (await GetAsync(store, "k"))!.ETag;
        await SaveAsync(store, "k", "2", first);
        var refusal = await Assert.ThrowsAsync<ETagException>(() => SaveAsync(store, "k", "3", first));
        Assert.False(refusal.IsInvalid);
        await Assert.ThrowsAsync<ETagException>(() => store.WriteAsync(new StateWrite(StateOperationKind.Delete, "k", ETag: first), default).AsTask());
        var second = (await GetAsync(store, "k"))!;
        Assert.Equal("2", Text(second));
        Assert.NotEqual(first, second.ETag);
        await store.WriteAsync(new StateWrite(StateOperationKind.Delete, "k", ETag: second.ETag), default);
        Assert.Null(await GetAsync(store, "k"));
    });

    [Theory]
    [MemberData(nameof(RollingBack))]
    public Task An_etag_for_a_missing_key_is_refused(string type) => WithStore(type, async store =>
    {
        await Assert.ThrowsAsync<ETagException>(() => SaveAsync(store, "k", "1", "7"));
        await Assert.ThrowsAsync<ETagException>(() => store.WriteAsync(new StateWrite(StateOperationKind.Delete, "k", ETag: "7"), default).AsTask());
        Assert.Null(await GetAsync(store, "k"));
    });

    [Theory]
    [MemberData(nameof(Types))]
    public Task A_transaction_writes_all(string type) => WithStore(type, async store =>
    {
        await SaveAsync(store, "gone", "1");
        await store.TransactAsync([Upsert("a", "1"), Upsert("b", "2"), new StateWrite(StateOperationKind.Delete, "gone"), new StateWrite(StateOperationKind.Delete, "never")], None, default);
        Assert.Equal(["1", "2", null], (await store.GetManyAsync(["a", "b", "gone"], None, default)).Select(Text));
    });

    [Theory]
    [MemberData(nameof(RollingBack))]
    public Task A_transaction_with_a_stale_etag_writes_nothing(string type) => WithStore(type, async store =>
    {
        await SaveAsync(store, "a", "1");
        await SaveAsync(store, "b", "1");
        await Assert.ThrowsAsync<ETagException>(() =>
            store.TransactAsync([Upsert("a", "2"), Upsert("new", "2"), new StateWrite(StateOperationKind.Delete, "b"), Upsert("a", "3") with { ETag = "99999" }], None, default).AsTask());
        Assert.Equal(["1", "1", null], (await store.GetManyAsync(["a", "b", "new"], None, default)).Select(Text));
    });

    [Fact]
    public Task A_transaction_of_redis_does_not_roll_back() => WithStore("state.redis", async store =>
    {
        await SaveAsync(store, "b", "1");
        await Assert.ThrowsAsync<ETagException>(() => store.TransactAsync([Upsert("a", "2"), Upsert("b", "2") with { ETag = "99" }, Upsert("c", "2")], None, default).AsTask());
        Assert.Equal(["2", "1", "2"], (await store.GetManyAsync(["a", "b", "c"], None, default)).Select(Text));
    });

    [Theory]
    [MemberData(nameof(RollingBack))]
    public Task A_first_write_refuses_an_existing_key(string type) => WithStore(type, async store =>
    {
        await store.WriteAsync(Upsert("k", "1") with { Concurrency = Concurrency.FirstWrite }, default);
        await Assert.ThrowsAsync<ETagException>(() => store.WriteAsync(Upsert("k", "2") with { Concurrency = Concurrency.FirstWrite }, default).AsTask());
        await SaveAsync(store, "k", "3");
        Assert.Equal("3", Text(await GetAsync(store, "k")));
    });

    [Theory]
    [MemberData(nameof(Types))]
    public Task An_expired_value_is_not_there(string type) => WithStore(type, async store =>
    {
        await store.WriteAsync(Upsert("k", "1", 10), default);
        await store.TransactAsync([Upsert("t", "1", 10), Upsert("zero", "1", 0), Upsert("minus", "1", -1)], None, default);
        Assert.Equal(["1", "1", "1", "1"], (await store.GetManyAsync(["k", "t", "zero", "minus"], None, default)).Select(Text));
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal([null, null, "1", "1"], (await store.GetManyAsync(["k", "t", "zero", "minus"], None, default)).Select(Text));
        Assert.Equal(["minus", "zero"], await store.KeysAsync("", null, 10, default));
        await store.WriteAsync(Upsert("k", "2") with { Concurrency = Concurrency.FirstWrite }, default);
        Assert.Equal("2", Text(await GetAsync(store, "k")));
    });

    [Theory]
    [MemberData(nameof(Types))]
    public Task A_time_to_live_that_is_no_number_is_refused_before_anything_is_written(string type) => WithStore(type, async store =>
    {
        var bad = Upsert("bad", "1") with { Metadata = new Dictionary<string, string> { ["ttlInSeconds"] = "soon" } };
        await Assert.ThrowsAsync<StateException>(() => store.WriteAsync(bad, default).AsTask());
        await Assert.ThrowsAsync<StateException>(() => store.TransactAsync([Upsert("good", "1"), bad], None, default).AsTask());
        Assert.Empty(await store.KeysAsync("", null, 10, default));
    });

    [Theory]
    [InlineData("state.sqlite", null)]
    [InlineData("state.in-memory", null)]
    [InlineData("state.etcd", null)]
    [InlineData("state.redis", "1")]
    public Task A_save_without_time_to_live_keeps_the_old_one_only_in_redis(string type, string? later) => WithStore(type, async store =>
    {
        await store.WriteAsync(Upsert("k", "1", 10), default);
        await SaveAsync(store, "k", "1");
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(later is null ? "1" : null, Text(await GetAsync(store, "k")));
    });

    [Theory]
    [MemberData(nameof(Types))]
    public Task Keys_are_listed_in_order_by_prefix(string type) => WithStore(type, async store =>
    {
        foreach (var key in (string[])["b||2", "a||1", "b||1", "b||10", "b|", "c"])
            await SaveAsync(store, key, "x");
        Assert.Equal(["b||1", "b||10", "b||2"], await store.KeysAsync("b||", null, 10, default));
        Assert.Equal(["b||10"], await store.KeysAsync("b||", "b||1", 1, default));
        Assert.Equal(["b||2"], await store.KeysAsync("b||", "b||10\uffff", 10, default));
        Assert.Empty(await store.KeysAsync("d", null, 10, default));
    });

    [Theory]
    [InlineData("state.sqlite")]
    [InlineData("state.redis")]
    [InlineData("state.etcd")]
    public async Task Values_survive_the_process(string type)
    {
        await WithStore(type, store => SaveAsync(store, "k", "kept"));
        await WithStore(type, async store => Assert.Equal("kept", Text(await GetAsync(store, "k"))));
    }

    [Fact]
    public async Task Stores_of_etcd_with_different_paths_do_not_see_each_other()
    {
        await using var engine = await Specs.EngineAsync(_folder, _time);
        await using var one = new EtcdStateStore(Specs.Of(engine, "state.etcd", ("endpoints", "localhost:2379"), ("keyPrefixPath", "one")));
        await using var two = new EtcdStateStore(Specs.Of(engine, "state.etcd", ("endpoints", "127.0.0.1"), ("keyPrefixPath", "two")));
        await one.InitAsync(default);
        await two.InitAsync(default);
        await SaveAsync(one, "k", "1");
        Assert.Null(await GetAsync(two, "k"));
        Assert.Equal(["k"], await one.KeysAsync("", null, 10, default));
        Assert.Empty(await two.KeysAsync("", null, 10, default));
    }

    [Fact]
    public async Task Stores_with_one_address_share_a_server()
    {
        await using var engine = await Specs.EngineAsync(_folder, _time);
        await using var one = new RedisStateStore(Specs.Of(engine, "state.redis", ("redisHost", "localhost:6379")));
        await using var two = new RedisStateStore(Specs.Of(engine, "state.redis", ("redisHost", "127.0.0.1")));
        await using var other = new RedisStateStore(Specs.Of(engine, "state.redis", ("redisHost", "127.0.0.1"), ("redisDB", "1")));
        foreach (var store in (IComponent[])[one, two, other])
            await store.InitAsync(default);
        await SaveAsync(one, "k", "1");
        Assert.Equal("1", Text(await GetAsync(two, "k")));
        Assert.Null(await GetAsync(other, "k"));
    }

    private async Task WithStore(string type, Func<IStateStore, Task> test)
    {
        await using var engine = await Specs.EngineAsync(_folder, _time);
        await using var store = Create(engine, type);
        await store.InitAsync(default);
        await test(store);
    }

    private IStateStore Create(Engine engine, string type) => type switch
    {
        "state.in-memory" => new InMemoryStateStore(Specs.Of(engine, type)),
        "state.sqlite" => new SqliteStateStore(Specs.Of(engine, type, ("connectionString", _folder.File("state.db")))),
        "state.redis" => new RedisStateStore(Specs.Of(engine, type, ("redisHost", "localhost:6379"))),
        _ => new EtcdStateStore(Specs.Of(engine, type, ("endpoints", "localhost:2379"))),
    };

    private static StateWrite Upsert(string key, string value, int? ttl = null) => new(StateOperationKind.Upsert, key, Encoding.UTF8.GetBytes(value),
        Metadata: ttl is null ? null : new Dictionary<string, string> { ["ttlInSeconds"] = $"{ttl}" });

    private static Task SaveAsync(IStateStore store, string key, string value, string? etag = null) => store.WriteAsync(Upsert(key, value) with { ETag = etag }, default).AsTask();

    private static ValueTask<StateItem?> GetAsync(IStateStore store, string key) => store.GetAsync(key, Consistency.Strong, None, default);

    private static string? Text(StateItem? item) => item is null ? null : Encoding.UTF8.GetString(item.Value.Span);
}
