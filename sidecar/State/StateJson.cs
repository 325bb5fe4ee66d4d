using System.Text.Encodings.Web;
using System.Text.Json;
using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.State;

/// <summary>Bodies of the state API, read as Go reads them: names of members in any case, unknown members skipped, values written again canonically.</summary>
internal static class StateJson
{
    public delegate T Reading<T>(ref Utf8JsonReader reader);

    public static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The items of a save. Throws <see cref="JsonException"/>.</summary>
    public static List<StateRequest> ReadItems(byte[] body, bool escapeHtml) => Read(body, (ref Utf8JsonReader reader) =>
    {
        var items = new List<StateRequest>(1);
        if (reader.TokenType == JsonTokenType.Null)
            return items;
        Expect(ref reader, JsonTokenType.StartArray, "[]state.SetRequest");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            items.Add(Item(ref reader, escapeHtml));
        return items;
    });

    /// <summary>The keys of a bulk read. Throws <see cref="JsonException"/>.</summary>
    public static (List<string> Keys, Dictionary<string, string> Metadata) ReadKeys(byte[] body) => Read(body, (ref Utf8JsonReader reader) =>
    {
        var keys = new List<string>();
        Dictionary<string, string>? metadata = null;
        Expect(ref reader, JsonTokenType.StartObject, "http.BulkGetRequest");
        while (Member(ref reader) is { } name)
        {
            if (Is(name, "metadata"))
                metadata = Map(ref reader);
            else if (!Is(name, "keys"))
                reader.Skip();
            else if (reader.TokenType != JsonTokenType.Null)
            {
                Expect(ref reader, JsonTokenType.StartArray, "[]string");
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    keys.Add(String(ref reader, "keys"));
            }
        }

        return (keys, metadata ?? []);
    });

    /// <summary>The operations of a transaction. Throws <see cref="JsonException"/>.</summary>
    public static (List<(string Operation, StateRequest Request)> Operations, Dictionary<string, string> Metadata) ReadTransaction(byte[] body, bool escapeHtml) => Read(body, (ref Utf8JsonReader reader) =>
    {
        var operations = new List<(string, StateRequest)>();
        Dictionary<string, string>? metadata = null;
        Expect(ref reader, JsonTokenType.StartObject, "state.TransactionalStateRequest");
        while (Member(ref reader) is { } name)
        {
            if (Is(name, "metadata"))
                metadata = Map(ref reader);
            else if (!Is(name, "operations"))
                reader.Skip();
            else if (reader.TokenType != JsonTokenType.Null)
            {
                Expect(ref reader, JsonTokenType.StartArray, "[]state.TransactionalStateOperation");
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    operations.Add(Operation(ref reader, escapeHtml));
            }
        }

        return (operations, metadata ?? []);
    });

    /// <summary>The bytes are one JSON text.</summary>
    public static bool IsJson(ReadOnlySpan<byte> bytes)
    {
        try
        {
            var reader = new Utf8JsonReader(bytes, GoJson.ReaderOptions);
            return reader.Read() && reader.TrySkip() && !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Reads a body; malformed JSON is told in Go's words. Throws <see cref="JsonException"/>.</summary>
    public static T Read<T>(byte[] body, Reading<T> read)
    {
        var reader = new Utf8JsonReader(body, GoJson.ReaderOptions);
        try
        {
            reader.Read();
            return read(ref reader);
        }
        catch (JsonException) when (GoSyntax.Fault(body) is { } fault)
        {
            throw new JsonException(fault);
        }
    }

    private static (string Operation, StateRequest Request) Operation(ref Utf8JsonReader reader, bool escapeHtml)
    {
        var operation = "";
        var request = new StateRequest("");
        Expect(ref reader, JsonTokenType.StartObject, "state.TransactionalStateOperation");
        while (Member(ref reader) is { } name)
        {
            if (Is(name, "operation"))
                operation = String(ref reader, "operation");
            else if (Is(name, "request"))
                request = Item(ref reader, escapeHtml);
            else
                reader.Skip();
        }

        return (operation, request);
    }

    private static StateRequest Item(ref Utf8JsonReader reader, bool escapeHtml)
    {
        var (key, concurrency, consistency) = ("", "", "");
        byte[]? value = null;
        string? etag = null, contentType = null;
        Dictionary<string, string>? metadata = null;
        Expect(ref reader, JsonTokenType.StartObject, "state.SetRequest");
        while (Member(ref reader) is { } name)
        {
            if (Is(name, "key"))
                key = String(ref reader, name);
            else if (Is(name, "value"))
                value = GoJson.Canonical(ref reader, escapeHtml);
            else if (Is(name, "etag"))
                etag = String(ref reader, name);
            else if (Is(name, "metadata"))
                metadata = Map(ref reader);
            else if (Is(name, "contentType"))
                contentType = String(ref reader, name);
            else if (Is(name, "options"))
                (concurrency, consistency) = Options(ref reader);
            else
                reader.Skip();
        }

        return new StateRequest(key, value ?? "null"u8.ToArray(), etag, concurrency, consistency, metadata, IsBinary: false, contentType);
    }

    private static (string Concurrency, string Consistency) Options(ref Utf8JsonReader reader)
    {
        var (concurrency, consistency) = ("", "");
        if (reader.TokenType == JsonTokenType.Null)
            return (concurrency, consistency);
        Expect(ref reader, JsonTokenType.StartObject, "state.SetStateOption");
        while (Member(ref reader) is { } name)
        {
            if (Is(name, "concurrency"))
                concurrency = String(ref reader, name);
            else if (Is(name, "consistency"))
                consistency = String(ref reader, name);
            else
                reader.Skip();
        }

        return (concurrency, consistency);
    }

    private static Dictionary<string, string>? Map(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return null;
        Expect(ref reader, JsonTokenType.StartObject, "map[string]string");
        var map = new Dictionary<string, string>();
        while (Member(ref reader) is { } name)
            map[name] = String(ref reader, name);
        return map;
    }

    /// <summary>The name of the next member, with the reader on its value; null at the end of the object.</summary>
    public static string? Member(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType == JsonTokenType.EndObject)
            return null;
        var name = Known(reader.ValueSpan) ?? GoJson.Text(ref reader);
        reader.Read();
        return name;
    }

    // The names every request has, without making them anew.
    private static string? Known(ReadOnlySpan<byte> name) => name switch
    {
        [(byte)'k', (byte)'e', (byte)'y'] => "key",
        _ when name.SequenceEqual("value"u8) => "value",
        _ when name.SequenceEqual("etag"u8) => "etag",
        _ when name.SequenceEqual("metadata"u8) => "metadata",
        _ when name.SequenceEqual("options"u8) => "options",
        _ when name.SequenceEqual("request"u8) => "request",
        _ when name.SequenceEqual("operation"u8) => "operation",
        _ => null,
    };

    private static bool Is(string name, string expected) => name.Equals(expected, StringComparison.OrdinalIgnoreCase);

    private static string String(ref Utf8JsonReader reader, string field) => reader.TokenType switch
    {
        JsonTokenType.String => GoJson.Text(ref reader),
        JsonTokenType.Null => "",
        _ => throw new JsonException($"json: cannot unmarshal {Kind(reader.TokenType)} into Go struct field {field} of type string"),
    };

    public static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string target)
    {
        if (reader.TokenType != type)
            throw new JsonException($"json: cannot unmarshal {Kind(reader.TokenType)} into Go value of type {target}");
    }

    public static string Kind(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "object",
        JsonTokenType.StartArray => "array",
        JsonTokenType.True or JsonTokenType.False => "bool",
        JsonTokenType.Null => "null",
        _ => type.ToString().ToLowerInvariant(),
    };
}
