using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Settings;

namespace DaprPlatform.Orders.Domain;

/// <summary>
/// Who drives new orders: key <c>order-mode</c> of the configuration store, followed live, and <c>ORDER_MODE</c> until it is set. An order keeps the mode in
/// which it was accepted.
/// </summary>
internal sealed class OrderMode(IConfiguration configuration) : LiveSetting<string>("order-mode", Initial(configuration), TryRead)
{
    private static string Initial(IConfiguration configuration) =>
        configuration["ORDER_MODE"] is not { Length: > 0 } mode ? OrderModes.Orchestrated
        : OrderModes.IsKnown(mode) ? mode
        : throw new InvalidOperationException($"ORDER_MODE must be {OrderModes.Orchestrated} or {OrderModes.Choreographed}, not '{mode}'.");

    private static bool TryRead(string text, out string mode)
    {
        mode = text;
        return OrderModes.IsKnown(text);
    }
}
