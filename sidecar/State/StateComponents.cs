using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.State;

internal static class StateComponents
{
    public static IEnumerable<ComponentType> Types =>
    [
        new("state.in-memory", spec => Encrypted(spec, new InMemoryStateStore(spec))),
        new("state.sqlite", spec => Encrypted(spec, new SqliteStateStore(spec))),
        new("state.postgresql", spec => Encrypted(spec, new PostgresStateStore(spec))),
        new("state.redis", spec => Encrypted(spec, new RedisStateStore(spec)), "embedded key-value store"),
        new("state.etcd", spec => Encrypted(spec, new EtcdStateStore(spec)), "embedded key-value store"),
    ];

    private static IStateStore Encrypted(ComponentSpec spec, IStateStore store) => EncryptedStateStore.IsWanted(spec) ? new EncryptedStateStore(spec, store) : store;
}
