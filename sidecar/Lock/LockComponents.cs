using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Locking;

internal static class LockComponents
{
    public static IEnumerable<ComponentType> Types => [new("lock.redis", spec => new RedisLockStore(spec), "embedded key-value store")];
}
