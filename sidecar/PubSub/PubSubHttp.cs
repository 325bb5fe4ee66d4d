using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>The HTTP face.</summary>
internal sealed partial class PubSubApi
{
    public void MapHttp(Router router)
    {
        router.Map("publish", "v1.0", "POST,PUT", "publish/{pubsub}/{*topic}", PublishAsync);
        router.Map("publish", "v1.0", "POST,PUT", "publish/bulk/{pubsub}/{*topic}", PublishManyAsync);
        router.Map("publish", "v1.0-alpha1", "POST,PUT", "publish/bulk/{pubsub}/{*topic}", PublishManyAsync);
    }

    private async Task PublishAsync(ApiContext context)
    {
        var (pubsub, topic) = (context["pubsub"], context["topic"]);
        byte[] body;
        try
        {
            body = await context.BodyAsync().ConfigureAwait(false);
        }
        catch (BodyTooLargeException e)
        {
            throw PubSubErrors.Publish(pubsub, topic, e.Message);
        }

        await PublishAsync(pubsub, topic, body, context.Http.Request.ContentType ?? "", context.Metadata(), context.Cancelled).ConfigureAwait(false);
        await context.NoContent().ConfigureAwait(false);
    }

    private async Task PublishManyAsync(ApiContext context)
    {
        var (pubsub, topic) = (context["pubsub"], context["topic"]);
        var metadata = context.Metadata();
        Open(pubsub, topic, metadata, out _);
        List<PublishEntry> entries;
        byte[] body = [];
        try
        {
            body = await context.BodyAsync().ConfigureAwait(false);
            entries = ReadEntries(body);
        }
        catch (Exception e) when (e is JsonException or FormatException or BodyTooLargeException)
        {
            throw PubSubErrors.Unmarshal(pubsub, topic, _runtime.Options.AppId, e is JsonException && GoSyntax.Fault(body) is { } fault ? fault : e.Message);
        }

        var failures = await PublishManyAsync(pubsub, topic, entries, metadata, context.Cancelled).ConfigureAwait(false);
        if (failures.Count == 0)
        {
            await context.NoContent().ConfigureAwait(false);
            return;
        }

        var failed = new JsonArray([.. failures.Select(f => new JsonObject { ["entryId"] = f.EntryId, ["error"] = f.Error })]);
        var answer = new JsonObject { ["failedEntries"] = failed, ["errorCode"] = "ERR_PUBSUB_PUBLISH_MESSAGE" };
        var headers = context.Http.Response.Headers;
        headers["metadata.responsedata"] = OneLine(failed.ToJsonString());
        headers["metadata.error"] = OneLine($"error when publishing to topic {topic} in pubsub {pubsub}: {failures[0].Error}");
        _runtime.Metrics.ErrorCodes.Count("ERR_PUBSUB_PUBLISH_MESSAGE");
        await context.Bytes(JsonSerializer.SerializeToUtf8Bytes(answer, Json.Options), status: 500).ConfigureAwait(false);
    }

    // [{"entryId","event","contentType","metadata"}]; the event is a text, JSON, or base64 where its type is binary.
    private static List<PublishEntry> ReadEntries(byte[] body)
    {
        var reader = new Utf8JsonReader(body, GoJson.ReaderOptions);
        using var json = JsonDocument.ParseValue(ref reader);
        if (json.RootElement.ValueKind != JsonValueKind.Array)
            throw new JsonException("the body is no list of entries");
        var entries = new List<PublishEntry>(json.RootElement.GetArrayLength());
        foreach (var item in json.RootElement.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object)
                throw new JsonException("an entry is no object");
            var (id, contentType) = ("", "");
            var @event = default(JsonElement);
            var metadata = new Dictionary<string, string>();
            foreach (var member in item.EnumerateObject())
            {
                if (member.Name.Equals("entryId", StringComparison.OrdinalIgnoreCase))
                    id = Text(member.Value);
                else if (member.Name.Equals("contentType", StringComparison.OrdinalIgnoreCase))
                    contentType = Text(member.Value);
                else if (member.Name.Equals("event", StringComparison.OrdinalIgnoreCase))
                    @event = member.Value;
                else if (member.Name.Equals("metadata", StringComparison.OrdinalIgnoreCase) && member.Value.ValueKind == JsonValueKind.Object)
                    metadata = member.Value.EnumerateObject().ToDictionary(m => m.Name, m => Text(m.Value));
            }

            entries.Add(new PublishEntry(id, Bytes(@event, contentType), contentType, metadata));
        }

        return entries;

        static string Text(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Null => "",
            _ => throw new JsonException("a text was expected"),
        };
    }

    private static byte[] Bytes(JsonElement @event, string contentType)
    {
        if (@event.ValueKind == JsonValueKind.Undefined)
            return [];
        if (ContentTypes.IsBinary(contentType))
            return @event.ValueKind == JsonValueKind.String ? Convert.FromBase64String(@event.GetString()!) : throw new FormatException("the event of a binary entry must be base64");
        if (@event.ValueKind == JsonValueKind.String && !ContentTypes.IsJson(contentType))
            return Encoding.UTF8.GetBytes(@event.GetString()!);
        return Encoding.UTF8.GetBytes(@event.GetRawText());
    }

    private static string OneLine(string text) => string.Create(text.Length, text, static (span, source) =>
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = source[i] is >= ' ' and <= '~' ? source[i] : '?';
    });
}
