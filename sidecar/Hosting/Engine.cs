using System.Collections.Concurrent;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Invocation;
using DaprPlatform.Sidecar.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>Where an engine keeps what outlives it, and what it shares.</summary>
public sealed record EngineOptions
{
    /// <summary>Folder of the durable store; made when missing. Null: <see cref="MachineDirectory"/>.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>
    /// True for sidecars that are processes of their own: stand-ins for servers live in a process that outlives them, found by the server's address.
    /// False: they live in this engine.
    /// </summary>
    public bool SharesStandIns { get; init; }

    /// <summary>Program and arguments that the stand-in process is started with; null: this very program. It gets <c>stand-in --directory DIR</c> appended.</summary>
    public IReadOnlyList<string>? StandInCommand { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Who is told what goes wrong between the sidecars and what they share.</summary>
    public ILoggerFactory Loggers { get; init; } = NullLoggerFactory.Instance;

    /// <summary>The folder that all sidecars of one user on one machine have in common.</summary>
    public static string MachineDirectory => Environment.GetEnvironmentVariable("DAPR_PLATFORM_DIR") is { Length: > 0 } given
        ? given
        : Path.Combine(TemporaryFolder, $"dapr-platform-{Environment.UserName}");

    // Sidecars of one machine must meet although some were started with an empty environment, so TMPDIR counts only where there is no /tmp to use.
    private static string TemporaryFolder => !OperatingSystem.IsWindows() && Directory.Exists("/tmp") ? "/tmp" : Path.GetTempPath();
}

/// <summary>What all sidecars of one process share: the durable store and what stands in for servers. Dispose it after the sidecars.</summary>
public sealed class Engine : IAsyncDisposable
{
    private readonly Lazy<DurableStore> _store;
    private readonly Lazy<IStandIns> _standIns;
    private readonly ConcurrentDictionary<string, Lazy<object>> _shared = new(StringComparer.Ordinal);

    private Engine(EngineOptions options)
    {
        Options = options;
        DataDirectory = options.DataDirectory ?? EngineOptions.MachineDirectory;
        _standIns = new Lazy<IStandIns>(() => options.SharesStandIns ? new SharedStandIns(options) : new LocalStandIns(this));
        _store = new Lazy<DurableStore>(() => DurableStore.Open(Path.Combine(DataDirectory, "engine.db"), new DurableStoreOptions { Exclusive = !options.SharesStandIns }));
    }

    public EngineOptions Options { get; }

    public string DataDirectory { get; }

    public TimeProvider Time => Options.Time;

    /// <summary>Opened at the first use: a sidecar with nothing durable of the engine's own opens no database.</summary>
    internal DurableStore Store => _store.Value;

    /// <summary>What stands in for the servers that components name.</summary>
    internal IStandIns StandIns => _standIns.Value;

    /// <summary>What all sidecars of this engine have in common under a name, made at the first use; disposed of with the engine, before the store.</summary>
    internal T Shared<T>(string name, Func<Engine, T> create) where T : class => (T)_shared.GetOrAdd(name, _ => new Lazy<object>(() => create(this))).Value;

    /// <summary>Where the sidecars of an app id are, in this engine and in other processes.</summary>
    internal AppDirectory Apps { get; } = new();

    /// <summary>Who looks at the runtime is told of changes here.</summary>
    internal Introspection.RuntimeChanges Changes { get; } = new();

    /// <summary>The ways to sidecars of other processes.</summary>
    internal PeerConnections Peers { get; } = new();

    /// <summary>Opens an engine on its folder.</summary>
    /// <exception cref="IOException">The folder cannot be made.</exception>
    public static Task<Engine> OpenAsync(EngineOptions options, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var engine = new Engine(options);
        Directory.CreateDirectory(engine.DataDirectory);
        return Task.FromResult(engine);
    }

    public async ValueTask DisposeAsync()
    {
        await Peers.DisposeAsync().ConfigureAwait(false);
        if (_standIns.IsValueCreated)
            await _standIns.Value.DisposeAsync().ConfigureAwait(false);
        foreach (var shared in _shared.Values.Where(s => s.IsValueCreated).Select(s => s.Value))
        {
            if (shared is IAsyncDisposable asynchronous)
                await asynchronous.DisposeAsync().ConfigureAwait(false);
            else
                (shared as IDisposable)?.Dispose();
        }

        if (_store.IsValueCreated)
            await _store.Value.DisposeAsync().ConfigureAwait(false);
    }
}
