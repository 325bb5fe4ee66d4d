namespace Dapr.Extensions.Configuration;

/// <summary>A secret that becomes configuration.</summary>
public class DaprSecretDescriptor
{
    /// <summary>A secret.</summary>
    /// <param name="secretName">Its name in the configuration.</param>
    /// <param name="isRequired">Without it the configuration cannot be built.</param>
    /// <param name="secretKey">Its name in the store, if it is another one.</param>
    public DaprSecretDescriptor(string secretName, bool isRequired = true, string secretKey = "")
        : this(secretName, new Dictionary<string, string>(), isRequired, secretKey)
    {
    }

    /// <inheritdoc cref="DaprSecretDescriptor(string, bool, string)"/>
    /// <param name="metadata">Metadata for the store.</param>
    public DaprSecretDescriptor(string secretName, IReadOnlyDictionary<string, string> metadata, bool isRequired = true, string secretKey = "")
    {
        ArgumentException.ThrowIfNullOrEmpty(secretName);
        ArgumentNullException.ThrowIfNull(metadata);
        SecretName = secretName;
        Metadata = metadata;
        IsRequired = isRequired;
        SecretKey = string.IsNullOrEmpty(secretKey) ? secretName : secretKey;
    }

    /// <summary>Its name in the configuration.</summary>
    public string SecretName { get; }

    /// <summary>Metadata for the store.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Without it the configuration cannot be built.</summary>
    public bool IsRequired { get; }

    /// <summary>Its name in the store.</summary>
    public string SecretKey { get; }
}
