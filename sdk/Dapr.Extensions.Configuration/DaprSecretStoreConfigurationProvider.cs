using Dapr.Client;

namespace Dapr.Extensions.Configuration;

internal sealed class DaprSecretStoreConfigurationProvider : SidecarConfigurationProvider
{
    static readonly string[] DefaultDelimiters = ["__"];

    readonly string _store;
    readonly DaprSecretDescriptor[]? _secrets;
    readonly IReadOnlyDictionary<string, string>? _metadata;
    readonly string[] _delimiters;

    internal DaprSecretStoreConfigurationProvider(DaprSecretStoreConfigurationSource source)
        : base(source.Client ?? throw new ArgumentException("The client is missing.", nameof(source)), source.SidecarWaitTimeout ?? DaprSecretStoreConfigurationSource.DefaultWait, source.Optional)
    {
        ArgumentException.ThrowIfNullOrEmpty(source.Store);
        _store = source.Store;
        _secrets = source.SecretDescriptors?.ToArray();
        if (_secrets is { Length: 0 })
            throw new ArgumentException("There are no secret descriptors.", nameof(source));
        _metadata = source.Metadata;
        _delimiters = source.NormalizeKey ? [.. source.KeyDelimiters ?? DefaultDelimiters] : [];
    }

    protected override async Task Fetch(CancellationToken cancellationToken)
    {
        var data = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        if (_secrets is null)
        {
            foreach (var secret in (await Client.GetBulkSecretAsync(_store, _metadata, cancellationToken).ConfigureAwait(false)).Values)
            {
                foreach (var (key, value) in secret)
                    Add(data, key, value);
            }
        }

        foreach (var secret in _secrets ?? [])
        {
            foreach (var (key, value) in await Get(secret, cancellationToken).ConfigureAwait(false))
                Add(data, key == secret.SecretKey ? secret.SecretName : key, value);
        }

        Data = data;
    }

    async Task<Dictionary<string, string>> Get(DaprSecretDescriptor secret, CancellationToken cancellationToken)
    {
        try
        {
            return await Client.GetSecretAsync(_store, secret.SecretKey, secret.Metadata, cancellationToken).ConfigureAwait(false);
        }
        catch (DaprException) when (!secret.IsRequired)
        {
            return [];
        }
    }

    void Add(Dictionary<string, string?> data, string key, string value)
    {
        var name = _delimiters.Aggregate(key, (text, delimiter) => text.Replace(delimiter, ":", StringComparison.Ordinal));
        if (!data.TryAdd(name, value))
            throw new InvalidOperationException($"A duplicate key '{key}' was found in the secret store '{_store}'. Please remove any duplicates from your secret store.");
    }
}
