using System.Globalization;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.State;

/// <summary>What the stores have in common whose server is stood in for.</summary>
internal abstract class KeyValueStateStore(ComponentSpec spec) : IStateStore
{
    private const string Space = "state";
    private IKeyValueServer? _server;

    public StateFeatures Features => StateFeatures.ETag | StateFeatures.Transactional | StateFeatures.Ttl | StateFeatures.KeysLike;

    public virtual bool EscapesHtml => true;

    public virtual bool TakesQueries => false;

    public virtual int? MaxTransactionSize => null;

    /// <summary>The server's name among the stand-ins of this machine.</summary>
    public string ServerAddress => Address();

    protected ComponentSpec Spec => spec;

    /// <summary>False: a transaction goes on after an operation that was refused.</summary>
    protected virtual bool RollsBack => true;

    private IKeyValueServer Server => _server ?? throw new InvalidOperationException("the store is not initialised");

    public async Task InitAsync(CancellationToken cancellationToken) => _server = await KeyValueServers.StandInAsync(spec, Address(), cancellationToken).ConfigureAwait(false);

    public async ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        Item(await Server.GetAsync(Space, ServerKey(key), cancellationToken).ConfigureAwait(false));

    public async ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var names = new string[keys.Count];
        for (var i = 0; i < names.Length; i++)
            names[i] = ServerKey(keys[i]);
        var records = await Server.GetManyAsync(Space, names, cancellationToken).ConfigureAwait(false);
        return Array.ConvertAll(records, Item);
    }

    /// <summary>As <see cref="GetManyAsync"/>, with the time that the server of a type may keep to itself.</summary>
    internal async ValueTask<IReadOnlyList<StateItem?>> LookAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var records = await Server.GetManyAsync(Space, [.. keys.Select(ServerKey)], cancellationToken).ConfigureAwait(false);
        return Array.ConvertAll(records, r => Item(r) is { } item ? item with { ExpiresAt = r!.ExpiresAt == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(r.ExpiresAt) } : null);
    }

    public async ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken)
    {
        var results = await Server.TransactAsync(Space, [Operation(write)], allOrNothing: true, cancellationToken).ConfigureAwait(false);
        if (Refusal(write, results[0]) is { } refusal)
            throw refusal;
    }

    public async ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var operations = new KeyValueOperation[writes.Count];
        for (var i = 0; i < operations.Length; i++)
            operations[i] = Operation(writes[i]);
        var results = await Server.TransactAsync(Space, operations, RollsBack, cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < results.Length; i++)
        {
            if (Refusal(writes[i], results[i]) is { } refusal)
                throw refusal;
        }
    }

    public async ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        var keys = await Server.KeysAsync(Space, ServerKey(prefix), after is null ? null : ServerKey(after), limit, cancellationToken).ConfigureAwait(false);
        return ServerKey("").Length == 0 ? keys : [.. keys.Select(KeyOf)];
    }

    public virtual void CheckTransaction(IReadOnlyList<StateWrite> writes)
    {
    }

    public virtual ValueTask<StateQueryAnswer> QueryAsync(StateQuery query, CancellationToken cancellationToken) => throw new StateException("state store does not support querying");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The server's name among the stand-ins of this machine.</summary>
    /// <exception cref="ComponentException">The metadata names none.</exception>
    protected abstract string Address();

    /// <summary>What a key is called on the server.</summary>
    protected virtual string ServerKey(string key) => key;

    protected virtual string KeyOf(string serverKey) => serverKey;

    /// <exception cref="StateException">Its time to live is malformed.</exception>
    /// <exception cref="ETagException">Its ETag is malformed.</exception>
    protected abstract KeyValueOperation Operation(StateWrite write);

    /// <summary>What a result means to the writer; null is success.</summary>
    protected abstract Exception? Refusal(StateWrite write, KeyValueResult result);

    protected virtual DateTimeOffset? Expiry(KeyValueRecord record) => record.ExpiresAt == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(record.ExpiresAt);

    private StateItem? Item(KeyValueRecord? record) =>
        record is null ? null : new StateItem(record.Value, record.Version.ToString(CultureInfo.InvariantCulture), Expiry(record));
}

/// <summary>
/// <c>state.redis</c>: each key counts its saves, and that count is its ETag. Its scripts have consequences worth knowing: an ETag on a missing key writes it, a key that
/// was first-written takes no plain save any more, and a transaction does not roll back.
/// </summary>
internal sealed class RedisStateStore(ComponentSpec spec) : KeyValueStateStore(spec)
{
    public override bool EscapesHtml => false;

    public override bool TakesQueries => true;

    protected override bool RollsBack => false;

    public override ValueTask<StateQueryAnswer> QueryAsync(StateQuery query, CancellationToken cancellationToken) =>
        throw new StateException("redis-json server support is required for query capability");

    protected override string Address() => RedisAddress.Of(Spec);

    // The server keeps the time to live to itself.
    protected override DateTimeOffset? Expiry(KeyValueRecord record) => null;

    protected override KeyValueOperation Operation(StateWrite write)
    {
        var (ttl, milliseconds) = write.Kind == StateOperationKind.Upsert ? Ttl(write) : (KeyValueTtl.Keep, 0);
        var operation = new KeyValueOperation { Key = write.Key, IsDelete = write.Kind == StateOperationKind.Delete, Value = write.Value, Ttl = ttl, TtlMilliseconds = milliseconds };

        // An ETag does not count for last-write.
        if (!write.HasETag || write.Concurrency == Concurrency.LastWrite)
            return operation.IsDelete ? operation : operation with { Condition = KeyValueCondition.Unmarked, Mark = write.Concurrency == Concurrency.FirstWrite };
        var isNumber = long.TryParse(write.ETag, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var version);
        if (!isNumber && !operation.IsDelete)
            throw new ETagException(true, $"strconv.Atoi: parsing \"{write.ETag}\": invalid syntax");
        return operation with { Condition = KeyValueCondition.VersionOrAbsent, Version = isNumber ? version : -1, Mark = !operation.IsDelete && write.Concurrency == Concurrency.FirstWrite };
    }

    protected override Exception? Refusal(StateWrite write, KeyValueResult result)
    {
        if (result.Status != KeyValueStatus.Conflict)
            return null;
        if (write.Kind == StateOperationKind.Delete)
            return new ETagException(false, $"ERR failed to delete {write.Key}");
        return write.HasETag && write.Concurrency != Concurrency.LastWrite
            ? new ETagException(false, $"ERR failed to set key {write.Key}")
            : new StateException($"failed to set key {write.Key}: ERR failed to set key {write.Key}");
    }

    // Without a time to live a key keeps the one it has; 0 and less take it away.
    private (KeyValueTtl Ttl, long Milliseconds) Ttl(StateWrite write)
    {
        var text = write.MetadataValue(StateTtl.Name) is { Length: > 0 } own ? own : Spec.Value(StateTtl.Name);
        if (string.IsNullOrEmpty(text))
            return (KeyValueTtl.Keep, 0);
        var seconds = StateTtl.ParseWhole(text, $"failed to parse ttl from metadata: strconv.ParseInt: parsing \"{text}\": invalid syntax");
        return seconds <= 0 ? (KeyValueTtl.Clear, 0) : (KeyValueTtl.Set, Math.Min(seconds, long.MaxValue / 1000) * 1000);
    }
}

/// <summary><c>state.etcd</c>: the ETag of a key is the server's revision at its last save. Transactions are all or nothing.</summary>
internal sealed class EtcdStateStore(ComponentSpec spec) : KeyValueStateStore(spec)
{
    private readonly string _prefix = spec.Value("keyPrefixPath") is { Length: > 0 } path ? path.TrimEnd('/') + "/" : "";

    // Of etcd's default --max-txn-ops.
    public override int? MaxTransactionSize => 128;

    public override void CheckTransaction(IReadOnlyList<StateWrite> writes)
    {
        var keys = new HashSet<string>(writes.Count, StringComparer.Ordinal);
        foreach (var write in writes)
        {
            if (!keys.Add(write.Key))
                throw new StateException("etcdserver: duplicate key given in txn request");
        }
    }

    protected override string Address() => "etcd://" + StandInAddress.Of(Spec.Required("endpoints"), 2379);

    protected override string ServerKey(string key) => _prefix + key;

    protected override string KeyOf(string serverKey) => serverKey[_prefix.Length..];

    protected override KeyValueOperation Operation(StateWrite write)
    {
        var ttl = write.Kind == StateOperationKind.Upsert ? StateTtl.Parse(write) ?? 0 : 0;
        var isVersion = long.TryParse(write.ETag, NumberStyles.None, CultureInfo.InvariantCulture, out var version) && version.ToString(CultureInfo.InvariantCulture) == write.ETag;
        return new KeyValueOperation
        {
            Key = ServerKey(write.Key),
            IsDelete = write.Kind == StateOperationKind.Delete,
            Value = write.Value,
            Condition = write.HasETag ? KeyValueCondition.Version
                : write.Kind == StateOperationKind.Upsert && write.Concurrency == Concurrency.FirstWrite ? KeyValueCondition.Absent
                : KeyValueCondition.None,
            Version = isVersion ? version : -1,
            Ttl = ttl > 0 ? KeyValueTtl.Set : KeyValueTtl.Clear,
            TtlMilliseconds = ttl * 1000L,
        };
    }

    protected override Exception? Refusal(StateWrite write, KeyValueResult result) => result.Status switch
    {
        KeyValueStatus.Missing => new ETagException(false, $"state not exist or expired for key={ServerKey(write.Key)}"),
        KeyValueStatus.Conflict when write.HasETag => new ETagException(false, $"state etag not match for key={ServerKey(write.Key)}: current={result.Version}, expect={write.ETag}"),
        KeyValueStatus.Conflict => new ETagException(false, "item already exists and no etag was passed"),
        _ => null,
    };
}
