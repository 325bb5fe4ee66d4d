using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.PubSub;

internal static class PubSubComponents
{
    public static IEnumerable<ComponentType> Types => [];
}
