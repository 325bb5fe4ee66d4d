namespace Dapr.AspNetCore;

/// <summary>On an endpoint that takes a topic: it takes the messages in bulk.</summary>
public interface IBulkSubscribeMetadata
{
    /// <summary>The topic.</summary>
    string TopicName { get; }

    /// <summary>The most messages in a delivery.</summary>
    int MaxMessagesCount { get; }

    /// <summary>The longest that the sidecar waits for more of them, in milliseconds.</summary>
    int MaxAwaitDurationMs { get; }
}

/// <summary>Takes the messages of a topic in bulk, as <see cref="BulkSubscribeMessage{TValue}"/>.</summary>
[AttributeUsage(AttributeTargets.All, AllowMultiple = true)]
public class BulkSubscribeAttribute : Attribute, IBulkSubscribeMetadata
{
    /// <summary>At most 100 messages, after at most a second.</summary>
    public BulkSubscribeAttribute(string topicName)
        : this(topicName, 100)
    {
    }

    /// <summary>At most so many messages, after at most a second.</summary>
    public BulkSubscribeAttribute(string topicName, int maxMessagesCount)
        : this(topicName, maxMessagesCount, 1000)
    {
    }

    /// <summary>At most so many messages, after at most so many milliseconds.</summary>
    public BulkSubscribeAttribute(string topicName, int maxMessagesCount, int maxAwaitDurationMs)
    {
        ArgumentException.ThrowIfNullOrEmpty(topicName);
        TopicName = topicName;
        MaxMessagesCount = maxMessagesCount;
        MaxAwaitDurationMs = maxAwaitDurationMs;
    }

    /// <inheritdoc />
    public string TopicName { get; }

    /// <inheritdoc />
    public int MaxMessagesCount { get; }

    /// <inheritdoc />
    public int MaxAwaitDurationMs { get; }
}

/// <summary>How an endpoint takes the messages of a topic in bulk.</summary>
public class BulkSubscribeTopicOptions
{
    /// <summary>The topic.</summary>
    public string TopicName { get; set; } = "";

    /// <summary>The most messages in a delivery.</summary>
    public int MaxMessagesCount { get; set; } = 100;

    /// <summary>The longest that the sidecar waits for more of them, in milliseconds.</summary>
    public int MaxAwaitDurationMs { get; set; } = 1000;
}
