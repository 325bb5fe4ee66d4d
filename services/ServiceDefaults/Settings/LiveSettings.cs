using Dapr.Client;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.ServiceDefaults.Settings;

/// <summary>Follows the configuration store for the settings of this service.</summary>
internal sealed partial class LiveSettings(DaprClient dapr, IEnumerable<LiveSetting> settings, TimeProvider time, ILogger<LiveSettings> logger) : BackgroundService
{
    private const string Store = "configstore";
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(5);
    private readonly Dictionary<string, LiveSetting> _settings = settings.ToDictionary(s => s.Key, StringComparer.Ordinal);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string[] keys = [.. _settings.Keys];
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // First subscribe, then read: nothing said in between is missed.
                var subscription = await dapr.SubscribeConfiguration(Store, keys, cancellationToken: stoppingToken);
                var current = await dapr.GetConfiguration(Store, keys, cancellationToken: stoppingToken);
                foreach (var (key, item) in current.Items)
                    Take(key, item.Value);
                await foreach (var change in subscription.Source.WithCancellation(stoppingToken))
                    foreach (var (key, item) in change)
                        Take(key, item.Value);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogRetry(logger, e.Message);
            }
            await Task.Delay(RetryDelay, time, stoppingToken);
        }
    }

    private void Take(string key, string text)
    {
        if (!_settings.TryGetValue(key, out var setting))
            return;
        if (setting.TryTake(text))
            LogTaken(logger, key, text);
        else
            LogInvalid(logger, text, key);
    }

    [LoggerMessage(1, LogLevel.Information, "The setting {Key} is {Text}")]
    private static partial void LogTaken(ILogger logger, string key, string text);

    [LoggerMessage(2, LogLevel.Warning, "'{Text}' is no value of the setting {Key}; the one before stays")]
    private static partial void LogInvalid(ILogger logger, string text, string key);

    [LoggerMessage(3, LogLevel.Debug, "The configuration store does not answer ({Reason}); the settings stay as they are")]
    private static partial void LogRetry(ILogger logger, string reason);
}
