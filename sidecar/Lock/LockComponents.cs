using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Lock;

internal static class LockComponents
{
    public static IEnumerable<ComponentType> Types => [];
}
