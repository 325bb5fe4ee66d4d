using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Dapr;

internal sealed class CloudEventsMiddleware(RequestDelegate next, CloudEventsMiddlewareOptions options)
{
    const string Json = "application/json";

    static readonly HashSet<string> NeverHeaders = new(StringComparer.OrdinalIgnoreCase) { "datacontenttype", "data", "data_base64", "pubsubname", "traceparent" };

    readonly HashSet<string>? _included = Set(options.IncludedCloudEventPropertiesAsHeaders);
    readonly HashSet<string>? _excluded = Set(options.ExcludedCloudEventPropertiesFromHeaders);

    public Task InvokeAsync(HttpContext context) => IsCloudEvent(context.Request.ContentType) ? Unwrap(context) : next(context);

    static bool IsCloudEvent(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type) && type.MediaType.Equals("application/cloudevents+json", StringComparison.OrdinalIgnoreCase);

    async Task Unwrap(HttpContext context)
    {
        var request = context.Request;
        JsonDocument document;
        try
        {
            document = await JsonDocument.ParseAsync(request.Body, default, context.RequestAborted).ConfigureAwait(false);
        }
        catch (JsonException)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        using (document)
        {
            if (!Read(document.RootElement, out var envelope))
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                return;
            }

            if (options.ForwardCloudEventPropertiesAsHeaders)
                Forward(document.RootElement, request.Headers);

            var (body, type, length) = (request.Body, request.ContentType, request.ContentLength);
            try
            {
                request.Body = new MemoryStream(envelope.Body, writable: false);
                request.ContentType = envelope.ContentType;
                request.ContentLength = envelope.Body.Length;
                await next(context).ConfigureAwait(false);
            }
            finally
            {
                request.Body = body;
                request.ContentType = type;
                request.ContentLength = length;
            }
        }
    }

    bool Read(JsonElement root, out (byte[] Body, string? ContentType) envelope)
    {
        envelope = ([], null);
        if (root.ValueKind != JsonValueKind.Object)
            return false;

        JsonElement? data = null, base64 = null, contentType = null;
        foreach (var property in root.EnumerateObject())
        {
            if (property.Name.Equals("data", StringComparison.OrdinalIgnoreCase))
                data = property.Value;
            else if (property.Name.Equals("data_base64", StringComparison.OrdinalIgnoreCase))
                base64 = property.Value;
            else if (property.Name.Equals("datacontenttype", StringComparison.OrdinalIgnoreCase))
                contentType = property.Value;
        }

        if (data is not null && base64 is not null)
            return false;
        if (data is null && base64 is null)
            return true;

        var type = WithoutCharset(contentType is { ValueKind: JsonValueKind.String } given ? given.GetString() : null, out var isJson);
        if (base64 is { } encoded)
        {
            if (encoded.ValueKind != JsonValueKind.String || !encoded.TryGetBytesFromBase64(out var bytes))
                return false;
            envelope = (bytes, type);
            return true;
        }

        var value = data!.Value;
        var asText = value.ValueKind == JsonValueKind.String && !isJson && !options.SuppressJsonDecodingOfTextPayloads;
        envelope = (Encoding.UTF8.GetBytes(asText ? value.GetString()! : value.GetRawText()), type);
        return true;
    }

    // The data is handed on as UTF-8, whatever it was before.
    static string WithoutCharset(string? contentType, out bool isJson)
    {
        if (string.IsNullOrEmpty(contentType))
        {
            isJson = true;
            return Json;
        }

        if (!MediaTypeHeaderValue.TryParse(contentType, out var type))
        {
            isJson = false;
            return contentType;
        }

        isJson = type.SubType.Equals("json", StringComparison.OrdinalIgnoreCase) || type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase);
        type.Charset = default;
        return type.ToString();
    }

    void Forward(JsonElement root, IHeaderDictionary headers)
    {
        foreach (var property in root.EnumerateObject())
        {
            if (NeverHeaders.Contains(property.Name) || _included?.Contains(property.Name) == false || (_included is null && _excluded?.Contains(property.Name) == true))
                continue;
            headers[$"Cloudevent.{property.Name.ToLowerInvariant()}"] = property.Value.GetRawText().Trim('"');
        }
    }

    static HashSet<string>? Set(string[]? names) => names is null ? null : new HashSet<string>(names, StringComparer.OrdinalIgnoreCase);
}
