namespace Dapr;

/// <summary>Subscribes an endpoint to a topic. Needs <c>MapSubscribeHandler</c>.</summary>
[AttributeUsage(AttributeTargets.All, AllowMultiple = true)]
public class TopicAttribute : Attribute, ITopicMetadata, IRawTopicMetadata, IOwnedOriginalTopicMetadata, IDeadLetterTopicMetadata
{
    /// <summary>Takes a topic.</summary>
    /// <param name="pubsubName">The pub/sub component.</param>
    /// <param name="name">The topic.</param>
    /// <param name="ownedMetadatas">Ids of <see cref="TopicMetadataAttribute"/> that are for this topic.</param>
    /// <param name="metadataSeparator">What stands between values of the same name; a comma unless given.</param>
    public TopicAttribute(string pubsubName, string name, string[]? ownedMetadatas = null, string? metadataSeparator = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(pubsubName);
        ArgumentException.ThrowIfNullOrEmpty(name);
        PubsubName = pubsubName;
        Name = name;
        OwnedMetadatas = ownedMetadatas;
        MetadataSeparator = metadataSeparator;
    }

    /// <inheritdoc cref="TopicAttribute(string, string, string[], string)"/>
    /// <param name="enableRawPayload">The messages are no cloud events.</param>
    public TopicAttribute(string pubsubName, string name, bool enableRawPayload, string[]? ownedMetadatas = null, string? metadataSeparator = null)
        : this(pubsubName, name, ownedMetadatas, metadataSeparator) => EnableRawPayload = enableRawPayload;

    /// <inheritdoc cref="TopicAttribute(string, string, string[], string)"/>
    /// <param name="match">A CEL expression over the event.</param>
    /// <param name="priority">Where it stands among those of the topic, lowest first.</param>
    public TopicAttribute(string pubsubName, string name, string match, int priority, string[]? ownedMetadatas = null, string? metadataSeparator = null)
        : this(pubsubName, name, ownedMetadatas, metadataSeparator)
    {
        Match = match;
        Priority = priority;
    }

    /// <inheritdoc cref="TopicAttribute(string, string, string, int, string[], string)"/>
    /// <param name="enableRawPayload">The messages are no cloud events.</param>
    public TopicAttribute(string pubsubName, string name, bool enableRawPayload, string match, int priority, string[]? ownedMetadatas = null, string? metadataSeparator = null)
        : this(pubsubName, name, match, priority, ownedMetadatas, metadataSeparator) => EnableRawPayload = enableRawPayload;

    /// <inheritdoc cref="TopicAttribute(string, string, bool, string[], string)"/>
    /// <param name="deadLetterTopic">Where messages go that the endpoint does not take.</param>
    public TopicAttribute(string pubsubName, string name, string? deadLetterTopic, bool enableRawPayload, string[]? ownedMetadatas = null, string? metadataSeparator = null)
        : this(pubsubName, name, enableRawPayload, ownedMetadatas, metadataSeparator) => DeadLetterTopic = deadLetterTopic;

    internal TopicAttribute(TopicOptions options)
        : this(options.PubsubName, options.Name, options.OwnedMetadatas, options.MetadataSeparator)
    {
        EnableRawPayload = options.EnableRawPayload;
        Match = options.Match;
        Priority = options.Priority;
        DeadLetterTopic = options.DeadLetterTopic;
    }

    /// <inheritdoc />
    public string Name { get; }

    /// <inheritdoc />
    public string PubsubName { get; }

    /// <inheritdoc />
    public bool? EnableRawPayload { get; }

    /// <inheritdoc />
    public new string? Match { get; }

    /// <inheritdoc />
    public int Priority { get; }

    /// <inheritdoc />
    public string[]? OwnedMetadatas { get; }

    /// <inheritdoc />
    public string? MetadataSeparator { get; }

    /// <inheritdoc />
    public string? DeadLetterTopic { get; set; }
}
