using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>What a pub/sub component can do by itself.</summary>
[Flags]
internal enum PubSubFeatures
{
    None = 0,

    /// <summary>Publishes and delivers many messages at once (<see cref="IPubSub.PublishManyAsync"/>).</summary>
    Bulk = 1,

    /// <summary>Lets messages expire, so that the envelope need not say when.</summary>
    MessageTtl = 2,
}

/// <summary>A message as it is published and delivered.</summary>
/// <param name="Topic">As the broker knows it, with the prefix of a namespace.</param>
/// <param name="Metadata">Metadata of the request, or what the broker delivers with the message; null: none.</param>
/// <param name="ContentType">What is published; empty where it is not known.</param>
internal sealed record PubSubMessage(string Topic, ReadOnlyMemory<byte> Data, IReadOnlyDictionary<string, string>? Metadata = null, string ContentType = "");

/// <summary>A message of a bulk publish.</summary>
/// <param name="Metadata">Its own metadata, without those of the request; null: none.</param>
/// <param name="ContentType">What is published; empty where it is not known.</param>
internal sealed record BulkEntry(string EntryId, ReadOnlyMemory<byte> Data, IReadOnlyDictionary<string, string>? Metadata, string ContentType = "");

internal sealed record BulkFailure(string EntryId, string Error);

/// <summary>What is subscribed to.</summary>
/// <param name="HasDeadLetters">A message that fails goes elsewhere: the component need not try again.</param>
internal sealed record SubscribeRequest(string Topic, IReadOnlyDictionary<string, string> Metadata, bool HasDeadLetters);

/// <summary>How bulk deliveries are cut.</summary>
/// <param name="MaxCount">Null: the component's own default.</param>
internal sealed record BulkLimits(int? MaxCount, TimeSpan? MaxWait)
{
    public const int DefaultCount = 100;
    public static readonly TimeSpan DefaultWait = TimeSpan.FromSeconds(1);
}

/// <summary>Delivers one message. Null: it is done with, delivered or not; otherwise why it must come again. The token says that the subscription ends: a call
/// under way is finished, nothing new is begun.</summary>
internal delegate ValueTask<string?> MessageHandler(PubSubMessage message, CancellationToken stopping);

/// <summary>Delivers messages together: an answer for each as of <see cref="MessageHandler"/>, in their order.</summary>
internal delegate ValueTask<IReadOnlyList<string?>> BulkHandler(IReadOnlyList<PubSubMessage> messages, CancellationToken stopping);

/// <summary>
/// The contract of a pub/sub component. A publish completes when the message is durable, as far as the type is durable at all. Safe for concurrent use.
/// </summary>
internal interface IPubSub : IComponent
{
    PubSubFeatures Features { get; }

    /// <summary>What is known of a dead letter may be written beside it: subscribers of the dead-letter topic do not get to see it.</summary>
    bool KeepsDeadLetterFacts => false;

    /// <exception cref="PubSubException">The broker refuses the message.</exception>
    ValueTask PublishAsync(PubSubMessage message, CancellationToken cancellationToken);

    /// <summary>Publishes each entry or says why not; needs <see cref="PubSubFeatures.Bulk"/>.</summary>
    /// <param name="metadata">Of the request.</param>
    ValueTask<IReadOnlyList<BulkFailure>> PublishManyAsync(string topic, IReadOnlyList<BulkEntry> entries, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken);

    /// <summary>Begins to deliver. Disposing ends that, after the deliveries under way.</summary>
    ValueTask<IAsyncDisposable> SubscribeAsync(SubscribeRequest request, MessageHandler handler, CancellationToken cancellationToken);

    /// <inheritdoc cref="SubscribeAsync"/>
    ValueTask<IAsyncDisposable> SubscribeManyAsync(SubscribeRequest request, BulkLimits limits, BulkHandler handler, CancellationToken cancellationToken);
}

/// <summary>A broker refuses what was asked of it; the message is the component's.</summary>
internal sealed class PubSubException(string message, Exception? inner = null) : Exception(message, inner);
