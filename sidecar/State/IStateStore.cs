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
/// One write. <paramref name="ETag"/> null is unconditional (first-write still refuses an existing key where the store says so);
/// <paramref name="IsBinary"/> is false for JSON text that came over HTTP, which stores such as state.sqlite keep readable.
/// </summary>
/// <param name="Key">With its prefix, as stored.</param>
internal sealed record StateWrite(StateOperationKind Kind, string Key, ReadOnlyMemory<byte> Value = default, string? ETag = null,
    Concurrency Concurrency = Concurrency.Unspecified, IReadOnlyDictionary<string, string>? Metadata = null, bool IsBinary = true, string? ContentType = null)
{
    public string? MetadataValue(string name) => Metadata?.GetValueOrDefault(name);
}

/// <summary>
/// The contract of a state store. Keys are as stored (with prefix). A write completes when it is durable, as far as the type is durable at all.
/// Implementations are safe for concurrent use.
/// </summary>
internal interface IStateStore : IComponent
{
    StateFeatures Features { get; }

    /// <summary>Null when there is no such key, or it has expired.</summary>
    ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    /// <summary>One answer a key, in the order asked.</summary>
    ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    /// <summary>One write on its own.</summary>
    /// <exception cref="ETagException">The ETag does not match, or has the wrong form.</exception>
    ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken);

    /// <summary>All or none, in order (needs <see cref="StateFeatures.Transactional"/>).</summary>
    /// <exception cref="ETagException">An ETag does not match; nothing is written.</exception>
    ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    /// <summary>Keys that begin with a prefix, in ordinal order, after a given key; at most <paramref name="limit"/> (needs <see cref="StateFeatures.KeysLike"/>).</summary>
    ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken);
}

/// <summary>A write was refused for its ETag.</summary>
/// <param name="Invalid">The ETag has a form the store never hands out; otherwise it does not match.</param>
internal sealed class ETagException(bool Invalid, string message) : Exception(message)
{
    public bool IsInvalid => Invalid;
}
