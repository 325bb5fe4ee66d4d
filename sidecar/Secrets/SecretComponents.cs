using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Secrets;

internal static class SecretComponents
{
    public static IEnumerable<ComponentType> Types => [];
}
