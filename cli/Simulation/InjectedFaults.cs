using System.Globalization;
using DaprPlatform.Cli.Settings;

namespace DaprPlatform.Cli.Simulation;

/// <summary>Fault flags that are set as long as this lives, and at rest afterwards.</summary>
internal sealed class InjectedFaults : IAsyncDisposable
{
    private readonly PlatformSettings _settings;
    private readonly SimulatedFaults _faults;

    private InjectedFaults(PlatformSettings settings, SimulatedFaults faults) => (_settings, _faults) = (settings, faults);

    public static async Task<InjectedFaults> SetAsync(PlatformSettings settings, SimulatedFaults faults, CancellationToken cancel)
    {
        var injected = new InjectedFaults(settings, faults);
        try
        {
            foreach (var (key, value) in faults.Flags())
                await settings.SetAsync(key, value.ToString(CultureInfo.InvariantCulture), cancel);
            return injected;
        }
        catch
        {
            await injected.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (key, _) in _faults.Flags())
            await _settings.SetAsync(key, "0", CancellationToken.None);
    }
}
