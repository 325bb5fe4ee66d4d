using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Bindings;

internal static class BindingComponents
{
    public static IEnumerable<ComponentType> Types => [];
}
