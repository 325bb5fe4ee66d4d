using System.Buffers;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Apps;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Observability;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>Delivers to an app that speaks HTTP: POST of the envelope to the route, or of many in one.</summary>
internal sealed class HttpEventSink(AppChannel app) : IEventSink, IBulkEventSink
{
    private const int LongestAnswer = 4 << 20;

    public async ValueTask<Verdict> SendAsync(AppEvent @event, SubscriptionRule rule, CancellationToken cancellationToken)
    {
        var headers = Headers(ContentTypes.CloudEvent, @event.Subscription.PubSub, @event.Message.Metadata, @event.Trace);
        var request = new UpstreamRequest("POST", rule.Target, headers, RequestBody.Of(@event.Envelope));
        byte[] answer;
        int status;
        string? detail;
        try
        {
            await using var response = await app.CallAsync(request, cancellationToken).ConfigureAwait(false);
            status = response.Status;
            detail = response.Header(DeadLetterFacts.CauseHeader) is { } text ? Uri.UnescapeDataString(text) : null;
            answer = await response.ReadAllAsync(LongestAnswer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is UpstreamException or IOException or BodyTooLargeException)
        {
            return Verdict.Retry($"error returned from app channel while sending pub/sub event to app: {e.Message}");
        }

        var verdict = status switch
        {
            >= 200 and <= 299 => Verdict.Of(Status(answer)),
            404 => Verdict.Drop($"event with id {@event.Id} does not exist in app: 404"),
            _ => Verdict.Retry($"retriable error returned from app while processing pub/sub event {@event.Id}, topic: {@event.Subscription.Topic}, body: {Encoding.UTF8.GetString(answer)}. status code returned: {status}"),
        };
        return detail is null || verdict.Kind == VerdictKind.Success ? verdict : verdict with { Detail = detail };
    }

    public async ValueTask<Verdict[]> SendAsync(IReadOnlyList<BulkEvent> events, Subscription subscription, SubscriptionRule rule, Span? trace, CancellationToken cancellationToken)
    {
        var request = new UpstreamRequest("POST", rule.Target, Headers(ContentTypes.Json, subscription.PubSub, null, trace), RequestBody.Of(Body(events, subscription)));
        try
        {
            await using var response = await app.CallAsync(request, cancellationToken).ConfigureAwait(false);
            var answer = await response.ReadAllAsync(LongestAnswer, cancellationToken).ConfigureAwait(false);
            return response.Status switch
            {
                >= 200 and <= 299 => Statuses(answer, events),
                404 => All(events, Verdict.Drop("the route of the bulk subscription does not exist in app: 404")),
                var status => All(events, Verdict.Retry($"retriable error returned from app while processing bulk pub/sub event. status code returned: {status}")),
            };
        }
        catch (Exception e) when (e is UpstreamException or IOException or BodyTooLargeException)
        {
            return All(events, Verdict.Retry($"error returned from app channel while sending bulk pub/sub event to app: {e.Message}"));
        }
    }

    private static List<KeyValuePair<string, StringValues>> Headers(string contentType, string pubsub, IReadOnlyDictionary<string, string>? metadata, Span? trace)
    {
        var headers = new List<KeyValuePair<string, StringValues>>(8 + (metadata?.Count ?? 0));
        foreach (var (name, value) in metadata ?? new Dictionary<string, string>())
        {
            if (IsHeader(name))
                headers.Add(KeyValuePair.Create(name, new StringValues(MetadataHeaders.OneLine(value))));
        }

        headers.Add(KeyValuePair.Create("pubsubName", new StringValues(pubsub)));
        headers.Add(KeyValuePair.Create("Content-Type", new StringValues(contentType)));
        if (trace is not null)
            headers.Add(KeyValuePair.Create("traceparent", new StringValues(trace.TraceParent)));
        return headers;
    }

    // Metadata come from publishers: they must neither break the request nor take the place of what the sidecar says itself.
    private static bool IsHeader(string name) => MetadataHeaders.CanBe(name) && !name.Equals("pubsubName", StringComparison.OrdinalIgnoreCase) && !name.Equals("traceparent", StringComparison.OrdinalIgnoreCase);

    private static byte[] Body(IReadOnlyList<BulkEvent> events, Subscription subscription)
    {
        var output = new ArrayBufferWriter<byte>(events.Sum(e => e.Envelope.Length + 128) + 256);
        output.Write("{\"entries\":["u8);
        for (var i = 0; i < events.Count; i++)
        {
            output.Write(i == 0 ? "{\"contentType\":\""u8 : ",{\"contentType\":\""u8);
            if (subscription.IsRaw)
            {
                output.Write("application/octet-stream\",\"entryId\":"u8);
                CloudEvents.WriteText(output, events[i].EntryId);
                output.Write(",\"event\":\""u8);
                CloudEvents.WriteBase64(output, events[i].Message.Data.Span);
                output.Write("\""u8);
            }
            else
            {
                output.Write("application/cloudevents+json\",\"entryId\":"u8);
                CloudEvents.WriteText(output, events[i].EntryId);
                output.Write(",\"event\":"u8);
                output.Write(events[i].Envelope.Span);
            }

            output.Write(",\"metadata\":"u8);
            Metadata(output, events[i].Message.Metadata);
            output.Write("}"u8);
        }

        output.Write("],\"id\":"u8);
        CloudEvents.WriteText(output, Guid.NewGuid().ToString());
        output.Write(",\"metadata\":{\"pubsubName\":"u8);
        CloudEvents.WriteText(output, subscription.PubSub);
        output.Write("},\"pubsubname\":"u8);
        CloudEvents.WriteText(output, subscription.PubSub);
        output.Write(",\"topic\":"u8);
        CloudEvents.WriteText(output, subscription.Topic);
        output.Write(",\"type\":\"com.dapr.event.sent.bulk\"}"u8);
        return output.WrittenSpan.ToArray();
    }

    private static void Metadata(ArrayBufferWriter<byte> output, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null)
        {
            output.Write("null"u8);
            return;
        }

        output.Write("{"u8);
        var first = true;
        foreach (var (name, value) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal))
        {
            if (!first)
                output.Write(","u8);
            first = false;
            CloudEvents.WriteText(output, name);
            output.Write(":"u8);
            CloudEvents.WriteText(output, value);
        }

        output.Write("}"u8);
    }

    // Null: none given, or an answer that says nothing to us.
    private static string? Status(ReadOnlySpan<byte> answer)
    {
        if (answer.IsEmpty)
            return null;
        try
        {
            var reader = new Utf8JsonReader(answer, GoJson.ReaderOptions);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;
            string? status = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isStatus = reader.ValueTextEquals("status"u8) || string.Equals(reader.GetString(), "status", StringComparison.OrdinalIgnoreCase);
                reader.Read();
                if (isStatus && reader.TokenType == JsonTokenType.String)
                    status = reader.GetString();
                else
                    reader.Skip();
            }

            return status;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    // An entry the app says nothing about comes again; an answer that is no such list is a success for all.
    private static Verdict[] Statuses(byte[] answer, IReadOnlyList<BulkEvent> events)
    {
        try
        {
            using var json = JsonDocument.Parse(answer);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                return All(events, Verdict.Success);
            var given = new Dictionary<string, string>(events.Count);
            foreach (var member in json.RootElement.EnumerateObject())
            {
                if (!member.Name.Equals("statuses", StringComparison.OrdinalIgnoreCase) || member.Value.ValueKind != JsonValueKind.Array)
                    continue;
                foreach (var entry in member.Value.EnumerateArray())
                    given[Text(entry, "entryId")] = Text(entry, "status");
            }

            var verdicts = new Verdict[events.Count];
            for (var i = 0; i < verdicts.Length; i++)
                verdicts[i] = given.GetValueOrDefault(events[i].EntryId) is { Length: > 0 } status ? Verdict.Of(status) : Verdict.Retry("no status returned from app for the entry");
            return verdicts;
        }
        catch (JsonException)
        {
            return All(events, Verdict.Success);
        }

        static string Text(JsonElement entry, string name)
        {
            if (entry.ValueKind == JsonValueKind.Object)
            {
                foreach (var member in entry.EnumerateObject())
                {
                    if (member.Name.Equals(name, StringComparison.OrdinalIgnoreCase) && member.Value.ValueKind == JsonValueKind.String)
                        return member.Value.GetString()!;
                }
            }

            return "";
        }
    }

    private static Verdict[] All(IReadOnlyList<BulkEvent> events, Verdict verdict)
    {
        var verdicts = new Verdict[events.Count];
        Array.Fill(verdicts, verdict);
        return verdicts;
    }
}
