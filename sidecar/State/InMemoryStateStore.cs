using System.Runtime.InteropServices;
using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.State;

/// <summary><c>state.in-memory</c>: one map, gone with the sidecar. ETags are UUIDs.</summary>
internal sealed class InMemoryStateStore(ComponentSpec spec) : IStateStore
{
    private readonly TimeProvider _time = spec.Time;
    private readonly Dictionary<string, StateItem> _entries = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _keys = new(StringComparer.Ordinal);
    private readonly PriorityQueue<(string Key, string ETag), DateTimeOffset> _expiries = new();
    private readonly Lock _lock = new();

    public StateFeatures Features =>
        StateFeatures.ETag | StateFeatures.Transactional | StateFeatures.Ttl | StateFeatures.DeleteWithPrefix | StateFeatures.KeysLike;

    public Task InitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        lock (_lock)
            return new ValueTask<StateItem?>(Find(key, now));
    }

    public ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var items = new StateItem?[keys.Count];
        var now = _time.GetUtcNow();
        lock (_lock)
        {
            for (var i = 0; i < items.Length; i++)
                items[i] = Find(keys[i], now);
        }

        return new ValueTask<IReadOnlyList<StateItem?>>(items);
    }

    public ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken) => Write([write]);

    public ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) => Write(writes);

    public ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        var now = _time.GetUtcNow();
        var first = after is not null && string.CompareOrdinal(after, prefix) > 0 ? after : prefix;
        lock (_lock)
        {
            if (_keys.Max is { } last && string.CompareOrdinal(last, first) >= 0)
            {
                foreach (var key in _keys.GetViewBetween(first, last))
                {
                    if (keys.Count >= limit || !key.StartsWith(prefix, StringComparison.Ordinal))
                        break;
                    if (key != after && Find(key, now) is not null)
                        keys.Add(key);
                }
            }
        }

        return new ValueTask<IReadOnlyList<string>>(keys);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    // Times to live are read before anything is written; an ETag that fails puts back what the writes before it have replaced.
    private ValueTask Write(IReadOnlyList<StateWrite> writes)
    {
        var now = _time.GetUtcNow();
        var expiries = new DateTimeOffset?[writes.Count];
        for (var i = 0; i < expiries.Length; i++)
            expiries[i] = writes[i].Kind == StateOperationKind.Upsert ? Expiry(writes[i], now) : null;
        lock (_lock)
        {
            RemoveExpired(now);
            var replaced = new List<(string Key, StateItem? Entry)>(writes.Count);
            try
            {
                for (var i = 0; i < expiries.Length; i++)
                {
                    var write = writes[i];
                    var live = Find(write.Key, now);
                    Check(write, live);
                    replaced.Add((write.Key, _entries.GetValueOrDefault(write.Key)));
                    Set(write.Key, write.Kind == StateOperationKind.Delete ? null : new StateItem(write.Value, Guid.NewGuid().ToString(), expiries[i]));
                }
            }
            catch (ETagException)
            {
                for (var i = replaced.Count - 1; i >= 0; i--)
                    Set(replaced[i].Key, replaced[i].Entry);
                throw;
            }
        }

        return ValueTask.CompletedTask;
    }

    private static DateTimeOffset? Expiry(StateWrite write, DateTimeOffset now)
    {
        if (write.MetadataValue(StateTtl.Name) is not { Length: > 0 } text)
            return null;
        var seconds = StateTtl.ParseWhole(text, $"strconv.Atoi: parsing \"{text}\": invalid syntax");
        return seconds > 0 && seconds < (DateTimeOffset.MaxValue - now).TotalSeconds ? now.AddSeconds(seconds) : null;
    }

    private static void Check(StateWrite write, StateItem? live)
    {
        if (!write.HasETag)
        {
            if (write.Kind == StateOperationKind.Upsert && write.Concurrency == Concurrency.FirstWrite && live is not null)
                throw new ETagException(false, "item already exists and no etag was passed");
            return;
        }

        if (live is null)
            throw new ETagException(false, $"state not exist or expired for key={write.Key}");
        if (live.ETag != write.ETag)
            throw new ETagException(false, $"state etag not match for key={write.Key}: current={live.ETag}, expect={write.ETag}");
    }

    private StateItem? Find(string key, DateTimeOffset now)
    {
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        return entry.ExpiresAt is { } expiry && expiry <= now ? null : entry;
    }

    private void RemoveExpired(DateTimeOffset now)
    {
        while (_expiries.TryPeek(out var due, out var expiry) && expiry <= now)
        {
            _expiries.Dequeue();
            if (_entries.TryGetValue(due.Key, out var entry) && entry.ETag == due.ETag)
                Set(due.Key, null);
        }
    }

    private void Set(string key, StateItem? entry)
    {
        if (entry is null)
        {
            if (_entries.Remove(key))
                _keys.Remove(key);
            return;
        }

        ref var slot = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, key, out var existed);
        slot = entry;
        if (!existed)
            _keys.Add(key);
        if (entry.ExpiresAt is { } expiry)
            _expiries.Enqueue((key, entry.ETag!), expiry);
    }
}
