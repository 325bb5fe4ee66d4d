using System.Buffers;
using System.Text.Json;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.State;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>Bodies of the actor API, read as Go reads them: names of members in any case, unknown members skipped.</summary>
internal static class ActorJson
{
    /// <summary>The body of a timer or a reminder.</summary>
    public sealed record Registration(string DueTime, string Period, string Ttl, string Callback, ReadOnlyMemory<byte>? Data, bool Overwrite);

    /// <summary>An operation of a transaction as it came: its request is checked later.</summary>
    public sealed record RawOperation(string Operation, RawRequest? Request);

    /// <param name="Errors">Members of a wrong type, in daprd's words.</param>
    public sealed record RawRequest(string Key, byte[] Value, string? ETag, Dictionary<string, string>? Metadata, IReadOnlyList<string> Errors);

    /// <param name="alias">Name of Go's type, which its messages tell.</param>
    /// <exception cref="JsonException">It is malformed.</exception>
    public static Registration ReadRegistration(byte[] body, string alias) => StateJson.Read(body, (ref Utf8JsonReader reader) =>
    {
        var (dueTime, period, ttl, callback, overwrite) = ("", "", "", "", true);
        ReadOnlyMemory<byte>? data = null;
        StateJson.Expect(ref reader, JsonTokenType.StartObject, alias);
        while (StateJson.Member(ref reader) is { } name)
        {
            switch (name.ToLowerInvariant())
            {
                case "duetime":
                    dueTime = Text(ref reader, "dueTime");
                    break;
                case "period":
                    period = Text(ref reader, "period");
                    break;
                case "ttl":
                    ttl = Text(ref reader, "ttl");
                    break;
                case "callback":
                    callback = Text(ref reader, "callback");
                    break;
                case "overwrite":
                    overwrite = reader.TokenType switch
                    {
                        JsonTokenType.True or JsonTokenType.Null => true,
                        JsonTokenType.False => false,
                        _ => throw Mismatch(ref reader, "overwrite", "bool"),
                    };
                    break;
                case "data":
                    data = Compact(ref reader);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return new Registration(dueTime, period, ttl, callback, data, overwrite);

        string Text(ref Utf8JsonReader reader, string field) => reader.TokenType switch
        {
            JsonTokenType.String => GoJson.Text(ref reader),
            JsonTokenType.Null => "",
            _ => throw Mismatch(ref reader, field, "string"),
        };

        JsonException Mismatch(ref Utf8JsonReader reader, string field, string type) =>
            new($"json: cannot unmarshal {StateJson.Kind(reader.TokenType)} into Go struct field .{alias}.{field} of type {type}");
    });

    /// <exception cref="JsonException">It is malformed.</exception>
    public static List<RawOperation> ReadOperations(byte[] body, bool escapeHtml) => StateJson.Read(body, (ref Utf8JsonReader reader) =>
    {
        var operations = new List<RawOperation>();
        if (reader.TokenType == JsonTokenType.Null)
            return operations;
        StateJson.Expect(ref reader, JsonTokenType.StartArray, "[]api.TransactionalOperation");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var operation = "";
            RawRequest? request = null;
            StateJson.Expect(ref reader, JsonTokenType.StartObject, "api.TransactionalOperation");
            while (StateJson.Member(ref reader) is { } name)
            {
                if (name.Equals("operation", StringComparison.OrdinalIgnoreCase))
                {
                    operation = reader.TokenType switch
                    {
                        JsonTokenType.String => GoJson.Text(ref reader),
                        JsonTokenType.Null => "",
                        _ => throw new JsonException($"json: cannot unmarshal {StateJson.Kind(reader.TokenType)} into Go struct field TransactionalOperation.operation of type api.OperationType"),
                    };
                }
                else if (name.Equals("request", StringComparison.OrdinalIgnoreCase))
                {
                    request = Request(ref reader, escapeHtml);
                }
                else
                {
                    reader.Skip();
                }
            }

            operations.Add(new RawOperation(operation, request));
        }

        return operations;
    });

    private static RawRequest? Request(ref Utf8JsonReader reader, bool escapeHtml)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return null;
        var errors = new List<string>();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            errors.Add($"'' expected a map, got '{GoKind(reader.TokenType)}'");
            reader.Skip();
            return new RawRequest("", [], null, null, errors);
        }

        var key = "";
        string? etag = null;
        byte[]? value = null;
        Dictionary<string, string>? metadata = null;
        while (StateJson.Member(ref reader) is { } name)
        {
            switch (name.ToLowerInvariant())
            {
                case "key":
                    key = Text(ref reader, "Key") ?? "";
                    break;
                case "etag":
                    etag = Text(ref reader, "ETag");
                    break;
                case "value":
                    value = GoJson.Canonical(ref reader, escapeHtml);
                    break;
                case "metadata" when reader.TokenType == JsonTokenType.StartObject:
                    metadata = [];
                    while (StateJson.Member(ref reader) is { } entry)
                        metadata[entry] = Text(ref reader, $"Metadata[{entry}]") ?? "";
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return new RawRequest(key, value ?? "null"u8.ToArray(), etag, metadata, errors);

        string? Text(ref Utf8JsonReader reader, string field)
        {
            if (reader.TokenType == JsonTokenType.String)
                return GoJson.Text(ref reader);
            if (reader.TokenType == JsonTokenType.Null)
                return null;
            var kind = GoKind(reader.TokenType);
            var shown = System.Text.Encoding.UTF8.GetString(GoJson.Canonical(ref reader));
            errors.Add($"'{field}' expected type 'string', got unconvertible type '{kind}', value: '{shown}'");
            return null;
        }
    }

    private static string GoKind(JsonTokenType type) => type switch
    {
        JsonTokenType.Number => "float64",
        JsonTokenType.True or JsonTokenType.False => "bool",
        JsonTokenType.StartArray => "[]interface {}",
        JsonTokenType.StartObject => "map[string]interface {}",
        _ => "string",
    };

    // As it came, without the space between.
    private static ReadOnlyMemory<byte> Compact(ref Utf8JsonReader reader)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        var compact = new ArrayBufferWriter<byte>(64);
        using (var json = new Utf8JsonWriter(compact, StateJson.WriterOptions))
            document.RootElement.WriteTo(json);
        return compact.WrittenMemory;
    }
}
