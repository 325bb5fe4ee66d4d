using System.Buffers.Binary;
using Google.Protobuf;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>
/// <c>opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest</c> by its field numbers (https://github.com/open-telemetry/opentelemetry-proto). Nested
/// messages are written into buffers of their own, innermost first.
/// </summary>
internal static class OtlpEncoding
{
    /// <param name="framed">Puts gRPC's five bytes before the message.</param>
    public static byte[] Request(IReadOnlyList<Span> spans, TraceResource resource, bool framed)
    {
        var resourceBytes = Message(o =>
        {
            foreach (var (name, value) in resource.Attributes)
                Field(o, 1, Attribute(name, value));
        });
        var scopeSpans = Message(o =>
        {
            Field(o, 1, Message(s => Text(s, 1, TraceResource.Scope)));
            foreach (var span in spans)
                Field(o, 2, Of(span));
        });
        var request = Message(o => Field(o, 1, Message(r =>
        {
            Field(r, 1, resourceBytes);
            Field(r, 2, scopeSpans);
        })));
        if (!framed)
            return request;
        var frame = new byte[request.Length + 5];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), request.Length);
        request.CopyTo(frame, 5);
        return frame;
    }

    private static byte[] Of(Span span) => Message(o =>
    {
        Span<byte> id = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(id, span.Context.TraceHigh);
        BinaryPrimitives.WriteUInt64BigEndian(id[8..], span.Context.TraceLow);
        Field(o, 1, id);
        BinaryPrimitives.WriteUInt64BigEndian(id, span.Context.SpanId);
        Field(o, 2, id[..8]);
        Text(o, 3, span.Context.State);
        if (span.ParentSpanId != 0)
        {
            BinaryPrimitives.WriteUInt64BigEndian(id, span.ParentSpanId);
            Field(o, 4, id[..8]);
        }

        Text(o, 5, span.Name);
        o.WriteTag(6, WireFormat.WireType.Varint);
        o.WriteEnum((int)span.Kind);
        o.WriteTag(7, WireFormat.WireType.Fixed64);
        o.WriteFixed64((ulong)ZipkinSink.Nanoseconds(span.Start));
        o.WriteTag(8, WireFormat.WireType.Fixed64);
        o.WriteFixed64((ulong)ZipkinSink.Nanoseconds(span.End));
        foreach (var (name, value) in span.Attributes)
            Field(o, 9, Attribute(name, value));
        if (span.Error is { } error)
        {
            Field(o, 15, Message(s =>
            {
                Text(s, 2, error);
                s.WriteTag(3, WireFormat.WireType.Varint);
                s.WriteEnum(2);
            }));
        }
    });

    private static byte[] Attribute(string name, object value) => Message(o =>
    {
        Text(o, 1, name);
        Field(o, 2, Message(v =>
        {
            switch (value)
            {
                case bool flag:
                    v.WriteTag(2, WireFormat.WireType.Varint);
                    v.WriteBool(flag);
                    break;
                case int or long:
                    v.WriteTag(3, WireFormat.WireType.Varint);
                    v.WriteInt64(Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));
                    break;
                case double number:
                    v.WriteTag(4, WireFormat.WireType.Fixed64);
                    v.WriteDouble(number);
                    break;
                default:
                    v.WriteTag(1, WireFormat.WireType.LengthDelimited);
                    v.WriteString(Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture) ?? "");
                    break;
            }
        }));
    });

    private static byte[] Message(Action<CodedOutputStream> write)
    {
        using var buffer = new MemoryStream();
        using (var output = new CodedOutputStream(buffer, leaveOpen: true))
            write(output);
        return buffer.ToArray();
    }

    private static void Text(CodedOutputStream output, int field, string value)
    {
        if (value.Length == 0)
            return;
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteString(value);
    }

    private static void Field(CodedOutputStream output, int field, ReadOnlySpan<byte> bytes)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(bytes));
    }
}
