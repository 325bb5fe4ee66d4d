using Dapr.Client;
using Microsoft.Extensions.Configuration;

namespace Dapr.Extensions.Configuration;

/// <summary>Takes configuration from a configuration store.</summary>
public static class DaprConfigurationStoreExtension
{
    /// <summary>Takes the items once, when the configuration is built.</summary>
    /// <param name="configurationBuilder">The configuration.</param>
    /// <param name="store">The configuration store.</param>
    /// <param name="keys">The items; none: all.</param>
    /// <param name="client">The client.</param>
    /// <param name="sidecarWaitTimeout">The longest to wait for the sidecar.</param>
    /// <param name="metadata">Metadata for the store.</param>
    /// <param name="optional">Does not wait: the items come when the sidecar does.</param>
    public static IConfigurationBuilder AddDaprConfigurationStore(
        this IConfigurationBuilder configurationBuilder,
        string store,
        IReadOnlyList<string> keys,
        DaprClient client,
        TimeSpan sidecarWaitTimeout,
        IReadOnlyDictionary<string, string>? metadata = null,
        bool optional = false) => Add(configurationBuilder, store, keys, client, sidecarWaitTimeout, metadata, optional, streaming: false);

    /// <summary>Takes changes of the items as they happen. What the items are before the first change comes from <see cref="AddDaprConfigurationStore"/>.</summary>
    /// <param name="configurationBuilder">The configuration.</param>
    /// <param name="store">The configuration store.</param>
    /// <param name="keys">The items; none: all.</param>
    /// <param name="client">The client.</param>
    /// <param name="sidecarWaitTimeout">The longest to wait for the sidecar, and the time between attempts to subscribe again.</param>
    /// <param name="metadata">Metadata for the store.</param>
    /// <param name="optional">Does not wait: the changes come when the sidecar does.</param>
    public static IConfigurationBuilder AddStreamingDaprConfigurationStore(
        this IConfigurationBuilder configurationBuilder,
        string store,
        IReadOnlyList<string> keys,
        DaprClient client,
        TimeSpan sidecarWaitTimeout,
        IReadOnlyDictionary<string, string>? metadata = null,
        bool optional = false) => Add(configurationBuilder, store, keys, client, sidecarWaitTimeout, metadata, optional, streaming: true);

    static IConfigurationBuilder Add(
        IConfigurationBuilder builder, string store, IReadOnlyList<string> keys, DaprClient client, TimeSpan timeout, IReadOnlyDictionary<string, string>? metadata, bool optional, bool streaming)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(store);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(client);
        return builder.Add(new Source(store, keys, client, timeout, metadata, optional, streaming));
    }

    sealed record Source(
        string Store, IReadOnlyList<string> Keys, DaprClient Client, TimeSpan Timeout, IReadOnlyDictionary<string, string>? Metadata, bool Optional, bool Streaming) : IConfigurationSource
    {
        public IConfigurationProvider Build(IConfigurationBuilder builder) => Streaming
            ? new DaprConfigurationStreamProvider(Store, Keys, Client, Timeout, Metadata, Optional)
            : new DaprConfigurationStoreProvider(Store, Keys, Client, Timeout, Metadata, Optional);
    }
}
