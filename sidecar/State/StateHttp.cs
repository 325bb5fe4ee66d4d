using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Http;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sidecar.State;

/// <summary>The HTTP face.</summary>
internal sealed partial class StateApi
{
    public void MapHttp(Router router)
    {
        router.Map("state", "v1.0", "GET", "state/{store}/{key}", GetAsync);
        router.Map("state", "v1.0", "POST,PUT", "state/{store}", SaveAsync);
        router.Map("state", "v1.0", "DELETE", "state/{store}/{key}", DeleteAsync);
        router.Map("state", "v1.0", "POST,PUT", "state/{store}/bulk", GetManyAsync);
        router.Map("state", "v1.0", "POST,PUT", "state/{store}/transaction", TransactAsync);
        router.Map("state", "v1.0-alpha1", "POST,PUT", "state/{store}/query", QueryAsync);
    }

    /// <summary>When an item expires, as clients see it: RFC 3339 in UTC.</summary>
    public static string ExpireTime(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    private async Task GetAsync(ApiContext context)
    {
        var named = Store(context["store"]);
        var consistency = context.Query("consistency") switch
        {
            "strong" => Consistency.Strong,
            "eventual" => Consistency.Eventual,
            _ => Consistency.Unspecified,
        };
        var item = await GetAsync(named, context["key"], consistency, context.Metadata(), context.Cancelled).ConfigureAwait(false);
        if (item is null || item.Value.IsEmpty)
        {
            await context.NoContent().ConfigureAwait(false);
            return;
        }

        var headers = context.Http.Response.Headers;
        if (item.ETag is not null)
            headers.ETag = item.ETag;
        if (item.ExpiresAt is { } expiry)
            headers["metadata.ttlExpireTime"] = ExpireTime(expiry);
        await context.Bytes(item.Value, item.ContentType ?? "application/json").ConfigureAwait(false);
    }

    private async Task SaveAsync(ApiContext context)
    {
        var named = Store(context["store"]);
        List<StateRequest> requests;
        try
        {
            requests = StateJson.ReadItems(await context.BodyAsync().ConfigureAwait(false), named.Store.EscapesHtml);
        }
        catch (Exception e) when (e is JsonException or BodyTooLargeException)
        {
            throw ApiException.BadRequest("ERR_MALFORMED_REQUEST", e.Message);
        }

        foreach (var request in requests)
        {
            if (request.Key.Length == 0)
                throw ApiException.BadRequest("ERR_MALFORMED_REQUEST", "\"key\" is a required field");
        }

        if (requests.Count > 0)
            await SaveAsync(named, requests, context.Cancelled).ConfigureAwait(false);
        await context.NoContent().ConfigureAwait(false);
    }

    private async Task DeleteAsync(ApiContext context)
    {
        var named = Store(context["store"]);
        var request = new StateRequest(context["key"], ETag: context.Header("If-Match"), Concurrency: context.Query("concurrency") ?? "", Consistency: context.Query("consistency") ?? "", Metadata: context.Metadata());
        await DeleteAsync(named, request, context.Cancelled).ConfigureAwait(false);
        await context.NoContent().ConfigureAwait(false);
    }

    private async Task GetManyAsync(ApiContext context)
    {
        var named = Store(context["store"]);
        var (keys, metadata) = await ReadAsync(context, StateJson.ReadKeys).ConfigureAwait(false);
        foreach (var (name, value) in context.Metadata())
            metadata[name] = value;
        var answers = await GetManyAsync(named, keys, metadata, context.Cancelled).ConfigureAwait(false);
        var output = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(output, StateJson.WriterOptions))
        {
            json.WriteStartArray();
            foreach (var (key, item, error) in answers)
            {
                json.WriteStartObject();
                json.WriteString("key", key);
                WriteItem(json, item);
                if (item?.ExpiresAt is { } expiry)
                {
                    json.WriteStartObject("metadata");
                    json.WriteString("ttlExpireTime", ExpireTime(expiry));
                    json.WriteEndObject();
                }

                if (error is not null)
                    json.WriteString("error", error);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        await context.Bytes(output.WrittenMemory).ConfigureAwait(false);
    }

    private async Task TransactAsync(ApiContext context)
    {
        var named = Store(context["store"]);
        var (operations, metadata) = await ReadAsync(context, body => StateJson.ReadTransaction(body, named.Store.EscapesHtml)).ConfigureAwait(false);
        await TransactAsync(named, operations, metadata, context.Cancelled).ConfigureAwait(false);
        await context.NoContent().ConfigureAwait(false);
    }

    private async Task QueryAsync(ApiContext context)
    {
        var named = Store(context["store"]);
        var body = await ReadAsync(context, static bytes => bytes).ConfigureAwait(false);
        var answer = await QueryAsync(named, body, context.Metadata(), context.Cancelled).ConfigureAwait(false);
        if (answer.Items.Count == 0)
        {
            await context.NoContent().ConfigureAwait(false);
            return;
        }

        var output = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(output, StateJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteStartArray("results");
            foreach (var (key, item) in answer.Items)
            {
                json.WriteStartObject();
                json.WriteString("key", KeyPrefix.Original(key));
                WriteItem(json, item);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (answer.Token.Length > 0)
                json.WriteString("token", answer.Token);
            json.WriteEndObject();
        }

        await context.Bytes(output.WrittenMemory).ConfigureAwait(false);
    }

    private static async ValueTask<T> ReadAsync<T>(ApiContext context, Func<byte[], T> read)
    {
        try
        {
            return read(await context.BodyAsync().ConfigureAwait(false));
        }
        catch (Exception e) when (e is JsonException or BodyTooLargeException)
        {
            throw ApiException.BadRequest("ERR_MALFORMED_REQUEST", $"failed deserializing HTTP body: {e.Message}");
        }
    }

    // A value that is no JSON, such as bytes saved over gRPC, has no place in a list: it is text where it is text, else base64.
    private static void WriteItem(Utf8JsonWriter json, StateItem? item)
    {
        if (item is null)
            return;
        if (!item.Value.IsEmpty)
        {
            json.WritePropertyName("data");
            if (StateJson.IsJson(item.Value.Span))
                json.WriteRawValue(item.Value.Span, skipInputValidation: true);
            else if (Utf8.IsValid(item.Value.Span))
                json.WriteStringValue(item.Value.Span);
            else
                json.WriteBase64StringValue(item.Value.Span);
        }

        if (item.ETag is not null)
            json.WriteString("etag", item.ETag);
    }
}
