using System.Globalization;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Http;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>What a delivery needs to know of an envelope without reading its data.</summary>
/// <param name="Id">Empty where it has none.</param>
/// <param name="IsTraced">It was published with trace context, be it empty.</param>
internal readonly record struct EventHead(string Id, DateTimeOffset? Expiration, bool IsTraced, string? TraceParent, string? TraceState);

/// <summary>Reads envelopes.</summary>
internal static class CloudEventReader
{
    /// <summary>False when the bytes are no JSON object.</summary>
    public static bool TryReadHead(ReadOnlySpan<byte> envelope, out EventHead head)
    {
        head = default;
        try
        {
            var reader = new Utf8JsonReader(envelope, GoJson.ReaderOptions);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            var id = "";
            DateTimeOffset? expiration = null;
            string? traceParent = null, traceId = null, traceState = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = Name(ref reader);
                reader.Read();
                if (reader.TokenType == JsonTokenType.String && name != Member.Other)
                {
                    var text = GoJson.Text(ref reader);
                    switch (name)
                    {
                        case Member.Id:
                            id = text;
                            break;
                        case Member.Expiration when DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time):
                            expiration = time;
                            break;
                        case Member.TraceParent:
                            traceParent = text;
                            break;
                        case Member.TraceId:
                            traceId = text;
                            break;
                        case Member.TraceState:
                            traceState = text;
                            break;
                    }
                }
                else
                {
                    reader.Skip();
                }
            }

            // What follows the object must be nothing.
            if (reader.TokenType != JsonTokenType.EndObject || reader.Read())
                return false;
            head = new EventHead(id, expiration, (traceParent ?? traceId) is not null, traceParent ?? traceId, traceState);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The event as an app gets it over gRPC.</summary>
    public static CloudEventContent Read(ReadOnlySpan<byte> envelope)
    {
        var content = new CloudEventContent();
        var reader = new Utf8JsonReader(envelope, GoJson.ReaderOptions);
        reader.Read();
        byte[]? data = null;
        var isText = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = GoJson.Text(ref reader);
            reader.Read();
            var isString = reader.TokenType == JsonTokenType.String;
            switch (name)
            {
                case "data":
                    isText = isString;
                    data = isString ? Encoding.UTF8.GetBytes(GoJson.Text(ref reader)) : Exact(ref reader);
                    break;
                case "data_base64" when isString:
                    content.Data = Base64(GoJson.Text(ref reader));
                    break;
                case "id" when isString:
                    content.Id = GoJson.Text(ref reader);
                    break;
                case "source" when isString:
                    content.Source = GoJson.Text(ref reader);
                    break;
                case "type" when isString:
                    content.Type = GoJson.Text(ref reader);
                    break;
                case "specversion" when isString:
                    content.SpecVersion = GoJson.Text(ref reader);
                    break;
                case "datacontenttype" when isString:
                    content.DataContentType = GoJson.Text(ref reader);
                    break;
                default:
                    content.Extensions.Fields[name] = ToValue(ref reader);
                    break;
            }
        }

        if (data is not null)
            content.Data = UnsafeByteOperations.UnsafeWrap(isText && ContentTypes.IsJson(content.DataContentType) ? Quoted(data) : data);
        return content;
    }

    private static byte[] Exact(ref Utf8JsonReader reader)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>(256);
        GoJson.AppendExact(output, ref reader);
        return output.WrittenSpan.ToArray();
    }

    private static byte[] Quoted(byte[] text)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>(text.Length + 16);
        GoJson.WriteString(output, text);
        return output.WrittenSpan.ToArray();
    }

    private static ByteString Base64(string text)
    {
        try
        {
            return UnsafeByteOperations.UnsafeWrap(Convert.FromBase64String(text));
        }
        catch (FormatException)
        {
            return ByteString.CopyFromUtf8(text);
        }
    }

    private static Value ToValue(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return Value.ForString(GoJson.Text(ref reader));
            case JsonTokenType.Number:
                return Value.ForNumber(reader.GetDouble());
            case JsonTokenType.True or JsonTokenType.False:
                return Value.ForBool(reader.TokenType == JsonTokenType.True);
            case JsonTokenType.StartArray:
                var items = new List<Value>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    items.Add(ToValue(ref reader));
                return Value.ForList([.. items]);
            case JsonTokenType.StartObject:
                var fields = new Struct();
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    var name = GoJson.Text(ref reader);
                    reader.Read();
                    fields.Fields[name] = ToValue(ref reader);
                }

                return Value.ForStruct(fields);
            default:
                return Value.ForNull();
        }
    }

    private static Member Name(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("id"u8))
            return Member.Id;
        if (reader.ValueTextEquals("expiration"u8))
            return Member.Expiration;
        if (reader.ValueTextEquals("traceparent"u8))
            return Member.TraceParent;
        if (reader.ValueTextEquals("traceid"u8))
            return Member.TraceId;
        return reader.ValueTextEquals("tracestate"u8) ? Member.TraceState : Member.Other;
    }

    private enum Member
    {
        Other,
        Id,
        Expiration,
        TraceParent,
        TraceId,
        TraceState,
    }
}

/// <summary>A cloud event by its attributes; those without a field of their own are extensions.</summary>
internal sealed class CloudEventContent
{
    public string Id { get; set; } = "";

    public string Source { get; set; } = "";

    public string Type { get; set; } = "";

    public string SpecVersion { get; set; } = "";

    public string DataContentType { get; set; } = "";

    public ByteString Data { get; set; } = ByteString.Empty;

    public Struct Extensions { get; } = new();

    /// <summary>A message that was published raw, as an app gets it over gRPC.</summary>
    public static CloudEventContent OfRaw(string pubsub, string topic, ReadOnlyMemory<byte> data, CloudEvents.RawTrace trace)
    {
        var content = new CloudEventContent
        {
            Id = Guid.NewGuid().ToString(), Source = "Dapr", Type = CloudEvents.DefaultType, SpecVersion = "1.0", DataContentType = ContentTypes.Octets, Data = UnsafeByteOperations.UnsafeWrap(data),
        };
        content.Extensions.Fields["pubsubname"] = Value.ForString(pubsub);
        content.Extensions.Fields["topic"] = Value.ForString(topic);
        content.Extensions.Fields["traceid"] = Value.ForString(trace.Parent ?? "");
        if (trace.Parent is { } parent)
            content.Extensions.Fields["traceparent"] = Value.ForString(parent);
        content.Extensions.Fields["tracestate"] = Value.ForString(trace.State ?? "");
        return content;
    }
}
