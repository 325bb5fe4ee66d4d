using System.Collections.Concurrent;
using System.Text;
using DaprPlatform.Sidecar.Hosting;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>The servers in this process: made at their first use, kept until the engine ends.</summary>
internal sealed class LocalStandIns(Engine engine) : IStandIns
{
    private readonly ConcurrentDictionary<(string Kind, string Address), Lazy<Task<object>>> _servers = new();

    public async ValueTask<T> GetAsync<T>(StandInKind<T> kind, string address, CancellationToken cancellationToken = default) where T : class
    {
        var server = _servers.GetOrAdd((kind.Name, address), key => new Lazy<Task<object>>(async () =>
            await kind.OpenAsync(new StandInPlace(address, Path.Combine(engine.DataDirectory, kind.Name, FolderName(address)), engine)).ConfigureAwait(false)));
        try
        {
            return (T)await server.Value.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception) when (server.Value.IsFaulted)
        {
            // What could not be opened may be at the next try (a full disk, say).
            _servers.TryRemove(new KeyValuePair<(string, string), Lazy<Task<object>>>((kind.Name, address), server));
            throw;
        }
    }

    /// <summary>The servers of a kind that are in use.</summary>
    public IEnumerable<(string Address, T Server)> Opened<T>(StandInKind<T> kind) where T : class
    {
        foreach (var ((name, address), server) in _servers)
            if (name == kind.Name && server.IsValueCreated && server.Value.IsCompletedSuccessfully)
                yield return (address, (T)server.Value.Result);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers.Values)
        {
            var opened = await server.Value.ConfigureAwait(false);
            if (opened is IAsyncDisposable asynchronous)
                await asynchronous.DisposeAsync().ConfigureAwait(false);
            else if (opened is IDisposable disposable)
                disposable.Dispose();
        }
    }

    // Readable, and different for different addresses.
    private static string FolderName(string address)
    {
        var name = new StringBuilder(address.Length);
        foreach (var c in address)
        {
            if (char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_')
                name.Append(c);
            else
                name.Append('~').Append(((int)c).ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return name.Length is > 0 and <= 120 ? name.ToString() : Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(address)));
    }
}
