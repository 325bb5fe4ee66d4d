using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Dapr.Actors.Communication;

namespace Dapr.Actors.Runtime;

/// <summary>State at the sidecar, with a cache for the activation. A reentrant call has a cache of its own, so that it sees what its outer calls saved.</summary>
internal sealed class ActorStateManager(ActorHost host) : IActorStateManager
{
    private readonly AsyncLocal<CallCache?> _call = new();
    private readonly Dictionary<string, Entry> _activation = new(StringComparer.Ordinal);

    private enum Change
    {
        None,
        Add,
        Update,
        Remove,
    }

    private Dictionary<string, Entry> Cache => _call.Value?.Entries ?? _activation;

    /// <summary>Gives the call that begins here a cache of its own. Ends with the async method that this is called in.</summary>
    public void BeginReentrantCall() => _call.Value = new CallCache();

    public Task AddStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default) =>
        AddAsync(stateName, value, null, cancellationToken);

    public Task AddStateAsync<T>(string stateName, T value, TimeSpan ttl, CancellationToken cancellationToken = default) =>
        AddAsync(stateName, value, ttl, cancellationToken);

    public Task<bool> TryAddStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default) =>
        TryAddAsync(stateName, value, null, cancellationToken);

    public Task<bool> TryAddStateAsync<T>(string stateName, T value, TimeSpan ttl, CancellationToken cancellationToken = default) =>
        TryAddAsync(stateName, value, ttl, cancellationToken);

    public Task SetStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default) =>
        SetAsync(stateName, value, null, cancellationToken);

    public Task SetStateAsync<T>(string stateName, T value, TimeSpan ttl, CancellationToken cancellationToken = default) =>
        SetAsync(stateName, value, ttl, cancellationToken);

    public Task<T> GetOrAddStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default) =>
        GetOrAddAsync(stateName, value, null, cancellationToken);

    public Task<T> GetOrAddStateAsync<T>(string stateName, T value, TimeSpan ttl, CancellationToken cancellationToken = default) =>
        GetOrAddAsync(stateName, value, ttl, cancellationToken);

    public Task<T> AddOrUpdateStateAsync<T>(string stateName, T addValue, Func<string, T, T> updateValueFactory, CancellationToken cancellationToken = default) =>
        AddOrUpdateAsync(stateName, addValue, updateValueFactory, null, cancellationToken);

    public Task<T> AddOrUpdateStateAsync<T>(
        string stateName,
        T addValue,
        Func<string, T, T> updateValueFactory,
        TimeSpan ttl,
        CancellationToken cancellationToken = default) =>
        AddOrUpdateAsync(stateName, addValue, updateValueFactory, ttl, cancellationToken);

    public async Task<T> GetStateAsync<T>(string stateName, CancellationToken cancellationToken = default)
    {
        var found = await TryGetStateAsync<T>(stateName, cancellationToken);
        return found.HasValue ? found.Value : throw Missing(stateName);
    }

    public async Task<ConditionalValue<T>> TryGetStateAsync<T>(string stateName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(stateName);
        if (Cache.TryGetValue(stateName, out var entry))
            return IsThere(entry) ? new(true, (T)entry.Value!) : default;
        var (stored, expiry) = await ReadAsync(stateName, cancellationToken);
        if (stored is null)
            return default;
        var value = JsonSerializer.Deserialize<T>(stored, host.JsonSerializerOptions)!;
        Cache[stateName] = new Entry { Value = value, Type = typeof(T), Expiry = expiry };
        return new(true, value);
    }

    public async Task RemoveStateAsync(string stateName, CancellationToken cancellationToken = default)
    {
        if (!await TryRemoveStateAsync(stateName, cancellationToken))
            throw Missing(stateName);
    }

    public async Task<bool> TryRemoveStateAsync(string stateName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(stateName);
        if (Cache.TryGetValue(stateName, out var entry))
        {
            if (!IsThere(entry))
                return false;
            // What was added and never saved is gone without a trace.
            if (entry.Change == Change.Add)
                Cache.Remove(stateName);
            else
                entry.MarkRemoved();
            return true;
        }

        if (!await IsStoredAsync(stateName, cancellationToken))
            return false;
        Cache[stateName] = new Entry { Change = Change.Remove };
        return true;
    }

    public async Task<bool> ContainsStateAsync(string stateName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(stateName);
        return Cache.TryGetValue(stateName, out var entry) ? IsThere(entry) : await IsStoredAsync(stateName, cancellationToken);
    }

    public Task ClearCacheAsync(CancellationToken cancellationToken = default)
    {
        Cache.Clear();
        return Task.CompletedTask;
    }

    public async Task SaveStateAsync(CancellationToken cancellationToken = default)
    {
        var cache = Cache;
        if (!cache.Values.Any(entry => entry.Change != Change.None))
            return;
        await Sidecar.SaveStateAsync(host.ActorTypeInfo.ActorTypeName, host.Id, WriteChanges(cache), cancellationToken);
        foreach (var (name, entry) in cache)
        {
            if (entry.Change == Change.Remove)
                cache.Remove(name);
            else
                entry.Change = Change.None;
        }
    }

    public Task UnloadStateAsync(string stateName, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(stateName);
        if (Cache.TryGetValue(stateName, out var entry))
        {
            if (entry.Change != Change.None)
                throw new InvalidOperationException($"State '{stateName}' has changes that are not saved.");
            Cache.Remove(stateName);
        }

        return Task.CompletedTask;
    }

    private async Task AddAsync<T>(string name, T value, TimeSpan? ttl, CancellationToken cancellationToken)
    {
        if (!await TryAddAsync(name, value, ttl, cancellationToken))
            throw new InvalidOperationException($"The actor already has a state named '{name}'.");
    }

    private async Task<bool> TryAddAsync<T>(string name, T value, TimeSpan? ttl, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Check(ttl);
        if (Cache.TryGetValue(name, out var entry))
        {
            if (IsThere(entry))
                return false;
            entry.Set(value, typeof(T), ttl, Expiry(ttl), Change.Update);
            return true;
        }

        if (await IsStoredAsync(name, cancellationToken))
            return false;
        Put(name, value, ttl, Change.Add);
        return true;
    }

    private async Task SetAsync<T>(string name, T value, TimeSpan? ttl, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Check(ttl);
        if (Cache.TryGetValue(name, out var entry))
            entry.Set(value, typeof(T), ttl, Expiry(ttl), entry.Change == Change.Add ? Change.Add : Change.Update);
        else
            Put(name, value, ttl, await IsStoredAsync(name, cancellationToken) ? Change.Update : Change.Add);
    }

    private async Task<T> GetOrAddAsync<T>(string name, T value, TimeSpan? ttl, CancellationToken cancellationToken)
    {
        var found = await TryGetStateAsync<T>(name, cancellationToken);
        if (found.HasValue)
            return found.Value;
        await AddMissingAsync(name, value, ttl);
        return value;
    }

    private async Task<T> AddOrUpdateAsync<T>(string name, T addValue, Func<string, T, T> update, TimeSpan? ttl, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(update);
        var found = await TryGetStateAsync<T>(name, cancellationToken);
        if (!found.HasValue)
        {
            await AddMissingAsync(name, addValue, ttl);
            return addValue;
        }

        var value = update(name, found.Value);
        await SetAsync(name, value, ttl, cancellationToken);
        return value;
    }

    // Known to be missing: no need to ask again.
    private Task AddMissingAsync<T>(string name, T value, TimeSpan? ttl)
    {
        Check(ttl);
        if (Cache.TryGetValue(name, out var entry))
            entry.Set(value, typeof(T), ttl, Expiry(ttl), Change.Update);
        else
            Put(name, value, ttl, Change.Add);
        return Task.CompletedTask;
    }

    private void Put<T>(string name, T value, TimeSpan? ttl, Change change)
    {
        var entry = new Entry();
        entry.Set(value, typeof(T), ttl, Expiry(ttl), change);
        Cache[name] = entry;
    }

    private bool IsThere(Entry entry) => entry.Change != Change.Remove && !(entry.Expiry <= host.Time.GetUtcNow());

    private DateTimeOffset? Expiry(TimeSpan? ttl) => ttl is { } left ? host.Time.GetUtcNow() + left : null;

    private async Task<bool> IsStoredAsync(string name, CancellationToken cancellationToken) => (await ReadAsync(name, cancellationToken)).Value is not null;

    private async Task<(byte[]? Value, DateTimeOffset? Expiry)> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var stored = await Sidecar.GetStateAsync(host.ActorTypeInfo.ActorTypeName, host.Id, name, cancellationToken);
        return stored.Expiry <= host.Time.GetUtcNow() ? default : stored;
    }

    private SidecarActors Sidecar => host.Sidecar
        ?? throw new InvalidOperationException($"This actor was made for a test without a sidecar; set its {nameof(Actor.StateManager)}.");

    private byte[] WriteChanges(Dictionary<string, Entry> cache)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartArray();
            foreach (var (name, entry) in cache)
            {
                if (entry.Change == Change.None)
                    continue;
                writer.WriteStartObject();
                writer.WriteString("operation", entry.Change == Change.Remove ? "delete" : "upsert");
                writer.WriteStartObject("request");
                writer.WriteString("key", name);
                if (entry.Change != Change.Remove)
                    WriteValue(writer, entry);
                writer.WriteEndObject();
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private void WriteValue(Utf8JsonWriter writer, Entry entry)
    {
        writer.WritePropertyName("value");
        JsonSerializer.Serialize(writer, entry.Value, entry.Type, host.JsonSerializerOptions);
        if (entry.Ttl is not { } ttl)
            return;
        writer.WriteStartObject("metadata");
        writer.WriteString("ttlInSeconds", ((long)Math.Ceiling(ttl.TotalSeconds)).ToString(CultureInfo.InvariantCulture));
        writer.WriteEndObject();
    }

    private static void Check(TimeSpan? ttl)
    {
        if (ttl <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(ttl), ttl, "The time to live must be positive.");
    }

    private static KeyNotFoundException Missing(string name) => new($"The actor has no state named '{name}'.");

    private sealed class CallCache
    {
        public Dictionary<string, Entry> Entries { get; } = new(StringComparer.Ordinal);
    }

    private sealed class Entry
    {
        public object? Value { get; set; }

        /// <summary>As which the value was declared, and is written.</summary>
        public Type Type { get; set; } = typeof(object);

        public TimeSpan? Ttl { get; private set; }

        public DateTimeOffset? Expiry { get; set; }

        public Change Change { get; set; }

        public void Set(object? value, Type type, TimeSpan? ttl, DateTimeOffset? expiry, Change change) =>
            (Value, Type, Ttl, Expiry, Change) = (value, type, ttl, expiry, change);

        public void MarkRemoved() => (Value, Ttl, Expiry, Change) = (null, null, null, Change.Remove);
    }
}
