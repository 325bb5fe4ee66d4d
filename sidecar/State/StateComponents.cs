using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.State;

internal static class StateComponents
{
    public static IEnumerable<ComponentType> Types => [];
}
