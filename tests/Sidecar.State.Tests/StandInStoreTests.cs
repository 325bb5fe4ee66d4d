using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Configuration;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Locking;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.State.Tests;

/// <summary>Locks and configuration on the stand-in for Redis.</summary>
public sealed class StandInStoreTests : IAsyncLifetime
{
    private static readonly Dictionary<string, string> None = [];
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();
    private Engine _engine = null!;

    public async ValueTask InitializeAsync() => _engine = await Specs.EngineAsync(_folder, _time);

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_lock_is_held_by_one_until_it_is_given_back()
    {
        await using var locks = await LocksAsync();
        Assert.True(await TakeAsync(locks, "a"));
        Assert.False(await TakeAsync(locks, "a"));
        Assert.False(await TakeAsync(locks, "b"));
        Assert.Equal(UnlockStatus.LockBelongsToOthers, await locks.UnlockAsync("r", "b", default));
        Assert.Equal(UnlockStatus.Success, await locks.UnlockAsync("r", "a", default));
        Assert.Equal(UnlockStatus.LockDoesNotExist, await locks.UnlockAsync("r", "a", default));
        Assert.True(await TakeAsync(locks, "b"));
    }

    [Fact]
    public async Task A_lock_ends_with_its_time()
    {
        await using var locks = await LocksAsync();
        Assert.True(await TakeAsync(locks, "a"));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(UnlockStatus.LockDoesNotExist, await locks.UnlockAsync("r", "a", default));
        Assert.True(await TakeAsync(locks, "b"));
        Assert.Equal(UnlockStatus.LockBelongsToOthers, await locks.UnlockAsync("r", "a", default));
    }

    [Fact]
    public async Task A_lock_survives_the_process()
    {
        await using (var locks = await LocksAsync())
            Assert.True(await TakeAsync(locks, "a"));
        await _engine.DisposeAsync();
        _engine = await Specs.EngineAsync(_folder, _time);
        await using var again = await LocksAsync();
        Assert.False(await TakeAsync(again, "b"));
        Assert.Equal(UnlockStatus.Success, await again.UnlockAsync("r", "a", default));
    }

    [Fact]
    public async Task Of_many_who_want_a_lock_one_gets_it()
    {
        await using var locks = await LocksAsync();
        var takes = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => TakeAsync(locks, $"{i}").AsTask()));
        Assert.Single(takes, taken => taken);
    }

    [Fact]
    public async Task Items_are_read_by_key_or_all()
    {
        await using var store = await ConfigurationAsync();
        await store.SetAsync("a", new ConfigurationItem("1", "v1"), default);
        await store.SetAsync("b", new ConfigurationItem("x||y", "z"), default);
        await store.SetAsync("c", new ConfigurationItem("", ""), default);
        Assert.Equal(["a"], (await store.GetAsync(["a", "none"], None, default)).Keys);
        var all = await store.GetAsync([], None, default);
        Assert.Equal(new ConfigurationItem("1", "v1"), all["a"]);
        Assert.Equal(new ConfigurationItem("x", "y"), all["b"]);
    }

    [Fact]
    public async Task A_subscription_hears_its_keys_until_it_ends()
    {
        await using var store = await ConfigurationAsync();
        var heard = new List<string>();
        var subscription = await store.SubscribeAsync(["a"], None, (key, item) => heard.Add($"{key}={item.Value}/{item.Version}"), default);
        await store.SetAsync("a", new ConfigurationItem("1", "v1"), default);
        await store.SetAsync("b", new ConfigurationItem("2", "v1"), default);
        await store.SetAsync("a", new ConfigurationItem("3", "v2"), default);
        await subscription.DisposeAsync();
        await store.SetAsync("a", new ConfigurationItem("4", "v3"), default);
        Assert.Equal(["a=1/v1", "a=3/v2"], heard);
    }

    [Theory]
    [InlineData("localhost:6379", "redis://127.0.0.1:6379/0")]
    [InlineData("Redis", "redis://redis:6379/0")]
    public void An_address_has_one_form(string host, string expected) => Assert.Equal(expected, RedisAddress.Of(Specs.Of(_engine, "lock.redis", ("redisHost", host))));

    [Fact]
    public void A_component_without_a_host_is_refused() => Assert.Throws<ComponentException>(() => RedisAddress.Of(Specs.Of(_engine, "lock.redis")));

    [Theory]
    [InlineData(null, "app||k")]
    [InlineData("appid", "app||k")]
    [InlineData("name", "store||k")]
    [InlineData("none", "k")]
    [InlineData("namespace", "app||k")]
    [InlineData("literal", "literal||k")]
    public void A_key_has_the_prefix_of_its_strategy(string? strategy, string expected)
    {
        var spec = strategy is null ? Specs.Of(_engine, "state.in-memory") : Specs.Of(_engine, "state.in-memory", ("keyPrefix", strategy));
        Assert.Equal(expected, new KeyPrefix(spec).Stored("k"));
        Assert.Equal("k", KeyPrefix.Original(expected));
    }

    [Fact]
    public void A_prefix_with_the_separator_is_refused() => Assert.Throws<ComponentException>(() => new KeyPrefix(Specs.Of(_engine, "state.in-memory", ("keyPrefix", "a||b"))));

    private static ValueTask<bool> TakeAsync(ILockStore locks, string owner) => locks.TryLockAsync("r", owner, TimeSpan.FromSeconds(10), default);

    private async Task<RedisLockStore> LocksAsync()
    {
        var store = new RedisLockStore(Specs.Of(_engine, "lock.redis", ("redisHost", "localhost:6379")));
        await store.InitAsync(default);
        return store;
    }

    private async Task<RedisConfigurationStore> ConfigurationAsync()
    {
        var store = new RedisConfigurationStore(Specs.Of(_engine, "configuration.redis", ("redisHost", "localhost:6379")));
        await store.InitAsync(default);
        return store;
    }
}
