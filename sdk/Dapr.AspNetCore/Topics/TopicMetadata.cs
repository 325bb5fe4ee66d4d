namespace Dapr;

/// <summary>On an endpoint: it takes a topic.</summary>
public interface ITopicMetadata
{
    /// <summary>The topic.</summary>
    string Name { get; }

    /// <summary>The pub/sub component.</summary>
    string PubsubName { get; }

    /// <summary>A CEL expression over the event; null: every event that no other endpoint of the topic matches.</summary>
    string? Match { get; }

    /// <summary>Where the expression stands among those of the topic, lowest first.</summary>
    int Priority { get; }
}

/// <summary>On an endpoint that takes a topic: whether its messages are cloud events.</summary>
public interface IRawTopicMetadata
{
    /// <summary>True: they are not.</summary>
    bool? EnableRawPayload { get; }
}

/// <summary>On an endpoint that takes a topic: where messages go that it does not take.</summary>
public interface IDeadLetterTopicMetadata
{
    /// <summary>A topic; null: nowhere.</summary>
    string? DeadLetterTopic { get; }
}

/// <summary>On an endpoint: metadata for the subscriptions of its topics.</summary>
public interface IOriginalTopicMetadata
{
    /// <summary>The name by which a topic claims it; null: for all topics of the endpoint.</summary>
    string? Id { get; }

    /// <summary>The name.</summary>
    string Name { get; }

    /// <summary>The value.</summary>
    string Value { get; }
}

/// <summary>On an endpoint that takes a topic: which metadata is the topic's own.</summary>
public interface IOwnedOriginalTopicMetadata
{
    /// <summary>Ids of <see cref="IOriginalTopicMetadata"/>.</summary>
    string[]? OwnedMetadatas { get; }

    /// <summary>What stands between values of the same name.</summary>
    string? MetadataSeparator { get; }
}
