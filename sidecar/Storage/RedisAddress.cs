using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.StandIns;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>Which Redis a component means: all components with one address and database are on one server.</summary>
internal static class RedisAddress
{
    /// <exception cref="ComponentException">redisHost is missing.</exception>
    public static string Of(ComponentSpec spec)
    {
        var host = spec.Value("redisHost") is { Length: > 0 } given ? given : spec.Value("host") is { Length: > 0 } alias ? alias : throw new ComponentException("redis store error: missing host address");
        var database = spec.Value("redisDB") is { Length: > 0 } number ? number : "0";
        return $"redis://{StandInAddress.Of(host, 6379)}/{database}";
    }
}
