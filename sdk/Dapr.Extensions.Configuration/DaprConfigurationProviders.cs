using Dapr.Client;

namespace Dapr.Extensions.Configuration;

internal class DaprConfigurationStoreProvider(
    string store, IReadOnlyList<string> keys, DaprClient client, TimeSpan sidecarWaitTimeout, IReadOnlyDictionary<string, string>? metadata, bool optional)
    : SidecarConfigurationProvider(client, sidecarWaitTimeout, optional)
{
    protected override async Task Fetch(CancellationToken cancellationToken)
    {
        var response = await Client.GetConfiguration(store, keys, metadata, cancellationToken).ConfigureAwait(false);
        Data = response.Items.ToDictionary(i => i.Key, i => (string?)i.Value.Value, StringComparer.OrdinalIgnoreCase);
    }
}

internal sealed class DaprConfigurationStreamProvider(
    string store, IReadOnlyList<string> keys, DaprClient client, TimeSpan sidecarWaitTimeout, IReadOnlyDictionary<string, string>? metadata, bool optional)
    : SidecarConfigurationProvider(client, sidecarWaitTimeout, optional)
{
    int _following;

    protected override Task Fetch(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _following, 1) == 0)
            _ = Task.Run(() => Follow(cancellationToken), cancellationToken);
        return Task.CompletedTask;
    }

    async Task Follow(CancellationToken cancellationToken)
    {
        for (var again = false; !cancellationToken.IsCancellationRequested; again = true)
        {
            try
            {
                var subscription = await Client.SubscribeConfiguration(store, keys, metadata, cancellationToken).ConfigureAwait(false);
                await foreach (var changed in subscription.Source.WithCancellation(cancellationToken).ConfigureAwait(false))
                {
                    Apply(changed);
                    if (again)
                    {
                        // What changed while nobody followed.
                        again = false;
                        Apply((await Client.GetConfiguration(store, keys, metadata, cancellationToken).ConfigureAwait(false)).Items);
                    }
                }
            }
            catch (Exception e) when (e is DaprException or OperationCanceledException or HttpRequestException)
            {
                // Followed again below.
            }

            await Task.Delay(SidecarWaitTimeout, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Readers look at Data while it changes: they get the old one or the new one.
    void Apply(IEnumerable<KeyValuePair<string, ConfigurationItem>> changed)
    {
        var data = new Dictionary<string, string?>(Data, StringComparer.OrdinalIgnoreCase);
        var any = false;
        foreach (var (key, item) in changed)
        {
            any |= !data.TryGetValue(key, out var old) || old != item.Value;
            data[key] = item.Value;
        }

        if (!any)
            return;
        Data = data;
        OnReload();
    }
}
