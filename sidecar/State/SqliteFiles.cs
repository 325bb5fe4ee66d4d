using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.State;

/// <summary>The database files that components of one engine have open: components on one file share its writer, so that they share commits too.</summary>
internal sealed class SqliteFiles : IAsyncDisposable
{
    private readonly Dictionary<string, (DurableStore Store, int Users)> _files = new(StringComparer.Ordinal);

    public static SqliteFiles Of(Engine engine) => engine.Shared("sqlite-files", static _ => new SqliteFiles());

    /// <exception cref="StoreException">The file cannot be opened.</exception>
    public DurableStore Open(SqliteOptions options)
    {
        if (options.Path == DurableStore.InMemory)
            return DurableStore.Open(options.Path, options.Store);
        lock (_files)
        {
            var (store, users) = _files.TryGetValue(options.Path, out var open) ? open : (DurableStore.Open(options.Path, options.Store), 0);
            _files[options.Path] = (store, users + 1);
            return store;
        }
    }

    /// <summary>Gives a file back; the last user closes it.</summary>
    public ValueTask CloseAsync(DurableStore store)
    {
        lock (_files)
        {
            if (_files.TryGetValue(store.Path, out var open) && ReferenceEquals(open.Store, store))
            {
                if (open.Users > 1)
                {
                    _files[store.Path] = (store, open.Users - 1);
                    return ValueTask.CompletedTask;
                }

                _files.Remove(store.Path);
            }
        }

        return store.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        List<DurableStore> open;
        lock (_files)
        {
            open = [.. _files.Values.Select(f => f.Store)];
            _files.Clear();
        }

        foreach (var store in open)
            await store.DisposeAsync().ConfigureAwait(false);
    }
}
