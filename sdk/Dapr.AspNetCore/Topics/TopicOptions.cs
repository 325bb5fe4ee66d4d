using System.Diagnostics.CodeAnalysis;

namespace Dapr;

/// <summary>How an endpoint takes a topic.</summary>
public class TopicOptions
{
    /// <summary>The topic.</summary>
    public string Name { get; set; } = "";

    /// <summary>The pub/sub component.</summary>
    public string PubsubName { get; set; } = "";

    /// <summary>The messages are no cloud events.</summary>
    public bool EnableRawPayload { get; set; }

    /// <summary>A CEL expression over the event; null: every event that no other endpoint of the topic matches.</summary>
    public string? Match { get; set; }

    /// <summary>Where the expression stands among those of the topic, lowest first.</summary>
    public int Priority { get; set; }

    /// <summary>Ids of <see cref="TopicMetadataAttribute"/> that are for this topic.</summary>
    public string[]? OwnedMetadatas { get; set; }

    /// <summary>What stands between values of the same name; a comma unless given.</summary>
    public string? MetadataSeparator { get; set; }

    /// <summary>Where messages go that the endpoint does not take.</summary>
    public string? DeadLetterTopic { get; set; }

    /// <summary>Metadata for the subscription.</summary>
    [SuppressMessage("Design", "CA1051", Justification = "The package has a field here.")]
    public IDictionary<string, string>? Metadata;
}

/// <summary>How subscriptions are reported to the sidecar.</summary>
public class SubscribeOptions
{
    /// <summary>The messages of all topics are no cloud events.</summary>
    public bool EnableRawPayload { get; set; }
}
