using Dapr.Common;
using Google.Protobuf;
using Wire = Dapr.Proto.Runtime.V1;

namespace Dapr.Client;

internal sealed partial class DaprClientGrpc
{
    const string Json = "application/json";
    const string CloudEventJson = "application/cloudevents+json";
    const string OctetStream = "application/octet-stream";

    public override Task PublishEventAsync<TData>(string pubsubName, string topicName, TData data, CancellationToken cancellationToken = default) =>
        PublishValue(pubsubName, topicName, data, null, cancellationToken);

    public override Task PublishEventAsync<TData>(string pubsubName, string topicName, TData data, Dictionary<string, string> metadata, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return PublishValue(pubsubName, topicName, data, metadata, cancellationToken);
    }

    public override Task PublishEventAsync(string pubsubName, string topicName, CancellationToken cancellationToken = default) =>
        Publish(pubsubName, topicName, null, null, null, cancellationToken);

    public override Task PublishEventAsync(string pubsubName, string topicName, Dictionary<string, string> metadata, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return Publish(pubsubName, topicName, null, null, metadata, cancellationToken);
    }

    public override Task PublishByteEventAsync(
        string pubsubName, string topicName, ReadOnlyMemory<byte> data, string dataContentType = Json, Dictionary<string, string>? metadata = null, CancellationToken cancellationToken = default) =>
        Publish(pubsubName, topicName, ByteString.CopyFrom(data.Span), dataContentType, metadata, cancellationToken);

    public override async Task<BulkPublishResponse<TValue>> BulkPublishEventAsync<TValue>(
        string pubsubName, string topicName, IReadOnlyList<TValue> events, Dictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(pubsubName);
        ArgumentException.ThrowIfNullOrEmpty(topicName);
        ArgumentNullException.ThrowIfNull(events);

        var request = new Wire.BulkPublishRequest { PubsubName = pubsubName, Topic = topicName };
        Add(request.Metadata, metadata);
        var entries = new Dictionary<string, BulkPublishEntry<TValue>>(events.Count);
        foreach (var data in events)
        {
            if (data is null)
                throw new ArgumentException("An event is null.", nameof(events));
            var (content, type) = data is byte[] bytes ? (ByteString.CopyFrom(bytes), OctetStream) : (ToJson(data), data is CloudEvent ? CloudEventJson : Json);
            var entry = new BulkPublishEntry<TValue>(entries.Count.ToString(System.Globalization.CultureInfo.InvariantCulture), data, type);
            entries.Add(entry.EntryId, entry);
            request.Entries.Add(new Wire.BulkPublishRequestEntry { EntryId = entry.EntryId, Event = content, ContentType = type });
        }

        var response = await _bulkPublish.CallAsync(request, () => Options(cancellationToken)).ConfigureAwait(false);
        return new BulkPublishResponse<TValue>([.. response.FailedEntries.Select(f => new BulkPublishResponseFailedEntry<TValue>(entries[f.EntryId], f.Error))]);
    }

    Task PublishValue<TData>(string pubsubName, string topicName, TData data, Dictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        if (data is null)
            throw new ArgumentNullException(nameof(data));
        return Publish(pubsubName, topicName, ToJson(data), data is CloudEvent ? CloudEventJson : Json, metadata, cancellationToken);
    }

    async Task Publish(string pubsubName, string topicName, ByteString? data, string? contentType, Dictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(pubsubName);
        ArgumentException.ThrowIfNullOrEmpty(topicName);
        var request = new Wire.PublishEventRequest { PubsubName = pubsubName, Topic = topicName };
        if (data is not null)
        {
            request.Data = data;
            request.DataContentType = contentType ?? "";
        }

        Add(request.Metadata, metadata);
        await _client.PublishEventAsync(request, Options(cancellationToken)).Unwrap("Publish").ConfigureAwait(false);
    }
}
