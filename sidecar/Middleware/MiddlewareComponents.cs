using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Middleware;

internal static class MiddlewareComponents
{
    public static IEnumerable<ComponentType> Types => [];
}
