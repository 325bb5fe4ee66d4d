using Dapr.Client;
using Microsoft.Extensions.Configuration;

namespace Dapr.Extensions.Configuration;

/// <summary>Secrets that become configuration.</summary>
public class DaprSecretStoreConfigurationSource : IConfigurationSource
{
    internal static readonly TimeSpan DefaultWait = TimeSpan.FromSeconds(5);

    /// <summary>The secret store.</summary>
    public string Store { get; set; } = "";

    /// <summary>Whether delimiters in names become <c>:</c>, which makes sections.</summary>
    public bool NormalizeKey { get; set; } = true;

    /// <summary>What counts as a delimiter; <c>__</c> unless given.</summary>
    public IList<string>? KeyDelimiters { get; set; }

    /// <summary>Does not wait: the secrets come when the sidecar does.</summary>
    public bool Optional { get; set; }

    /// <summary>Which secrets; null: all that the app may read.</summary>
    public IEnumerable<DaprSecretDescriptor>? SecretDescriptors { get; set; }

    /// <summary>Metadata for the store when all secrets are read.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; set; }

    /// <summary>The client.</summary>
    public DaprClient? Client { get; set; }

    /// <summary>The longest to wait for the sidecar; five seconds unless given.</summary>
    public TimeSpan? SidecarWaitTimeout { get; set; }

    /// <inheritdoc />
    /// <exception cref="ArgumentException">The store or the client is missing, or there are both descriptors and metadata.</exception>
    public IConfigurationProvider Build(IConfigurationBuilder builder)
    {
        if (SecretDescriptors is not null && Metadata is not null)
            throw new ArgumentException("Metadata goes with reading all secrets; with descriptors, each has its own.");
        return new DaprSecretStoreConfigurationProvider(this);
    }
}
