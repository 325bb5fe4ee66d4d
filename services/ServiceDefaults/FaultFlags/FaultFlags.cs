using System.Globalization;
using DaprPlatform.ServiceDefaults.Metrics;
using DaprPlatform.ServiceDefaults.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace DaprPlatform.ServiceDefaults.FaultFlags;

/// <summary>
/// Faults that can be switched on while the platform runs, to see how the rest bears them: keys of the configuration store. Followed only where
/// <c>FAULT_FLAGS</c> is true, which is for development alone.
/// </summary>
public static class FaultFlagExtensions
{
    /// <summary>Registers a flag. Where faults are not allowed it stays at rest.</summary>
    public static IServiceCollection AddFaultFlag<TFlag>(this IServiceCollection services, IConfiguration configuration)
        where TFlag : LiveSetting
    {
        services.TryAddSingleton<TFlag>();
        return configuration.GetValue("FAULT_FLAGS", false) ? services.AddLiveSetting<TFlag>() : services;
    }

    internal static bool TryReadDelay(string text, out TimeSpan delay)
    {
        const int longest = 60_000;
        var valid = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds <= longest;
        delay = valid ? TimeSpan.FromMilliseconds(milliseconds) : TimeSpan.Zero;
        return valid;
    }
}

/// <summary>Milliseconds before each batch of events is published (<c>fault-broker-lag-ms</c>).</summary>
internal sealed class BrokerLag() : LiveSetting<TimeSpan>("fault-broker-lag-ms", TimeSpan.Zero, FaultFlagExtensions.TryReadDelay);

/// <summary>Milliseconds before this service takes up a call (<c>fault-slow-SERVICE-ms</c>).</summary>
internal sealed class SlowCalls(ServiceName service) : LiveSetting<TimeSpan>($"fault-slow-{service.Value}-ms", TimeSpan.Zero, FaultFlagExtensions.TryReadDelay);
