using Dapr;
using Dapr.AspNetCore;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Subscribes endpoints to topics. Needs <c>MapSubscribeHandler</c>.</summary>
public static class DaprEndpointConventionBuilderExtensions
{
    /// <summary>Takes a topic.</summary>
    public static T WithTopic<T>(this T builder, string pubsubName, string name)
        where T : IEndpointConventionBuilder => WithTopic(builder, pubsubName, name, metadata: null);

    /// <summary>Takes a topic, with metadata for the subscription.</summary>
    public static T WithTopic<T>(this T builder, string pubsubName, string name, IDictionary<string, string>? metadata)
        where T : IEndpointConventionBuilder => Add(builder, new TopicAttribute(pubsubName, name), metadata);

    /// <summary>Takes a topic whose messages may be no cloud events.</summary>
    public static T WithTopic<T>(this T builder, string pubsubName, string name, bool enableRawPayload)
        where T : IEndpointConventionBuilder => WithTopic(builder, pubsubName, name, enableRawPayload, metadata: null);

    /// <summary>Takes a topic whose messages may be no cloud events, with metadata for the subscription.</summary>
    public static T WithTopic<T>(this T builder, string pubsubName, string name, bool enableRawPayload, IDictionary<string, string>? metadata)
        where T : IEndpointConventionBuilder => Add(builder, new TopicAttribute(pubsubName, name, enableRawPayload), metadata);

    /// <summary>Takes a topic with these options.</summary>
    public static T WithTopic<T>(this T builder, TopicOptions topicOptions)
        where T : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(topicOptions);
        return Add(builder, new TopicAttribute(topicOptions), topicOptions.Metadata);
    }

    /// <summary>Takes the messages of a topic in bulk.</summary>
    public static T WithBulkSubscribe<T>(this T builder, BulkSubscribeTopicOptions bulkSubscribeTopicOptions)
        where T : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(bulkSubscribeTopicOptions);
        return builder.WithMetadata(
            new BulkSubscribeAttribute(bulkSubscribeTopicOptions.TopicName, bulkSubscribeTopicOptions.MaxMessagesCount, bulkSubscribeTopicOptions.MaxAwaitDurationMs));
    }

    static T Add<T>(T builder, TopicAttribute topic, IDictionary<string, string>? metadata)
        where T : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.WithMetadata(topic);
        foreach (var (name, value) in metadata ?? new Dictionary<string, string>())
            builder.WithMetadata(new TopicMetadataAttribute(name, value));
        return builder;
    }
}
