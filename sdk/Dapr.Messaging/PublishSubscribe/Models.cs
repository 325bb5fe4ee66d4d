using Google.Protobuf.WellKnownTypes;

namespace Dapr.Messaging.PublishSubscribe;

/// <summary>Takes a message and says what becomes of it.</summary>
public delegate Task<TopicResponseAction> TopicMessageHandler(TopicMessage request, CancellationToken cancellationToken = default);

/// <summary>Told why a subscription ended by itself.</summary>
public delegate void SubscriptionErrorHandler(DaprException exception);

/// <summary>What becomes of a message.</summary>
public enum TopicResponseAction
{
    /// <summary>It is done.</summary>
    Success,

    /// <summary>It comes again.</summary>
    Retry,

    /// <summary>It is dropped, or goes to the dead-letter topic.</summary>
    Drop,
}

/// <summary>What becomes of a message whose handler takes too long.</summary>
/// <param name="TimeoutDuration">How long is too long.</param>
/// <param name="DefaultResponseAction">What becomes of it.</param>
public sealed record MessageHandlingPolicy(TimeSpan TimeoutDuration, TopicResponseAction DefaultResponseAction);

/// <summary>How messages are taken.</summary>
/// <param name="MessageHandlingPolicy">What becomes of a message whose handler takes too long.</param>
public sealed record DaprSubscriptionOptions(MessageHandlingPolicy MessageHandlingPolicy)
{
    /// <summary>Metadata for the subscription.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>Where dropped messages go.</summary>
    public string? DeadLetterTopic { get; init; }

    /// <summary>The most messages that wait here; null: without limit.</summary>
    public int? MaximumQueuedMessages { get; init; }

    /// <summary>When the subscription ends, a handler has this long to finish.</summary>
    public TimeSpan MaximumCleanupTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Told why the subscription ended by itself.</summary>
    public SubscriptionErrorHandler? ErrorHandler { get; init; }
}

/// <summary>A message.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Source">Who published it.</param>
/// <param name="Type">What happened.</param>
/// <param name="SpecVersion">The version of the envelope.</param>
/// <param name="DataContentType">What the data is.</param>
/// <param name="Topic">The topic.</param>
/// <param name="PubSubName">The pub/sub component.</param>
public sealed record TopicMessage(string Id, string Source, string Type, string SpecVersion, string DataContentType, string Topic, string PubSubName)
{
    /// <summary>The data.</summary>
    public ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>The route that the subscription's rules chose.</summary>
    public string? Path { get; init; }

    /// <summary>Further attributes of the event.</summary>
    public IReadOnlyDictionary<string, Value> Extensions { get; init; } = new Dictionary<string, Value>();
}
