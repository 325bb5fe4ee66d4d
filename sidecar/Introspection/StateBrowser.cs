using System.Globalization;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.State;

namespace DaprPlatform.Sidecar.Introspection;

/// <summary>A state store as an app sees it.</summary>
/// <param name="Why">Why it cannot be browsed; null: it can.</param>
public sealed record StateStoreView(string App, string Store, string Type, bool Browsable, string? Why);

/// <param name="Key">As the app knows it.</param>
/// <param name="Etag">Null where the store has none.</param>
/// <param name="ExpiresAt">Null: never.</param>
/// <param name="Bytes">Length of the value.</param>
public sealed record StateKey(string Key, string? Etag, DateTimeOffset? ExpiresAt, int Bytes);

/// <param name="Value">Text, or <c>{"base64"}</c>.</param>
public sealed record StateValue(string Key, JsonNode Value, string? Etag, DateTimeOffset? ExpiresAt);

/// <summary>What has to hold for a change of a key.</summary>
/// <param name="ETag">The key has this ETag; null: it is not there yet.</param>
public readonly record struct StateCondition(string? ETag);

/// <summary>
/// The state of apps by store, with the keys as the app knows them. Keys of the runtime itself (actors, workflows) are left out unless asked for, and cannot be changed.
/// Changes are made only to a version that was named.
/// </summary>
public sealed class StateBrowser
{
    private const int KeysAtATime = 500;
    private const int MostKeysRead = 20_000;
    private const int LongestKey = 2000;
    private static readonly Dictionary<string, string> NoMetadata = [];
    private readonly RuntimeView _view;

    internal StateBrowser(RuntimeView view) => _view = view;

    public IReadOnlyList<StateStoreView> Stores() =>
        [.. _view.Runtimes.SelectMany(r => r.Components.All<IStateStore>().Select(s => new StateStoreView(r.Options.AppId, s.Key, r.Components.SpecOf(s.Key)?.Type ?? "", WhyNot(s.Value) is null, WhyNot(s.Value))))];

    /// <summary>Keys in ordinal order. Passing over many internal keys ends a page early; its <see cref="Page{T}.Next"/> says where to go on.</summary>
    /// <param name="withInternal">Also keys of actors and workflows.</param>
    /// <param name="after">A key, as <see cref="Page{T}.Next"/> gave it.</param>
    /// <exception cref="IntrospectionException">No such app or store, or it cannot be browsed.</exception>
    public async Task<Page<StateKey>> KeysAsync(string app, string store, string? prefix, bool withInternal, string? after, int limit, CancellationToken cancellationToken)
    {
        var (found, name) = Find(app, store);
        var own = name.Stored("");
        var keys = new List<string>();
        var cursor = after is null ? null : own + after;
        var read = 0;
        string? next = null;
        while (true)
        {
            var batch = await found.KeysAsync(own + prefix, cursor, KeysAtATime, cancellationToken).ConfigureAwait(false);
            foreach (var key in batch)
            {
                if (keys.Count == limit)
                    break;
                cursor = key;
                if (withInternal || !IsInternal(key[own.Length..]))
                    keys.Add(key);
            }

            read += batch.Count;
            if (keys.Count == limit || read >= MostKeysRead)
                next = cursor?[own.Length..];
            if (next is not null || batch.Count < KeysAtATime)
                break;
        }

        var items = await LookAsync(found, keys, cancellationToken).ConfigureAwait(false);
        var shown = new List<StateKey>(keys.Count);
        for (var i = 0; i < keys.Count; i++)
        {
            // What went between the two looks is not there.
            if (items[i] is { } item)
                shown.Add(new StateKey(keys[i][own.Length..], item.ETag, item.ExpiresAt, item.Value.Length));
        }

        return new Page<StateKey>(shown, next);
    }

    /// <exception cref="IntrospectionException">No such app, store or key, or it cannot be browsed.</exception>
    public async Task<StateValue> GetAsync(string app, string store, string key, CancellationToken cancellationToken)
    {
        var (found, name) = Find(app, store);
        var item = (await LookAsync(found, [name.Stored(key)], cancellationToken).ConfigureAwait(false))[0] ?? throw NoKey(key);
        return new StateValue(key, ShownBytes.Of(item.Value.Span), item.ETag, item.ExpiresAt);
    }

    /// <summary>Writes a value over the version named, or a key that is not there yet. Returns the value as it stands then.</summary>
    /// <param name="ttlSeconds">Null keeps what is left to live; 0 and less lets it live for ever.</param>
    /// <exception cref="IntrospectionException">No such app or store; the key is not of that version; the store refuses.</exception>
    public async Task<StateValue> SetAsync(string app, string store, string key, ReadOnlyMemory<byte> value, StateCondition condition, int? ttlSeconds, CancellationToken cancellationToken)
    {
        var (found, name) = Find(app, store);
        CheckEditable(key);
        var before = (await LookAsync(found, [name.Stored(key)], cancellationToken).ConfigureAwait(false))[0];
        Check(before, condition, key);
        var ttl = ttlSeconds ?? (before?.ExpiresAt is { } expires ? Math.Max(1, (int)Math.Min(int.MaxValue, Math.Ceiling((expires - _view.Engine.Time.GetUtcNow()).TotalSeconds))) : 0);
        // Zero clears the time of stores that keep it; no time at all is what the others understand by "for ever".
        var metadata = ttl > 0 || ttlSeconds is not null ? new Dictionary<string, string> { [StateTtl.Name] = (ttl > 0 ? ttl : -1).ToString(CultureInfo.InvariantCulture) } : null;
        // An existing key is not marked as first-written: the app's own plain saves must go on as before.
        await WriteAsync(found, new StateWrite(StateOperationKind.Upsert, name.Stored(key), value, condition.ETag,
            condition.ETag is null ? Concurrency.FirstWrite : Concurrency.Unspecified, metadata, IsBinary: !IsText(value.Span)), cancellationToken).ConfigureAwait(false);
        _view.Changes.Tell(RuntimeAreas.State, store);
        return await GetAsync(app, store, key, cancellationToken).ConfigureAwait(false);
    }

    /// <exception cref="IntrospectionException">No such app, store or key; the key is not of that version; the store refuses.</exception>
    public async Task DeleteAsync(string app, string store, string key, string etag, CancellationToken cancellationToken)
    {
        var (found, name) = Find(app, store);
        CheckEditable(key);
        Check((await LookAsync(found, [name.Stored(key)], cancellationToken).ConfigureAwait(false))[0], new StateCondition(etag), key);
        await WriteAsync(found, new StateWrite(StateOperationKind.Delete, name.Stored(key), ETag: etag), cancellationToken).ConfigureAwait(false);
        _view.Changes.Tell(RuntimeAreas.State, store);
    }

    private static async Task WriteAsync(IStateStore store, StateWrite write, CancellationToken cancellationToken)
    {
        try
        {
            await store.WriteAsync(write, cancellationToken).ConfigureAwait(false);
        }
        catch (ETagException e)
        {
            throw new IntrospectionException(IntrospectionRefusal.PreconditionFailed, e.Message, e);
        }
        catch (StateException e)
        {
            throw new IntrospectionException(IntrospectionRefusal.Invalid, e.Message, e);
        }
    }

    // Stores differ in what they make of an ETag of a key that is not there; here it is always a conflict.
    private static void Check(StateItem? before, StateCondition condition, string key)
    {
        if (before is null && condition.ETag is not null)
            throw NoKey(key);
        if (before is not null && condition.ETag is null)
            throw new IntrospectionException(IntrospectionRefusal.PreconditionFailed, $"{key} is there already.");
        if (before is not null && before.ETag != condition.ETag)
            throw new IntrospectionException(IntrospectionRefusal.PreconditionFailed, $"{key} has changed: its ETag is {before.ETag} now.");
    }

    private static ValueTask<IReadOnlyList<StateItem?>> LookAsync(IStateStore store, IReadOnlyList<string> keys, CancellationToken cancellationToken) =>
        keys.Count == 0 ? new([]) : store is KeyValueStateStore stoodIn ? stoodIn.LookAsync(keys, cancellationToken) : store.GetManyAsync(keys, NoMetadata, cancellationToken);

    private static void CheckEditable(string key)
    {
        if (key.Length is 0 or > LongestKey)
            throw new IntrospectionException(IntrospectionRefusal.Invalid, $"A key has 1 to {LongestKey} characters.");
        if (IsInternal(key))
            throw new IntrospectionException(IntrospectionRefusal.Invalid, $"{key} belongs to the runtime: use the actor or the workflow that has it.");
    }

    // Keys of apps cannot have the separator; those of actors and workflows all do.
    private static bool IsInternal(string key) => key.Contains(KeyPrefix.Separator, StringComparison.Ordinal);

    private static bool IsText(ReadOnlySpan<byte> value) => ShownBytes.Of(value) is JsonValue;

    private static string? WhyNot(IStateStore store) => store switch
    {
        EncryptedStateStore => "Its values are encrypted.",
        { Features: var features } when !features.HasFlag(StateFeatures.KeysLike) => "This type of store cannot list its keys.",
        { Features: var features } when !features.HasFlag(StateFeatures.ETag) => "This type of store has no ETags.",
        _ => null,
    };

    private static IntrospectionException NoKey(string key) => new(IntrospectionRefusal.NotFound, $"There is no key {key}.");

    private (IStateStore Store, KeyPrefix Prefix) Find(string app, string store)
    {
        var runtime = _view.RuntimeOf(app);
        if (!runtime.Components.TryGet<IStateStore>(store, out var found) || runtime.Components.SpecOf(store) is not { } spec)
            throw new IntrospectionException(IntrospectionRefusal.NotFound, $"{app} has no state store {store}.");
        return WhyNot(found) is { } why ? throw new IntrospectionException(IntrospectionRefusal.NotSupported, $"{store} cannot be browsed. {why}") : (found, new KeyPrefix(spec));
    }
}
