using System.Globalization;
using DaprPlatform.ServiceDefaults.Settings;

namespace DaprPlatform.Orders.Domain;

/// <param name="DefaultThresholdMinor">Until the configuration store says otherwise (<c>APPROVAL_THRESHOLD_MINOR</c>).</param>
/// <param name="Timeout">How long an order waits for an operator (<c>APPROVAL_TIMEOUT_SECONDS</c>); below the TTL of its reservation.</param>
internal sealed record ApprovalOptions(long DefaultThresholdMinor, TimeSpan Timeout)
{
    public static ApprovalOptions From(IConfiguration configuration) =>
        new(configuration.GetValue("APPROVAL_THRESHOLD_MINOR", 500_000L), TimeSpan.FromSeconds(configuration.GetValue("APPROVAL_TIMEOUT_SECONDS", 600)));
}

/// <summary>The total in minor units above which an operator approves: key <c>approval-threshold</c> of the configuration store, followed live.</summary>
internal sealed class ApprovalThreshold(ApprovalOptions options) : LiveSetting<long>("approval-threshold", options.DefaultThresholdMinor, TryRead)
{
    private static bool TryRead(string text, out long minor) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out minor);
}
