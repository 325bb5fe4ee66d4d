using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Configuration;

internal static class ConfigurationComponents
{
    public static IEnumerable<ComponentType> Types => [new("configuration.redis", spec => new RedisConfigurationStore(spec), "embedded key-value store")];
}
