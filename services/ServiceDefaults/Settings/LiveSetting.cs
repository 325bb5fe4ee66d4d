using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace DaprPlatform.ServiceDefaults.Settings;

/// <summary>A key of the configuration store that a service follows while it runs.</summary>
public abstract class LiveSetting(string key)
{
    public string Key => key;

    /// <summary>False when the text is no value of this setting; the one before stays.</summary>
    public abstract bool TryTake(string text);
}

/// <summary>Reads the text of a setting; false when it is not one.</summary>
public delegate bool SettingParser<T>(string text, out T value);

/// <param name="key">In the configuration store.</param>
/// <param name="initial">Until the store says otherwise.</param>
/// <param name="parse">Called for each value that the store has.</param>
public abstract class LiveSetting<T>(string key, T initial, SettingParser<T> parse) : LiveSetting(key)
{
    // A reference, so that a value of any size is read whole.
    private volatile Box _box = new(initial);

    public T Value => _box.Value;

    public override bool TryTake(string text)
    {
        if (!parse(text, out var value))
            return false;
        _box = new Box(value);
        return true;
    }

    private sealed record Box(T Value);
}

public static class LiveSettingExtensions
{
    /// <summary>Registers the setting, and follows its key.</summary>
    public static IServiceCollection AddLiveSetting<TSetting>(this IServiceCollection services)
        where TSetting : LiveSetting
    {
        services.TryAddSingleton<TSetting>();
        services.AddSingleton<LiveSetting>(provider => provider.GetRequiredService<TSetting>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, LiveSettings>());
        return services;
    }
}
