using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Configuration;

/// <param name="Metadata">Null is none.</param>
internal sealed record ConfigurationItem(string Value, string Version, IReadOnlyDictionary<string, string>? Metadata = null);

/// <summary>A configuration store: <c>configuration.redis</c>.</summary>
internal interface IConfigurationStore : IComponent
{
    /// <summary>The items of the keys that exist; all items when no key is given.</summary>
    ValueTask<IReadOnlyDictionary<string, ConfigurationItem>> GetAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    /// <summary>Hands every later change of the keys to a listener (of all, when no key is given) until what it returns is disposed of. The listener must not block.</summary>
    ValueTask<IAsyncDisposable> SubscribeAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, Action<string, ConfigurationItem> listener, CancellationToken cancellationToken);

    /// <summary>Sets an item of a store that is stood in for: what a developer does with the server's own tools where there is one.</summary>
    ValueTask SetAsync(string key, ConfigurationItem item, CancellationToken cancellationToken);
}
