using System.Text;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;

namespace DaprPlatform.Sidecar.State.Tests;

public sealed class EncryptedStateStoreTests : IDisposable
{
    private const string OldKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    private const string NewKey = "ffeeddccbbaa99887766554433221100";
    private static readonly Dictionary<string, string> None = [];
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_value_is_stored_unreadable_and_read_as_it_was()
    {
        await using var engine = await Specs.EngineAsync(_folder);
        var inner = new InMemoryStateStore(Specs.Of(engine, "state.in-memory"));
        await using var store = new EncryptedStateStore(Keys(engine, ("primaryEncryptionKey", OldKey, "old")), inner);
        await store.WriteAsync(Write("k", "secret value"), default);
        var stored = Text(await inner.GetAsync("k", Consistency.Strong, None, default));
        Assert.EndsWith("||old", stored, StringComparison.Ordinal);
        Assert.DoesNotContain("secret value", stored, StringComparison.Ordinal);
        Assert.Equal("secret value", Text(await GetAsync(store, "k")));
        await store.WriteAsync(Write("k", "secret value"), default);
        Assert.NotEqual(stored, Text(await inner.GetAsync("k", Consistency.Strong, None, default)));
    }

    [Fact]
    public async Task A_JSON_string_is_encrypted_without_its_quotes_and_an_object_as_it_is()
    {
        await using var engine = await Specs.EngineAsync(_folder);
        await using var store = new EncryptedStateStore(Keys(engine, ("primaryEncryptionKey", OldKey, "old")), new InMemoryStateStore(Specs.Of(engine, "state.in-memory")));
        await store.TransactAsync([Write("text", "\"a\\\"b\"") with { IsBinary = false }, Write("object", "{\"a\":\"b\"}") with { IsBinary = false }], None, default);
        Assert.Equal(["a\"b", "{\"a\":\"b\"}"], (await store.GetManyAsync(["text", "object"], None, default)).Select(Text));
    }

    [Fact]
    public async Task After_a_rotation_the_new_key_writes_and_both_read()
    {
        await using var engine = await Specs.EngineAsync(_folder);
        var inner = new InMemoryStateStore(Specs.Of(engine, "state.in-memory"));
        await new EncryptedStateStore(Keys(engine, ("primaryEncryptionKey", OldKey, "old")), inner).WriteAsync(Write("k", "1"), default);
        var rotated = new EncryptedStateStore(Keys(engine, ("primaryEncryptionKey", NewKey, "new"), ("secondaryEncryptionKey", OldKey, "old")), inner);
        Assert.Equal("1", Text(await GetAsync(rotated, "k")));
        await rotated.WriteAsync(Write("k", "2"), default);
        Assert.EndsWith("||new", Text(await inner.GetAsync("k", Consistency.Strong, None, default)), StringComparison.Ordinal);
        var onlyOld = new EncryptedStateStore(Keys(engine, ("primaryEncryptionKey", OldKey, "old")), inner);
        await Assert.ThrowsAsync<StateException>(() => GetAsync(onlyOld, "k").AsTask());
    }

    [Theory]
    [InlineData("clear text")]
    [InlineData("AAAA||old")]
    [InlineData("!!!||old")]
    [InlineData("AAAA||")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA||old")]
    public async Task What_does_not_decrypt_is_an_error_and_never_a_value(string stored)
    {
        await using var engine = await Specs.EngineAsync(_folder);
        var inner = new InMemoryStateStore(Specs.Of(engine, "state.in-memory"));
        await inner.WriteAsync(Write("k", stored), default);
        var store = new EncryptedStateStore(Keys(engine, ("primaryEncryptionKey", OldKey, "old")), inner);
        await Assert.ThrowsAsync<StateException>(() => GetAsync(store, "k").AsTask());
    }

    [Theory]
    [InlineData("")]
    [InlineData("not hexadecimal")]
    [InlineData("abcdef")]
    public async Task A_key_that_is_none_is_refused(string key)
    {
        await using var engine = await Specs.EngineAsync(_folder);
        Assert.Throws<ComponentException>(() => new EncryptedStateStore(Keys(engine, ("primaryEncryptionKey", key, "k")), new InMemoryStateStore(Specs.Of(engine, "state.in-memory"))));
    }

    private static ComponentSpec Keys(Engine engine, params (string Name, string Key, string Secret)[] keys) =>
        Specs.Of(engine, "state.in-memory", [.. keys.Select(k => (k.Name, k.Key))]) with { SecretKeyNames = keys.ToDictionary(k => k.Name, k => k.Secret, StringComparer.OrdinalIgnoreCase) };

    private static StateWrite Write(string key, string value) => new(StateOperationKind.Upsert, key, Encoding.UTF8.GetBytes(value));

    private static ValueTask<StateItem?> GetAsync(IStateStore store, string key) => store.GetAsync(key, Consistency.Strong, None, default);

    private static string? Text(StateItem? item) => item is null ? null : Encoding.UTF8.GetString(item.Value.Span);
}
