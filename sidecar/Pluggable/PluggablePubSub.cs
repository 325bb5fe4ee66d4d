using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Pluggable.Wire;
using DaprPlatform.Sidecar.PubSub;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Pluggable;

/// <summary>A broker that is a program of its own.</summary>
internal sealed class PluggablePubSub(ComponentSpec spec, CallInvoker calls) : IPubSub
{
    private readonly Wire.PubSub.PubSubClient _broker = new(calls);
    private readonly Metadata _headers = PluggableCalls.Headers(spec);
    private readonly ILogger _logger = spec.Loggers.CreateLogger("dapr.runtime.pluggable");

    public PubSubFeatures Features { get; private set; }

    public IReadOnlyList<string> Capabilities { get; private set; } = [];

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        await PluggableCalls.InitAsync(_broker.InitAsync(new PubSubInitRequest { Metadata = PluggableCalls.Properties(spec) }, _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
        try
        {
            Capabilities = (await _broker.FeaturesAsync(new FeaturesRequest(), _headers, cancellationToken: cancellationToken).ConfigureAwait(false)).Features;
            Features = (Capabilities.Contains("BULK_PUBSUB") ? PubSubFeatures.Bulk : 0) | (Capabilities.Contains("MESSAGE_TTL") ? PubSubFeatures.MessageTtl : 0);
        }
        catch (RpcException e)
        {
            throw new ComponentException(PluggableCalls.Words(e), e);
        }
    }

    public async ValueTask PublishAsync(PubSubMessage message, CancellationToken cancellationToken)
    {
        var request = new PublishRequest { Data = ByteString.CopyFrom(message.Data.Span), PubsubName = spec.Name, Topic = message.Topic, ContentType = message.ContentType };
        PluggableCalls.Add(request.Metadata, message.Metadata);
        try
        {
            await _broker.PublishAsync(request, _headers, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e)
        {
            throw new PubSubException(PluggableCalls.Words(e), e);
        }
    }

    public async ValueTask<IReadOnlyList<BulkFailure>> PublishManyAsync(string topic, IReadOnlyList<BulkEntry> entries, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var request = new BulkPublishRequest { PubsubName = spec.Name, Topic = topic };
        PluggableCalls.Add(request.Metadata, metadata);
        foreach (var entry in entries)
        {
            var wire = new BulkMessageEntry { EntryId = entry.EntryId, Event = ByteString.CopyFrom(entry.Data.Span), ContentType = entry.ContentType };
            PluggableCalls.Add(wire.Metadata, entry.Metadata);
            request.Entries.Add(wire);
        }

        try
        {
            var answer = await _broker.BulkPublishAsync(request, _headers, cancellationToken: cancellationToken).ConfigureAwait(false);
            return [.. answer.FailedEntries.Select(f => new BulkFailure(f.EntryId, f.Error))];
        }
        catch (RpcException e)
        {
            throw new PubSubException(PluggableCalls.Words(e), e);
        }
    }

    public ValueTask<IAsyncDisposable> SubscribeAsync(SubscribeRequest request, MessageHandler handler, CancellationToken cancellationToken)
    {
        var topic = new Topic { Name = request.Topic };
        PluggableCalls.Add(topic.Metadata, request.Metadata);
        return ValueTask.FromResult<IAsyncDisposable>(new PluggableStream<PullMessagesRequest, PullMessagesResponse>(() => _broker.PullMessages(_headers), new PullMessagesRequest { Topic = topic }, async (message, stopping) =>
        {
            var answer = new PullMessagesRequest { AckMessageId = message.Id };
            var metadata = new Dictionary<string, string>(message.Metadata);
            if (await handler(new PubSubMessage(message.TopicName, message.Data.Memory, metadata), stopping).ConfigureAwait(false) is { } error)
                answer.AckError = new AckMessageError { Message = error };
            return answer;
        }, _logger, static message => new PullMessagesRequest { AckMessageId = message.Id, AckError = new AckMessageError { Message = "subscription is closed" } }));
    }

    // The protocol delivers one message at a time: they are gathered here.
    public ValueTask<IAsyncDisposable> SubscribeManyAsync(SubscribeRequest request, BulkLimits limits, BulkHandler handler, CancellationToken cancellationToken) =>
        SubscribeAsync(request, new BulkCollector(limits, handler, spec.Time).AddAsync, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
