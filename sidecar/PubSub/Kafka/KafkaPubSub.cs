using System.Globalization;
using System.Text;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.StandIns.Log;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.PubSub.Kafka;

/// <summary>
/// <c>pubsub.kafka</c> over the embedded log: topics with partitions, consumer groups with committed offsets, order by key, the component's own back-off.
/// </summary>
internal sealed class KafkaPubSub(ComponentSpec spec) : IPubSub
{
    private readonly ILogger _logger = spec.Loggers.CreateLogger("dapr.contrib.pubsub.kafka");
    private KafkaSettings? _settings;
    private IMessageLog? _log;

    public PubSubFeatures Features => PubSubFeatures.Bulk;

    public bool KeepsDeadLetterFacts => true;

    public IReadOnlyList<string> Capabilities { get; } = ["BULK_PUBSUB"];

    private KafkaSettings Settings => _settings ?? throw new InvalidOperationException("the component is not initialised");

    private IMessageLog Log => _log ?? throw new InvalidOperationException("the component is not initialised");

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        _settings = new KafkaSettings(spec);
        _log = await spec.Engine.StandIns.GetAsync(StandInKinds.MessageLog, _settings.Address, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask PublishAsync(PubSubMessage message, CancellationToken cancellationToken)
    {
        var append = Record(message.Topic, message.Data, message.Metadata);
        CheckSize(append);
        var errors = await Log.AppendAsync([append], cancellationToken).ConfigureAwait(false);
        if (errors[0] is { } error)
            throw new PubSubException(error);
    }

    public async ValueTask<IReadOnlyList<BulkFailure>> PublishManyAsync(string topic, IReadOnlyList<BulkEntry> entries, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken)
    {
        var failures = new List<BulkFailure>();
        var (records, ids) = (new List<LogAppend>(entries.Count), new List<string>(entries.Count));
        try
        {
            foreach (var entry in entries)
            {
                // What cannot be understood fails the whole request, what does not fit only itself.
                var record = Record(topic, entry.Data, Merged(entry.Metadata, metadata));
                if (Oversize(record) is { } oversize)
                {
                    failures.Add(new BulkFailure(entry.EntryId, oversize));
                    continue;
                }

                records.Add(record);
                ids.Add(entry.EntryId);
            }
        }
        catch (PubSubException e)
        {
            return [.. entries.Select(entry => new BulkFailure(entry.EntryId, e.Message))];
        }

        var errors = records.Count > 0 ? await Log.AppendAsync(records, cancellationToken).ConfigureAwait(false) : [];
        for (var i = 0; i < errors.Count; i++)
        {
            if (errors[i] is { } error)
                failures.Add(new BulkFailure(ids[i], error));
        }

        return failures;
    }

    public ValueTask<IAsyncDisposable> SubscribeAsync(SubscribeRequest request, MessageHandler handler, CancellationToken cancellationToken) =>
        JoinAsync(request, new KafkaConsumer(spec, Settings, request, _logger).Single(handler), cancellationToken);

    public ValueTask<IAsyncDisposable> SubscribeManyAsync(SubscribeRequest request, BulkLimits limits, BulkHandler handler, CancellationToken cancellationToken) =>
        JoinAsync(request, new KafkaConsumer(spec, Settings, request, _logger).Bulk(limits, handler), cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask<IAsyncDisposable> JoinAsync(SubscribeRequest request, LogConsumer consumer, CancellationToken cancellationToken)
    {
        try
        {
            return await Log.JoinAsync(new LogMembership(Settings.Group, request.Topic, Settings.FromOldest), consumer, cancellationToken).ConfigureAwait(false);
        }
        catch (LogException e)
        {
            throw new PubSubException(e.Message, e);
        }
    }

    // All metadata of the request become headers; some of them also say where the message goes.
    private LogAppend Record(string topic, ReadOnlyMemory<byte> data, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null || metadata.Count == 0)
            return new LogAppend(topic, null, data, []);
        string? key = null, fallbackKey = null;
        int? partition = null;
        var isRaw = false;
        var headers = new List<KeyValuePair<string, string>>(metadata.Count);
        foreach (var (name, value) in metadata)
        {
            if (name.Equals("partitionKey", StringComparison.OrdinalIgnoreCase))
                key = value;
            else if (name == "__key")
                fallbackKey = value;
            else if (name.Equals("partitionNumber", StringComparison.OrdinalIgnoreCase))
                partition = PartitionNumber(value);
            else if (name.Equals("rawPayload", StringComparison.OrdinalIgnoreCase))
                isRaw = value is "1" or "t" or "T" or "true" or "TRUE" or "True";
            else if (name.Equals("valueSchemaType", StringComparison.OrdinalIgnoreCase))
                CheckSchema(value);
            if (Settings.Excluded?.IsMatch(name) != true)
                headers.Add(KeyValuePair.Create(name, value));
        }

        var content = isRaw && data.Span.SequenceEqual("null"u8) ? default(ReadOnlyMemory<byte>?) : data;
        return new LogAppend(topic, key ?? fallbackKey, content, headers, partition);
    }

    private static int PartitionNumber(string value)
    {
        if (!int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
            throw new PubSubException($"invalid partitionNumber metadata value \"{value}\": strconv.ParseInt: parsing \"{value}\": invalid syntax");
        return number >= 0 ? number : throw new PubSubException($"partitionNumber must be non-negative, got {number.ToString(CultureInfo.InvariantCulture)}");
    }

    // Avro needs a registry of schemas, which this runtime does not stand in for.
    private void CheckSchema(string value)
    {
        switch (value.ToLowerInvariant())
        {
            case "" or "none":
                return;
            case "avro":
                throw new PubSubException(Settings.HasSchemaRegistry ? "schemas of a registry are not supported by the embedded log" : "schema registry details not set");
            default:
                throw new PubSubException($"error parsing schema type. '{value}' is not a supported value");
        }
    }

    private void CheckSize(LogAppend record)
    {
        if (Oversize(record) is { } oversize)
            throw new PubSubException(oversize);
    }

    // Sizes as Kafka clients count them: the fields, and the most their lengths may take.
    private string? Oversize(LogAppend record)
    {
        const int Overhead = 36;
        const int HeaderOverhead = 10;
        var size = Overhead + (record.Value?.Length ?? 0) + (record.Key is { } key ? Encoding.UTF8.GetByteCount(key) : 0);
        foreach (var (name, value) in record.Headers)
            size += HeaderOverhead + Encoding.UTF8.GetByteCount(name) + Encoding.UTF8.GetByteCount(value);
        return size <= Settings.MaxMessageBytes ? null
            : string.Create(CultureInfo.InvariantCulture, $"kafka: invalid configuration (Attempt to produce message larger than configured Producer.MaxMessageBytes: {size} > {Settings.MaxMessageBytes})");
    }

    private static IReadOnlyDictionary<string, string> Merged(IReadOnlyDictionary<string, string>? entry, IReadOnlyDictionary<string, string> request)
    {
        if (entry is null)
            return request;
        var merged = new Dictionary<string, string>(entry);
        foreach (var (name, value) in request)
            merged[name] = value;
        return merged;
    }
}
