using Dapr.Client;
using Microsoft.Extensions.Configuration;

namespace Dapr.Extensions.Configuration;

/// <summary>Takes configuration from a secret store.</summary>
public static class DaprSecretStoreConfigurationExtensions
{
    /// <summary>Takes these secrets; waits at most five seconds for the sidecar.</summary>
    public static IConfigurationBuilder AddDaprSecretStore(
        this IConfigurationBuilder configurationBuilder, string store, IEnumerable<DaprSecretDescriptor> secretDescriptors, DaprClient client, bool optional = false) =>
        configurationBuilder.AddDaprSecretStore(store, secretDescriptors, client, DaprSecretStoreConfigurationSource.DefaultWait, optional);

    /// <summary>Takes these secrets; waits at most so long for the sidecar.</summary>
    public static IConfigurationBuilder AddDaprSecretStore(
        this IConfigurationBuilder configurationBuilder, string store, IEnumerable<DaprSecretDescriptor> secretDescriptors, DaprClient client, TimeSpan sidecarWaitTimeout, bool optional = false)
    {
        ArgumentNullException.ThrowIfNull(secretDescriptors);
        return Add(configurationBuilder, store, client, sidecarWaitTimeout, optional, source => source.SecretDescriptors = secretDescriptors);
    }

    /// <summary>Takes all secrets that the app may read; waits at most five seconds for the sidecar.</summary>
    public static IConfigurationBuilder AddDaprSecretStore(
        this IConfigurationBuilder configurationBuilder, string store, DaprClient client, IReadOnlyDictionary<string, string>? metadata = null, bool optional = false) =>
        configurationBuilder.AddDaprSecretStore(store, client, DaprSecretStoreConfigurationSource.DefaultWait, metadata, optional);

    /// <summary>Takes all secrets that the app may read; waits at most so long for the sidecar.</summary>
    public static IConfigurationBuilder AddDaprSecretStore(
        this IConfigurationBuilder configurationBuilder, string store, DaprClient client, TimeSpan sidecarWaitTimeout, IReadOnlyDictionary<string, string>? metadata = null, bool optional = false) =>
        Add(configurationBuilder, store, client, sidecarWaitTimeout, optional, source => source.Metadata = metadata);

    /// <summary>Takes all secrets that the app may read, with other delimiters; waits at most five seconds for the sidecar.</summary>
    public static IConfigurationBuilder AddDaprSecretStore(
        this IConfigurationBuilder configurationBuilder, string store, DaprClient client, IEnumerable<string>? keyDelimiters, bool optional = false) =>
        configurationBuilder.AddDaprSecretStore(store, client, keyDelimiters, DaprSecretStoreConfigurationSource.DefaultWait, optional);

    /// <summary>Takes all secrets that the app may read, with other delimiters; waits at most so long for the sidecar.</summary>
    public static IConfigurationBuilder AddDaprSecretStore(
        this IConfigurationBuilder configurationBuilder, string store, DaprClient client, IEnumerable<string>? keyDelimiters, TimeSpan sidecarWaitTimeout, bool optional = false) =>
        Add(configurationBuilder, store, client, sidecarWaitTimeout, optional, source => source.KeyDelimiters = keyDelimiters?.ToList());

    /// <summary>Takes secrets as the source says.</summary>
    public static IConfigurationBuilder AddDaprSecretStore(this IConfigurationBuilder configurationBuilder, Action<DaprSecretStoreConfigurationSource> configureSource)
    {
        ArgumentNullException.ThrowIfNull(configurationBuilder);
        return configurationBuilder.Add(configureSource);
    }

    static IConfigurationBuilder Add(
        IConfigurationBuilder builder, string store, DaprClient client, TimeSpan sidecarWaitTimeout, bool optional, Action<DaprSecretStoreConfigurationSource> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(store);
        ArgumentNullException.ThrowIfNull(client);
        var source = new DaprSecretStoreConfigurationSource { Store = store, Client = client, SidecarWaitTimeout = sidecarWaitTimeout, Optional = optional };
        configure(source);
        return builder.Add(source);
    }
}
