using DaprPlatform.Sidecar.State;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>A state store in a dictionary that outlives a hub, as a disk does; a test can hold back, count and refuse its commits.</summary>
internal sealed class DiskStore : IStateStore
{
    private readonly SortedDictionary<string, byte[]> _rows = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Awaited before each commit takes effect.</summary>
    public Func<Task> BeforeCommit { get; set; } = () => Task.CompletedTask;

    public List<IReadOnlyList<StateWrite>> Commits { get; } = [];

    public StateFeatures Features => StateFeatures.Transactional | StateFeatures.ETag | StateFeatures.KeysLike;

    public IReadOnlyList<string> Keys
    {
        get
        {
            lock (_lock)
                return [.. _rows.Keys];
        }
    }

    /// <summary>Removes the rows whose key has this in it.</summary>
    public void Remove(string part)
    {
        lock (_lock)
        {
            foreach (var key in _rows.Keys.Where(k => k.Contains(part, StringComparison.Ordinal)).ToArray())
                _rows.Remove(key);
        }
    }

    public Task InitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask<StateItem?> GetAsync(string key, Consistency consistency, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        lock (_lock)
            return ValueTask.FromResult(_rows.TryGetValue(key, out var value) ? new StateItem(value, "1") : null);
    }

    public async ValueTask<IReadOnlyList<StateItem?>> GetManyAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var items = new List<StateItem?>();
        foreach (var key in keys)
            items.Add(await GetAsync(key, Consistency.Strong, metadata, cancellationToken));
        return items;
    }

    public ValueTask WriteAsync(StateWrite write, CancellationToken cancellationToken) => TransactAsync([write], new Dictionary<string, string>(), cancellationToken);

    public async ValueTask TransactAsync(IReadOnlyList<StateWrite> writes, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        await BeforeCommit();
        lock (_lock)
        {
            Commits.Add(writes);
            foreach (var write in writes)
            {
                if (write.Kind == StateOperationKind.Delete)
                    _rows.Remove(write.Key);
                else
                    _rows[write.Key] = write.Value.ToArray();
            }
        }
    }

    public ValueTask<IReadOnlyList<string>> KeysAsync(string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return ValueTask.FromResult<IReadOnlyList<string>>([.. _rows.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal))
                .Where(k => after is null || string.CompareOrdinal(k, after) > 0).Take(limit)]);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
