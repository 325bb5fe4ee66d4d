using System.Text;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Introspection;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.Configuration;

/// <summary><c>configuration.redis</c>: each item is the text <c>value||version</c> under its key.</summary>
internal sealed class RedisConfigurationStore(ComponentSpec spec) : IConfigurationStore
{
    private const string Space = "configuration";
    private const string Separator = "||";
    private const int KeysAtATime = 1000;
    private IKeyValueServer? _server;

    public IReadOnlyList<string> Capabilities => [];

    private IKeyValueServer Server => _server ?? throw new InvalidOperationException("the store is not initialised");

    public async Task InitAsync(CancellationToken cancellationToken) =>
        _server = await KeyValueServers.StandInAsync(spec, RedisAddress.Of(spec), cancellationToken).ConfigureAwait(false);

    public async ValueTask<IReadOnlyDictionary<string, ConfigurationItem>> GetAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        if (keys.Count == 0)
            keys = await AllKeysAsync(cancellationToken).ConfigureAwait(false);
        var records = await Server.GetManyAsync(Space, keys, cancellationToken).ConfigureAwait(false);
        var items = new SortedDictionary<string, ConfigurationItem>(StringComparer.Ordinal);
        for (var i = 0; i < records.Length; i++)
        {
            if (records[i] is { Value.IsEmpty: false } record)
                items[keys[i]] = Parse(record.Value.Span);
        }

        return items;
    }

    public ValueTask<IAsyncDisposable> SubscribeAsync(IReadOnlyList<string> keys, IReadOnlyDictionary<string, string> metadata, Action<string, ConfigurationItem> listener, CancellationToken cancellationToken)
    {
        var wanted = keys.ToHashSet(StringComparer.Ordinal);
        return Server.WatchAsync(Space, change =>
        {
            if (change.Value is { IsEmpty: false } value && (wanted.Count == 0 || wanted.Contains(change.Key)))
                listener(change.Key, Parse(value.Span));
        }, cancellationToken);
    }

    public async ValueTask SetAsync(string key, ConfigurationItem item, CancellationToken cancellationToken)
    {
        await Server.TransactAsync(Space, [new KeyValueOperation { Key = key, Value = Encoding.UTF8.GetBytes(item.Value + Separator + item.Version) }], allOrNothing: true, cancellationToken).ConfigureAwait(false);
        spec.Engine.Changes.Tell(RuntimeAreas.Settings);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static ConfigurationItem Parse(ReadOnlySpan<byte> stored)
    {
        var parts = Encoding.UTF8.GetString(stored).Split(Separator);
        return new ConfigurationItem(parts[0], parts.Length > 1 ? parts[1] : "");
    }

    private async ValueTask<IReadOnlyList<string>> AllKeysAsync(CancellationToken cancellationToken)
    {
        var all = new List<string>();
        string? after = null;
        while (true)
        {
            var keys = await Server.KeysAsync(Space, "", after, KeysAtATime, cancellationToken).ConfigureAwait(false);
            all.AddRange(keys);
            if (keys.Count < KeysAtATime)
                return all;
            after = keys[^1];
        }
    }
}
