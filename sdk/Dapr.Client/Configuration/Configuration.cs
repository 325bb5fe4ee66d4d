namespace Dapr.Client;

/// <summary>A configuration item.</summary>
public class ConfigurationItem
{
    /// <summary>An item.</summary>
    public ConfigurationItem(string value, string version, IReadOnlyDictionary<string, string> metadata)
    {
        Value = value;
        Version = version;
        Metadata = metadata;
    }

    /// <summary>The value.</summary>
    public string Value { get; }

    /// <summary>The store's version of it; may be empty.</summary>
    public string Version { get; }

    /// <summary>What the store said besides.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }
}

/// <summary>Configuration items that were asked for.</summary>
public class GetConfigurationResponse
{
    /// <summary>These items.</summary>
    public GetConfigurationResponse(IReadOnlyDictionary<string, ConfigurationItem> configMap) => Items = configMap;

    /// <summary>The items that exist, by key.</summary>
    public IReadOnlyDictionary<string, ConfigurationItem> Items { get; }
}

/// <summary>A stream of changed configuration items.</summary>
public abstract class ConfigurationSource : IAsyncEnumerable<IDictionary<string, ConfigurationItem>>
{
    /// <summary>The id of the subscription; empty until the first message came.</summary>
    public abstract string Id { get; }

    /// <inheritdoc />
    public abstract IAsyncEnumerator<IDictionary<string, ConfigurationItem>> GetAsyncEnumerator(CancellationToken cancellationToken = default);
}

/// <summary>A subscription to configuration items.</summary>
public class SubscribeConfigurationResponse
{
    readonly ConfigurationSource _source;

    /// <summary>A subscription over this stream.</summary>
    public SubscribeConfigurationResponse(ConfigurationSource source) => _source = source;

    /// <summary>Its id; empty until the first element of <see cref="Source"/> was read.</summary>
    public string Id => _source.Id;

    /// <summary>Items as they change. The first element may be empty: the subscription stands. Can be read once.</summary>
    public IAsyncEnumerable<IDictionary<string, ConfigurationItem>> Source => _source;
}

/// <summary>Whether a subscription was ended.</summary>
public class UnsubscribeConfigurationResponse
{
    /// <summary>An outcome.</summary>
    public UnsubscribeConfigurationResponse(bool ok, string message)
    {
        Ok = ok;
        Message = message;
    }

    /// <summary>Whether it was.</summary>
    public bool Ok { get; }

    /// <summary>Why not.</summary>
    public string Message { get; }
}
