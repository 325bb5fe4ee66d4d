namespace DaprPlatform.Contracts.Events;

/// <summary>Names shared with <c>components/</c>.</summary>
public static class PubSub
{
    /// <summary>The pub/sub component.</summary>
    public const string Name = "pubsub";

    /// <summary>Where an event ends that a consumer cannot process.</summary>
    public static string DeadLetterTopic(string topic) => topic + ".dlq";
}
