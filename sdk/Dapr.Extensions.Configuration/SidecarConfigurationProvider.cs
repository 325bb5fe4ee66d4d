using Dapr.Client;
using Microsoft.Extensions.Configuration;

namespace Dapr.Extensions.Configuration;

/// <summary>Configuration that the sidecar knows. Optional configuration does not hold up the start of the app: it comes as soon as it can be had.</summary>
internal abstract class SidecarConfigurationProvider(DaprClient client, TimeSpan sidecarWaitTimeout, bool optional) : ConfigurationProvider, IDisposable
{
    readonly CancellationTokenSource _stop = new();
    int _started;

    protected DaprClient Client { get; } = client;

    protected TimeSpan SidecarWaitTimeout { get; } = sidecarWaitTimeout;

    protected CancellationToken Stopping => _stop.Token;

    public override void Load()
    {
        // The builder of a configuration is synchronous; what runs here has no context to come back to.
        if (!optional)
            Task.Run(WaitAndFetch).GetAwaiter().GetResult();
        else if (Interlocked.Exchange(ref _started, 1) == 0)
            _ = Task.Run(Retry);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    /// <summary>Fills <see cref="ConfigurationProvider.Data"/>.</summary>
    protected abstract Task Fetch(CancellationToken cancellationToken);

    async Task WaitAndFetch()
    {
        using (var timeout = CancellationTokenSource.CreateLinkedTokenSource(Stopping))
        {
            timeout.CancelAfter(SidecarWaitTimeout);
            await Client.WaitForSidecarAsync(timeout.Token).ConfigureAwait(false);
        }

        await Fetch(Stopping).ConfigureAwait(false);
    }

    async Task Retry()
    {
        var (stopping, before) = (Stopping, Data);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await WaitAndFetch().ConfigureAwait(false);
                if (!ReferenceEquals(before, Data))
                    OnReload();
                return;
            }
            catch (Exception e) when (e is DaprException or OperationCanceledException or HttpRequestException)
            {
                await Task.Delay(SidecarWaitTimeout, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
