using DaprPlatform.Sidecar.Configuration;

namespace DaprPlatform.Sidecar.Introspection;

/// <summary>An item of a configuration store.</summary>
/// <param name="Value">Hidden (<c>***</c>) where the key says that it is a secret.</param>
public sealed record SettingView(string Store, string Key, string Value, string Version);

/// <summary>Items of configuration stores.</summary>
public sealed class SettingViews
{
    private const int LongestKey = 500;
    private readonly RuntimeView _view;

    internal SettingViews(RuntimeView view) => _view = view;

    /// <summary>Every item of every store, by store and key.</summary>
    public async Task<IReadOnlyList<SettingView>> ListAsync(CancellationToken cancellationToken)
    {
        var items = new List<SettingView>();
        foreach (var (name, store) in Stores())
        {
            foreach (var (key, item) in await store.GetAsync([], new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false))
                items.Add(new SettingView(name, key, Redaction.Shown(key, item.Value), item.Version));
        }

        return items;
    }

    /// <summary>Sets an item; apps that follow it are told at once. Returns when it is durable.</summary>
    /// <exception cref="IntrospectionException">There is no such store, or the key or the value cannot be kept.</exception>
    public async Task SetAsync(string store, string key, string value, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        if (key.Length is 0 or > LongestKey)
            throw new IntrospectionException(IntrospectionRefusal.Invalid, $"A key has 1 to {LongestKey} characters.");
        if (value.Contains("||", StringComparison.Ordinal))
            throw new IntrospectionException(IntrospectionRefusal.Invalid, "A value cannot contain ||: the store keeps the version behind it.");
        if (!Stores().TryGetValue(store, out var found))
            throw new IntrospectionException(IntrospectionRefusal.NotFound, $"There is no configuration store {store}.");
        await found.SetAsync(key, new ConfigurationItem(value, ""), cancellationToken).ConfigureAwait(false);
    }

    // A component of one name is the same store for all apps that have it.
    private SortedDictionary<string, IConfigurationStore> Stores()
    {
        var stores = new SortedDictionary<string, IConfigurationStore>(StringComparer.Ordinal);
        foreach (var (name, store) in _view.Runtimes.SelectMany(r => r.Components.All<IConfigurationStore>()))
            stores.TryAdd(name, store);
        return stores;
    }
}
