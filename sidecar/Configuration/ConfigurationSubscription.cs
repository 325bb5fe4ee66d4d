using System.Threading.Channels;

namespace DaprPlatform.Sidecar.Configuration;

/// <summary>A subscription to items: changes wait here, in order, for whoever delivers them.</summary>
internal sealed class ConfigurationSubscription : IAsyncDisposable
{
    private readonly Channel<(string Key, ConfigurationItem Item)> _changes = Channel.CreateUnbounded<(string, ConfigurationItem)>(new UnboundedChannelOptions { SingleReader = true });
    private IAsyncDisposable? _watch;

    public string Id { get; } = Guid.NewGuid().ToString();

    /// <summary>Ends when the subscription does.</summary>
    public IAsyncEnumerable<(string Key, ConfigurationItem Item)> ChangesAsync(CancellationToken cancellationToken) => _changes.Reader.ReadAllAsync(cancellationToken);

    public async ValueTask StartAsync(IConfigurationStore store, IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        _watch = await store.SubscribeAsync(keys, metadata, (key, item) => _changes.Writer.TryWrite((key, item)), cancellationToken).ConfigureAwait(false);

    public async ValueTask DisposeAsync()
    {
        _changes.Writer.TryComplete();
        if (Interlocked.Exchange(ref _watch, null) is { } watch)
            await watch.DisposeAsync().ConfigureAwait(false);
    }
}
