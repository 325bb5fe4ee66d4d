using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.StandIns;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>
/// The key-value servers that components of an engine name by address, such as <c>redis://localhost:6379/0</c>. All components with one address are on one server.
/// </summary>
internal sealed class KeyValueServers : IAsyncDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);
    private readonly Dictionary<string, KeyValueServer> _servers = new(StringComparer.Ordinal);
    private readonly TimeProvider _time;
    private readonly Lazy<Task> _loading;
    private readonly CancellationTokenSource _stopping = new();
    private Task _sweeping = Task.CompletedTask;

    public KeyValueServers(DurableStore store, TimeProvider time)
    {
        _time = time;
        var table = new KeyValueTable(store);
        _loading = new Lazy<Task>(async () =>
        {
            await table.LoadAsync(name => Find(name, table)).ConfigureAwait(false);
            _sweeping = SweepAsync();
        });
        Table = table;
    }

    private KeyValueTable Table { get; }

    /// <summary>The server that a component names, in this process or in the one that all sidecars of the machine share.</summary>
    /// <exception cref="ComponentException">It cannot be reached.</exception>
    public static async ValueTask<IKeyValueServer> StandInAsync(ComponentSpec spec, string address, CancellationToken cancellationToken)
    {
        try
        {
            return await spec.Engine.StandIns.GetAsync(StandInKinds.KeyValue, address, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StandInException or StoreException)
        {
            throw new ComponentException(e.Message, e);
        }
    }

    /// <summary>The server of an address in this process; the first call reads what earlier runs have left.</summary>
    /// <exception cref="StoreException">The durable store cannot be read.</exception>
    public static async Task<IKeyValueServer> ConnectAsync(Engine engine, string address) =>
        await engine.Shared("keyvalue", e => new KeyValueServers(e.Store, e.Time)).ConnectAsync(address).ConfigureAwait(false);

    /// <inheritdoc cref="ConnectAsync(Engine, string)"/>
    public async Task<IKeyValueServer> ConnectAsync(string address)
    {
        await _loading.Value.ConfigureAwait(false);
        return Find(address, Table);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _sweeping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private KeyValueServer Find(string address, KeyValueTable table)
    {
        lock (_servers)
        {
            if (!_servers.TryGetValue(address, out var server))
                _servers[address] = server = new KeyValueServer(address, address.StartsWith("etcd:", StringComparison.Ordinal) ? KeyValueFlavor.Etcd : KeyValueFlavor.Redis, table, _time);
            return server;
        }
    }

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(SweepInterval, _time);
        while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
        {
            KeyValueServer[] servers;
            lock (_servers)
                servers = [.. _servers.Values];
            try
            {
                foreach (var server in servers)
                    await server.SweepAsync().ConfigureAwait(false);
            }
            catch (StoreException)
            {
                // Expired keys are invisible whether they are removed or not; the next round tries again.
            }
        }
    }
}
