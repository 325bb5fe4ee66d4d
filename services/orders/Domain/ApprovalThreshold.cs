using System.Globalization;
using Dapr.Client;

namespace DaprPlatform.Orders.Domain;

/// <param name="DefaultThresholdMinor">Until the configuration store says otherwise (<c>APPROVAL_THRESHOLD_MINOR</c>).</param>
/// <param name="Timeout">How long an order waits for an operator (<c>APPROVAL_TIMEOUT_SECONDS</c>); below the TTL of its reservation.</param>
internal sealed record ApprovalOptions(long DefaultThresholdMinor, TimeSpan Timeout)
{
    public static ApprovalOptions From(IConfiguration configuration) =>
        new(configuration.GetValue("APPROVAL_THRESHOLD_MINOR", 500_000L), TimeSpan.FromSeconds(configuration.GetValue("APPROVAL_TIMEOUT_SECONDS", 600)));
}

/// <summary>The total above which an operator approves: key <c>approval-threshold</c> of the configuration store, followed live.</summary>
internal sealed partial class ApprovalThreshold(DaprClient dapr, ApprovalOptions options, TimeProvider time, ILogger<ApprovalThreshold> logger) : BackgroundService
{
    private const string Store = "configstore";
    private const string Key = "approval-threshold";
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(5);
    private long _minor = options.DefaultThresholdMinor;

    public long Minor => Volatile.Read(ref _minor);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // First subscribe, then read: nothing said in between is missed.
                var subscription = await dapr.SubscribeConfiguration(Store, [Key], cancellationToken: stoppingToken);
                var current = await dapr.GetConfiguration(Store, [Key], cancellationToken: stoppingToken);
                if (current.Items.TryGetValue(Key, out var item))
                    Take(item.Value);
                await foreach (var change in subscription.Source.WithCancellation(stoppingToken))
                    if (change.TryGetValue(Key, out var changed))
                        Take(changed.Value);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogRetry(logger, e.Message);
            }
            await Task.Delay(RetryDelay, time, stoppingToken);
        }
    }

    private void Take(string text)
    {
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var minor))
        {
            LogInvalid(logger, text);
            return;
        }
        Volatile.Write(ref _minor, minor);
        LogTaken(logger, minor);
    }

    [LoggerMessage(1, LogLevel.Information, "Orders above {Minor} minor units need approval")]
    private static partial void LogTaken(ILogger logger, long minor);

    [LoggerMessage(2, LogLevel.Warning, "'{Text}' is no approval threshold; the one before stays")]
    private static partial void LogInvalid(ILogger logger, string text);

    [LoggerMessage(3, LogLevel.Debug, "The configuration store does not answer ({Reason}); the approval threshold stays as it is")]
    private static partial void LogRetry(ILogger logger, string reason);
}
