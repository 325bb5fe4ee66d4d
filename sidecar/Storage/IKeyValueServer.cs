namespace DaprPlatform.Sidecar.Storage;

/// <summary>Whose version numbers a stand-in hands out.</summary>
internal enum KeyValueFlavor
{
    /// <summary>A count of each key's own, from 1 and from 1 again after a deletion.</summary>
    Redis,

    /// <summary>The revision of the server, one for all keys a transaction writes; the first is 2.</summary>
    Etcd,
}

internal enum KeyValueCondition
{
    None,

    /// <summary>The key must not exist.</summary>
    Absent,

    /// <summary>The key must exist with this version.</summary>
    Version,

    /// <summary>As <see cref="Version"/>, but a key that does not exist is right too.</summary>
    VersionOrAbsent,

    /// <summary>The key must not exist or not be marked.</summary>
    Unmarked,

    /// <summary>The key must exist with this value.</summary>
    Value,
}

internal enum KeyValueTtl
{
    /// <summary>The key lives for ever from now on.</summary>
    Clear,

    /// <summary>The key keeps what it has left to live.</summary>
    Keep,

    Set,
}

/// <summary>One write of a transaction.</summary>
internal sealed record KeyValueOperation
{
    public required string Key { get; init; }

    public bool IsDelete { get; init; }

    public ReadOnlyMemory<byte> Value { get; init; }

    public KeyValueCondition Condition { get; init; }

    /// <summary>For <see cref="KeyValueCondition.Version"/> and <see cref="KeyValueCondition.VersionOrAbsent"/>.</summary>
    public long Version { get; init; }

    /// <summary>For <see cref="KeyValueCondition.Value"/>.</summary>
    public ReadOnlyMemory<byte> Expected { get; init; }

    public KeyValueTtl Ttl { get; init; }

    /// <summary>For <see cref="KeyValueTtl.Set"/>.</summary>
    public long TtlMilliseconds { get; init; }

    /// <summary>Marks the key; the mark stays until the key is deleted.</summary>
    public bool Mark { get; init; }
}

internal enum KeyValueStatus
{
    Done,

    /// <summary>The condition asks for a key that does not exist.</summary>
    Missing,

    /// <summary>The key is there and not as the condition says.</summary>
    Conflict,

    /// <summary>Not tried: an earlier operation of an all-or-nothing transaction was refused.</summary>
    Skipped,
}

/// <param name="Version">After <see cref="KeyValueStatus.Done"/> the new version, after <see cref="KeyValueStatus.Conflict"/> the one the key has.</param>
internal readonly record struct KeyValueResult(KeyValueStatus Status, long Version);

/// <param name="ExpiresAt">Unix milliseconds; 0 is never.</param>
internal sealed record KeyValueRecord(ReadOnlyMemory<byte> Value, long Version, long ExpiresAt, bool Marked)
{
    public bool HasExpired(long now) => ExpiresAt != 0 && ExpiresAt <= now;
}

/// <param name="Value">Null when the key was deleted.</param>
internal sealed record KeyValueChange(string Key, ReadOnlyMemory<byte>? Value);

/// <summary>
/// Stands in for a key-value server (Redis, etcd) on one machine. Keys live in spaces that do not see each other, such as <c>state</c> and <c>lock</c>.
/// What was acknowledged is durable; readers see committed transactions only, each as a whole. Thread-safe.
/// </summary>
internal interface IKeyValueServer
{
    ValueTask<KeyValueRecord?> GetAsync(string space, string key, CancellationToken cancellationToken);

    /// <summary>One answer a key, in the order asked, all of one moment.</summary>
    ValueTask<KeyValueRecord?[]> GetManyAsync(string space, IReadOnlyList<string> keys, CancellationToken cancellationToken);

    /// <summary>Runs operations in order, as one write.</summary>
    /// <param name="allOrNothing">True: nothing is written when a condition fails. False: what can be written is.</param>
    /// <returns>One result an operation.</returns>
    ValueTask<KeyValueResult[]> TransactAsync(string space, IReadOnlyList<KeyValueOperation> operations, bool allOrNothing, CancellationToken cancellationToken);

    /// <summary>Keys that begin with a prefix, in ordinal order, after a given key; at most <paramref name="limit"/>.</summary>
    ValueTask<IReadOnlyList<string>> KeysAsync(string space, string prefix, string? after, int limit, CancellationToken cancellationToken);

    /// <summary>Hands every later change of a space to a listener, in order, until the watch is disposed of; the listener must not block. The watch is in place when the task completes.</summary>
    ValueTask<IAsyncDisposable> WatchAsync(string space, Action<KeyValueChange> listener, CancellationToken cancellationToken);
}
