using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.PubSub;

internal static class PubSubComponents
{
    public static IEnumerable<ComponentType> Types =>
    [
        new("pubsub.in-memory", static spec => new InMemory.InMemoryPubSub(spec)),
        new("pubsub.kafka", static spec => new Kafka.KafkaPubSub(spec), "embedded log"),
        new("pubsub.redis", static spec => new Redis.RedisPubSub(spec), "embedded streams"),
    ];
}
