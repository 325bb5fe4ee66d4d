using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.State;

internal enum Concurrency
{
    Unspecified,
    FirstWrite,
    LastWrite,
}

internal enum Consistency
{
    Unspecified,
    Eventual,
    Strong,
}

/// <summary>What a store can do beyond get, set and delete.</summary>
[Flags]
internal enum StateFeatures
{
    None = 0,
    ETag = 1,
    Transactional = 2,
    Query = 4,
    Ttl = 8,
    DeleteWithPrefix = 16,
    KeysLike = 32,
}

/// <summary>A stored value. ETags are opaque text; <see cref="ExpiresAt"/> is null for values that never expire.</summary>
internal sealed record StateItem(ReadOnlyMemory<byte> Value, string? ETag, DateTimeOffset? ExpiresAt = null, string? ContentType = null);

internal enum StateOperationKind
{
    Upsert,
    Delete,
}

/// <summary>
/// One write. <paramref name="ETag"/> null or empty is unconditional (first-write still refuses an existing key where the store says so);
/// <paramref name="IsBinary"/> is false for JSON text that came over HTTP, which stores such as state.sqlite keep readable.
/// </summary>
/// <param name="Key">With its prefix, as stored.</param>
internal sealed record StateWrite(StateOperationKind Kind, string Key, ReadOnlyMemory<byte> Value = default, string? ETag = null,
    Concurrency Concurrency = Concurrency.Unspecified, IReadOnlyDictionary<string, string>? Metadata = null, bool IsBinary = true, string? ContentType = null, Consistency Consistency = Consistency.Unspecified)
{
    public bool HasETag => !string.IsNullOrEmpty(ETag);

    public string? MetadataValue(string name) => Metadata?.GetValueOrDefault(name);
}

/// <summary>
/// The contract of a state store. Keys are as stored (with prefix). A write completes when it is durable, as far as the type is durable at all.
/// Implementations are safe for concurrent use. Refusals are <see cref="ETagException"/> and <see cref="StateException"/>.
/// </summary>
internal interface IStateStore : IComponent
{
    StateFeatures Features { get; }

    IReadOnlyList<string> IComponent.Capabilities => Features.Names();

    /// <summary>JSON from HTTP is stored with <c>&lt; &gt; &amp;</c> escaped.</summary>
    bool EscapesHtml => true;

    /// <summary>A bulk read of one key twice finds it once; the second answer has no key at all (recorded of state.sqlite).</summary>
    bool FindsRepeatedKeysOnce => false;

    /// <summary>Operations a transaction may have; null is without limit.</summary>
    int? MaxTransactionSize => null;

    /// <summary>Null when there is no such key, or it has expired.</summary>
    ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    /// <summary>One answer a key, in the order asked.</summary>
    ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    /// <summary>One write on its own.</summary>
    /// <exception cref="ETagException">The ETag does not match, or has the wrong form.</exception>
    ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken);

    /// <summary>All or none, in order (needs <see cref="StateFeatures.Transactional"/>).</summary>
    /// <exception cref="ETagException">An ETag does not match; nothing is written, except in state.redis, whose transactions do not roll back.</exception>
    ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    /// <summary>Keys that begin with a prefix, in ordinal order, after a given key; at most <paramref name="limit"/> (needs <see cref="StateFeatures.KeysLike"/>).</summary>
    ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken);

    /// <summary>Refuses what the server of this type would refuse of a transaction, although the stand-in could do it. Only for transactions of apps.</summary>
    /// <exception cref="StateException">Such as a key written twice, where the server does not take that.</exception>
    void CheckTransaction(IReadOnlyList<StateWrite> writes)
    {
    }

    /// <summary>False answers queries without asking the store.</summary>
    bool TakesQueries => Features.HasFlag(StateFeatures.Query);

    /// <summary>Items that match a query (needs <see cref="StateFeatures.Query"/>, else it throws).</summary>
    /// <exception cref="StateException">The query is malformed, or the store cannot run it.</exception>
    ValueTask<StateQueryAnswer> QueryAsync(StateQuery query, CancellationToken cancellationToken) => throw new StateException("state store does not support querying");
}

internal static class StateFeatureNames
{
    /// <summary>As <c>/v1.0/metadata</c> lists them.</summary>
    public static IReadOnlyList<string> Names(this StateFeatures features)
    {
        ReadOnlySpan<(StateFeatures Feature, string Name)> names =
        [
            (StateFeatures.ETag, "ETAG"), (StateFeatures.Transactional, "TRANSACTIONAL"), (StateFeatures.Query, "QUERY_API"), (StateFeatures.Ttl, "TTL"),
            (StateFeatures.DeleteWithPrefix, "DELETE_WITH_PREFIX"), (StateFeatures.KeysLike, "KEYS_LIKE"), (StateFeatures.ETag | StateFeatures.Transactional, "ACTOR"),
        ];
        var given = new List<string>();
        foreach (var (feature, name) in names)
        {
            if (features.HasFlag(feature))
                given.Add(name);
        }

        return given;
    }
}

/// <summary>A write was refused for its ETag.</summary>
/// <param name="Invalid">The ETag has a form the store never hands out; otherwise it does not match.</param>
/// <param name="message">What the store says of it; empty is nothing.</param>
internal sealed class ETagException(bool Invalid, string message = "") : Exception(Invalid
    ? message.Length > 0 ? $"invalid etag value: {message}" : "invalid etag value"
    : message.Length > 0 ? $"possible etag mismatch. error from state store: {message}" : "possible etag mismatch. error from state store")
{
    public bool IsInvalid => Invalid;
}

/// <summary>The store refuses or fails; the message says why.</summary>
internal sealed class StateException(string message, Exception? inner = null) : Exception(message, inner);
