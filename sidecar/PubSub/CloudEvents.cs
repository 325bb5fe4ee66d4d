using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Observability;

namespace DaprPlatform.Sidecar.PubSub;

/// <summary>
/// Writes the envelope that is stored in the broker: CloudEvents 1.0 in JSON, members in alphabetical order, <c>&lt; &gt; &amp;</c> escaped, data that is JSON
/// embedded with its numbers as they came. Written by hand and not by Utf8JsonWriter, whose encoders escape other characters than Go's.
/// </summary>
internal static class CloudEvents
{
    public const string DefaultType = "com.dapr.event.sent";
    public const string BulkType = "com.dapr.event.sent.bulk";
    private const string DefaultSource = "Dapr";
    private const string Version = "1.0";

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    /// <summary>What the envelope is made from.</summary>
    /// <param name="Metadata">Of the request: <c>cloudevent.*</c> override attributes, <c>ttlInSeconds</c> makes an expiration.</param>
    /// <param name="Trace">The span that publishes; its context is written only where it is sampled.</param>
    public readonly record struct Input(string PubSub, string Topic, string Source, ReadOnlyMemory<byte> Data, string ContentType, IReadOnlyDictionary<string, string> Metadata,
        TraceContext Trace, DateTimeOffset Now, bool WritesExpiration);

    /// <exception cref="JsonException">The content type says that the data is an envelope already, and it is no JSON object.</exception>
    public static byte[] Create(in Input input)
    {
        var output = _buffer ??= new ArrayBufferWriter<byte>(4096);
        output.ResetWrittenCount();
        if (ContentTypes.IsCloudEvent(input.ContentType))
            Complete(output, input);
        else
            Wrap(output, input);
        var envelope = output.WrittenSpan.ToArray();
        if (output.Capacity > 1 << 20)
            _buffer = null;
        return envelope;
    }

    // Unique, as the specification wants it; not secret, so that it need not cost what secure random numbers do.
    private static string EventId()
    {
        Span<byte> bytes = stackalloc byte[16];
        Random.Shared.NextBytes(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }

    /// <summary>The envelope around a message that was published raw.</summary>
    /// <param name="trace">What its metadata say of the trace it belongs to.</param>
    public static byte[] WrapRaw(string pubsub, string topic, ReadOnlySpan<byte> data, RawTrace trace = default)
    {
        var output = _buffer ??= new ArrayBufferWriter<byte>(4096);
        output.ResetWrittenCount();
        output.Write("{\"data_base64\":\""u8);
        WriteBase64(output, data);
        output.Write("\""u8);
        Member(output, "datacontenttype"u8, ContentTypes.Octets);
        Member(output, "id"u8, EventId());
        Member(output, "pubsubname"u8, pubsub);
        Member(output, "source"u8, DefaultSource);
        Member(output, "specversion"u8, Version);
        Member(output, "topic"u8, topic);
        if (trace.Parent is { } parent)
        {
            Member(output, "traceid"u8, parent);
            Member(output, "traceparent"u8, parent);
        }

        if (trace.State is { } state)
            Member(output, "tracestate"u8, state);
        Member(output, "type"u8, DefaultType);
        output.Write("}"u8);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The trace of a message that has no envelope to carry it, by its metadata; null is none.</summary>
    public readonly record struct RawTrace(string? Parent, string? State)
    {
        private const string ParentName = "traceparent";
        private const string StateName = "tracestate";

        public static RawTrace Of(IReadOnlyDictionary<string, string>? metadata) => metadata is null ? default
            : new RawTrace(Find(metadata, ParentName) is { Length: > 0 } parent ? parent : null, Find(metadata, StateName) is { Length: > 0 } state ? state : null);

        /// <summary>The metadata with the trace of the span that publishes, unless it is not sampled or they name one themselves.</summary>
        public static IReadOnlyDictionary<string, string> AddTo(IReadOnlyDictionary<string, string> metadata, TraceContext trace)
        {
            if (!trace.Sampled || Find(metadata, ParentName) is not null)
                return metadata;
            var traced = new Dictionary<string, string>(metadata) { [ParentName] = trace.TraceParent };
            if (trace.State.Length > 0)
                traced[StateName] = trace.State;
            return traced;
        }
    }

    /// <summary>When a message with this metadata expires; null: never. What is no whole number, or negative, is ignored.</summary>
    private static string? Expiration(in Input input)
    {
        if (!input.WritesExpiration || Find(input.Metadata, "ttlInSeconds") is not { } text || !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds) || seconds < 0)
            return null;
        return Time(seconds < 1_000_000_000 ? input.Now.AddSeconds(seconds) : DateTimeOffset.MaxValue);
    }

    private static void Wrap(ArrayBufferWriter<byte> output, in Input input)
    {
        var contentType = input.ContentType.Length == 0 ? ContentTypes.Text : input.ContentType;
        var (trace, state) = Trace(input);
        var overridden = Find(input.Metadata, "cloudevent.traceparent") ?? Find(input.Metadata, "cloudevent.traceid");
        if (overridden is { Length: > 0 })
            trace = overridden;
        if (Find(input.Metadata, "cloudevent.tracestate") is { Length: > 0 } ownState)
            state = ownState;

        output.Write("{"u8);
        WriteData(output, input.Data.Span, contentType);
        Member(output, "datacontenttype"u8, contentType);
        if (Expiration(input) is { } expiration)
            Member(output, "expiration"u8, expiration);
        Member(output, "id"u8, Override(input, "cloudevent.id") ?? EventId());
        Member(output, "pubsubname"u8, input.PubSub);
        Member(output, "source"u8, Override(input, "cloudevent.source") ?? input.Source);
        Member(output, "specversion"u8, Version);
        if (Override(input, "cloudevent.subject") is { } subject)
            Member(output, "subject"u8, subject);
        Member(output, "time"u8, Time(input.Now));
        Member(output, "topic"u8, input.Topic);
        Member(output, "traceid"u8, trace);
        Member(output, "traceparent"u8, trace);
        Member(output, "tracestate"u8, state);
        Member(output, "type"u8, Override(input, "cloudevent.type") ?? DefaultType);
        output.Write("}"u8);
    }

    private static void WriteData(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> data, string contentType)
    {
        if (ContentTypes.IsBinary(contentType))
        {
            output.Write("\"data_base64\":\""u8);
            WriteBase64(output, data);
            output.Write("\""u8);
            return;
        }

        output.Write("\"data\":"u8);
        var before = output.WrittenCount;
        if (ContentTypes.IsJson(contentType))
        {
            try
            {
                var reader = new Utf8JsonReader(data, GoJson.ReaderOptions);
                reader.Read();
                GoJson.AppendExact(output, ref reader);
                if (!reader.Read())
                    return;
            }
            catch (JsonException)
            {
                // Not JSON, whatever its type says: it becomes a text.
            }

            Truncate(output, before);
        }

        GoJson.WriteString(output, data);
    }

    // An envelope of the app's own: members of Dapr's are added or replaced, the others stay.
    private static void Complete(ArrayBufferWriter<byte> output, in Input input)
    {
        var members = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(input.Data.Span, GoJson.ReaderOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("json: cannot unmarshal value into Go value of type map[string]interface {}");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = GoJson.Text(ref reader);
            reader.Read();
            output.ResetWrittenCount();
            GoJson.AppendExact(output, ref reader);
            members[name] = output.WrittenSpan.ToArray();
        }

        if (reader.Read())
            throw new JsonException("invalid character after top-level value");
        output.ResetWrittenCount();
        var (trace, state) = Trace(input);
        Fill("traceid", trace);
        Fill("traceparent", trace);
        Fill("tracestate", state);
        Fill("id", null);
        Fill("source", DefaultSource);
        Fill("type", DefaultType);
        Fill("specversion", Version);
        Fill("time", Time(input.Now));
        members["topic"] = Quoted(input.Topic);
        members["pubsubname"] = Quoted(input.PubSub);
        if (Expiration(input) is { } expiration)
            members["expiration"] = Quoted(expiration);

        output.Write("{"u8);
        var first = true;
        foreach (var (name, value) in members)
        {
            if (!first)
                output.Write(","u8);
            first = false;
            GoJson.WriteString(output, Encoding.UTF8.GetBytes(name));
            output.Write(":"u8);
            output.Write(value);
        }

        output.Write("}"u8);

        // A null counts as missing; null as value makes an id.
        void Fill(string name, string? value)
        {
            if (!members.TryGetValue(name, out var existing) || existing.AsSpan().SequenceEqual("null"u8))
                members[name] = Quoted(value ?? EventId());
        }
    }

    private static (string TraceParent, string State) Trace(in Input input) => input.Trace.Sampled ? (input.Trace.TraceParent, input.Trace.State) : ("", "");

    private static string? Override(in Input input, string name) => Find(input.Metadata, name) is { Length: > 0 } value ? value : null;

    private static string? Find(IReadOnlyDictionary<string, string> metadata, string name)
    {
        if (metadata.Count == 0)
            return null;
        if (metadata.TryGetValue(name, out var exact))
            return exact;
        foreach (var (key, value) in metadata)
        {
            if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
                return value;
        }

        return null;
    }

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static byte[] Quoted(string value)
    {
        var output = new ArrayBufferWriter<byte>(value.Length + 2);
        GoJson.WriteString(output, Encoding.UTF8.GetBytes(value));
        return output.WrittenSpan.ToArray();
    }

    private static void Member(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> name, string value)
    {
        output.Write(",\""u8);
        output.Write(name);
        output.Write("\":"u8);
        WriteText(output, value);
    }

    /// <summary>Writes a string with its quotes.</summary>
    public static void WriteText(ArrayBufferWriter<byte> output, string value)
    {
        var most = Encoding.UTF8.GetMaxByteCount(value.Length);
        if (most <= 512)
        {
            Span<byte> utf8 = stackalloc byte[most];
            GoJson.WriteString(output, utf8[..Encoding.UTF8.GetBytes(value, utf8)]);
            return;
        }

        GoJson.WriteString(output, Encoding.UTF8.GetBytes(value));
    }

    public static void WriteBase64(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> data)
    {
        var span = output.GetSpan(Math.Max(1, Base64.GetMaxEncodedToUtf8Length(data.Length)));
        Base64.EncodeToUtf8(data, span, out _, out var written);
        output.Advance(written);
    }

    private static void Truncate(ArrayBufferWriter<byte> output, int length)
    {
        var kept = output.WrittenSpan[..length].ToArray();
        output.ResetWrittenCount();
        output.Write(kept);
    }
}
