using System.Text.Json;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resiliency;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>An entry of a bulk publish, as the app gave it.</summary>
internal sealed record PublishEntry(string EntryId, ReadOnlyMemory<byte> Data, string ContentType, IReadOnlyDictionary<string, string> Metadata);

/// <summary>The pub/sub API (https://docs.dapr.io/reference/api/pubsub_api/): publishes, and holds the subscriptions of the sidecar.</summary>
internal sealed partial class PubSubApi : IBuildingBlock, IMetadataSource, IAsyncDisposable
{
    private readonly SidecarRuntime _runtime;

    /// <exception cref="Resources.ResourceException">A Subscription resource has a malformed rule.</exception>
    public PubSubApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        Manager = new SubscriptionManager(runtime);
    }

    public SubscriptionManager Manager { get; }

    /// <summary>All subscriptions, delivering or not.</summary>
    public IReadOnlyList<Subscription> Subscriptions => Manager.All;

    public void Describe(GetMetadataResponse metadata)
    {
        foreach (var subscription in Subscriptions)
        {
            var described = new PubsubSubscription
            {
                PubsubName = subscription.PubSub, Topic = subscription.Topic, DeadLetterTopic = subscription.DeadLetterTopic, Rules = new PubsubSubscriptionRules(),
                Type = subscription.Origin switch
                {
                    SubscriptionOrigin.Declarative => PubsubSubscriptionType.Declarative,
                    SubscriptionOrigin.Programmatic => PubsubSubscriptionType.Programmatic,
                    _ => PubsubSubscriptionType.Streaming,
                },
            };
            foreach (var (name, value) in subscription.Metadata)
                described.Metadata[name] = value;
            foreach (var rule in subscription.Rules)
                described.Rules.Rules.Add(new PubsubSubscriptionRule { Match = rule.Match, Path = rule.Path });
            metadata.Subscriptions.Add(described);
        }
    }

    public Task AppReadyAsync(CancellationToken cancellationToken) => Manager.StartAsync(cancellationToken);

    public Task ReloadedAsync(CancellationToken cancellationToken) => Manager.ReloadAsync(_runtime.Resources, cancellationToken);

    public Task AppGoneAsync() => Manager.StopAsync();

    public Task PauseAsync() => Manager.PauseAsync();

    public ValueTask DisposeAsync() => Manager.DisposeAsync();

    /// <summary>Publishes one message; completes when it is durable.</summary>
    /// <exception cref="ApiException">The component is not there, the topic not allowed, the envelope malformed, or the broker refuses.</exception>
    public ValueTask PublishAsync(string pubsub, string topic, ReadOnlyMemory<byte> data, string contentType, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var component = Open(pubsub, topic, metadata, out var isRaw);
        return isRaw
            ? SendAsync(component, topic, data, contentType, CloudEvents.RawTrace.AddTo(metadata, Span.Current?.Context ?? default), cancellationToken)
            : SendAsync(component, topic, Envelope(component, topic, data, contentType, metadata), ContentTypes.CloudEvent, metadata, cancellationToken);
    }

    /// <summary>Publishes bytes that are complete already.</summary>
    public ValueTask PublishEnvelopeAsync(string pubsub, string topic, ReadOnlyMemory<byte> envelope, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        SendAsync(PubSubComponent.Find(_runtime, pubsub) ?? throw PubSubErrors.NotFound(pubsub), topic, envelope, ContentTypes.CloudEvent, metadata, cancellationToken);

    /// <summary>Publishes many; completes when all that were not refused are durable.</summary>
    /// <returns>Those that were refused.</returns>
    /// <exception cref="ApiException">As <see cref="PublishAsync"/>, or entry ids are missing or not unique.</exception>
    public async ValueTask<IReadOnlyList<BulkFailure>> PublishManyAsync(string pubsub, string topic, IReadOnlyList<PublishEntry> entries, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var component = Open(pubsub, topic, metadata, out var isRaw);
        var ids = new HashSet<string>(entries.Count, StringComparer.Ordinal);
        if (entries.Any(e => e.EntryId.Length == 0 || !ids.Add(e.EntryId)))
            throw PubSubErrors.Marshal(pubsub, topic, _runtime.Options.AppId, "entryId is duplicated or not present for entry");
        if (entries.Count == 0)
            return [];

        var messages = new BulkEntry[entries.Count];
        for (var i = 0; i < messages.Length; i++)
        {
            var entry = entries[i];
            var data = isRaw ? entry.Data : Envelope(component, topic, entry.Data, entry.ContentType, Merged(metadata, entry.Metadata));
            messages[i] = new BulkEntry(entry.EntryId, data, entry.Metadata.Count > 0 ? entry.Metadata : null, isRaw ? entry.ContentType : ContentTypes.CloudEvent);
        }

        var start = _runtime.Time.GetTimestamp();
        IReadOnlyList<BulkFailure> failures;
        try
        {
            failures = await _runtime.Resiliency.ForComponent(pubsub, "Pubsub", ComponentDirection.Outbound)
                .RunAsync(token => SendManyAsync(component, topic, messages, metadata, token), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            failures = [.. messages.Select(m => new BulkFailure(m.EntryId, e.Message))];
        }

        _runtime.Metrics.PubSub.BulkPublished(pubsub, topic, failures.Count == 0, entries.Count - failures.Count, _runtime.Time.GetElapsedTime(start).TotalMilliseconds);
        return failures;
    }

    private PubSubComponent Open(string pubsub, string topic, IReadOnlyDictionary<string, string> metadata, out bool isRaw)
    {
        if (pubsub.Length == 0)
            throw PubSubErrors.NameEmpty();
        var component = PubSubComponent.Find(_runtime, pubsub) ?? throw PubSubErrors.NotFound(pubsub);
        if (topic.Length == 0)
            throw PubSubErrors.TopicEmpty(pubsub);
        isRaw = IsRaw(pubsub, metadata);
        return component.Scopes.AllowsPublish(topic) ? component : throw PubSubErrors.Forbidden(pubsub, topic, _runtime.Options.AppId);
    }

    private byte[] Envelope(PubSubComponent component, string topic, ReadOnlyMemory<byte> data, string contentType, IReadOnlyDictionary<string, string> metadata)
    {
        try
        {
            return CloudEvents.Create(new CloudEvents.Input(component.Name, topic, _runtime.Options.AppId, data, contentType, metadata, Span.Current?.Context ?? default,
                _runtime.Time.GetUtcNow(), !component.Component.Features.HasFlag(PubSubFeatures.MessageTtl)));
        }
        catch (JsonException e)
        {
            throw PubSubErrors.CloudEvent(component.Name, _runtime.Options.AppId, GoSyntax.Fault(data.Span) ?? e.Message);
        }
    }

    private async ValueTask SendAsync(PubSubComponent component, string topic, ReadOnlyMemory<byte> data, string contentType, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var message = new PubSubMessage(component.BrokerTopic(topic), data, metadata.Count > 0 ? metadata : null, contentType);
        var policy = _runtime.Resiliency.ForComponent(component.Name, "Pubsub", ComponentDirection.Outbound);
        var start = _runtime.Time.GetTimestamp();
        var published = false;
        try
        {
            if (policy.IsDefined)
            {
                await policy.RunAsync(async token =>
                {
                    await component.Component.PublishAsync(message, token).ConfigureAwait(false);
                    return true;
                }, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await component.Component.PublishAsync(message, cancellationToken).ConfigureAwait(false);
            }

            published = true;
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException) || !cancellationToken.IsCancellationRequested)
        {
            throw PubSubErrors.Publish(component.Name, topic, e.Message);
        }
        finally
        {
            _runtime.Metrics.PubSub.Published(component.Name, topic, published, _runtime.Time.GetElapsedTime(start).TotalMilliseconds);
        }
    }

    private static async ValueTask<IReadOnlyList<BulkFailure>> SendManyAsync(PubSubComponent component, string topic, BulkEntry[] messages, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var brokerTopic = component.BrokerTopic(topic);
        if (component.Component.Features.HasFlag(PubSubFeatures.Bulk))
            return await component.Component.PublishManyAsync(brokerTopic, messages, metadata, cancellationToken).ConfigureAwait(false);

        // One by one, in order; metadata of the request reach only entries that have some of their own, which win.
        var pending = new List<(string EntryId, ValueTask Publish)>(messages.Length);
        foreach (var message in messages)
        {
            var own = message.Metadata is { } m ? Merged(metadata, m) : null;
            pending.Add((message.EntryId, component.Component.PublishAsync(new PubSubMessage(brokerTopic, message.Data, own, message.ContentType), cancellationToken)));
        }

        var failures = new List<BulkFailure>();
        foreach (var (id, publish) in pending)
        {
            try
            {
                await publish.ConfigureAwait(false);
            }
            catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
            {
                failures.Add(new BulkFailure(id, e.Message));
            }
        }

        return failures;
    }

    private static IReadOnlyDictionary<string, string> Merged(IReadOnlyDictionary<string, string> metadata, IReadOnlyDictionary<string, string> own)
    {
        if (own.Count == 0)
            return metadata;
        if (metadata.Count == 0)
            return own;
        var merged = new Dictionary<string, string>(metadata);
        foreach (var (name, value) in own)
            merged[name] = value;
        return merged;
    }

    // As Go's strconv.ParseBool reads it.
    private static bool IsRaw(string pubsub, IReadOnlyDictionary<string, string> metadata)
    {
        if (metadata.Count == 0)
            return false;
        foreach (var (name, value) in metadata)
        {
            if (!name.Equals("rawPayload", StringComparison.OrdinalIgnoreCase))
                continue;
            return value switch
            {
                "1" or "t" or "T" or "true" or "TRUE" or "True" => true,
                "0" or "f" or "F" or "false" or "FALSE" or "False" => false,
                _ => throw PubSubErrors.RawPayload(pubsub, value),
            };
        }

        return false;
    }
}
