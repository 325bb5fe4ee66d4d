using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>Where a span stands: W3C trace context (https://www.w3.org/TR/trace-context/).</summary>
/// <param name="TraceHigh">First half of the trace id.</param>
/// <param name="State">tracestate as it came; empty is none.</param>
internal readonly record struct TraceContext(ulong TraceHigh, ulong TraceLow, ulong SpanId, bool Sampled, string State)
{
    /// <summary>Length of a traceparent of version 00.</summary>
    private const int Length = 55;

    public bool IsValid => (TraceHigh | TraceLow) != 0 && SpanId != 0;

    public string TraceId => string.Create(CultureInfo.InvariantCulture, $"{TraceHigh:x16}{TraceLow:x16}");

    /// <summary>The value of the header <c>traceparent</c>.</summary>
    public string TraceParent => string.Create(CultureInfo.InvariantCulture, $"00-{TraceHigh:x16}{TraceLow:x16}-{SpanId:x16}-{(Sampled ? "01" : "00")}");

    /// <summary>Reads a traceparent; false for one that is malformed or all zero.</summary>
    public static bool TryParse([NotNullWhen(true)] string? traceparent, string? tracestate, out TraceContext context)
    {
        context = default;
        var text = traceparent.AsSpan();
        if (text.Length < Length || text[2] != '-' || text[35] != '-' || text[52] != '-' || !Hex(text[..2], out var version) || version == 0xff
            || (version == 0 && text.Length != Length) || (text.Length > Length && text[Length] != '-'))
            return false;
        if (!Hex(text.Slice(3, 16), out var high) || !Hex(text.Slice(19, 16), out var low) || !Hex(text.Slice(36, 16), out var span) || !Hex(text.Slice(53, 2), out var flags))
            return false;
        context = new TraceContext(high, low, span, (flags & 1) != 0, tracestate ?? "");
        return context.IsValid;
    }

    /// <summary>Reads <c>grpc-trace-bin</c>: version, then fields 0 trace id, 1 span id, 2 flags.</summary>
    public static bool TryParseBinary(ReadOnlySpan<byte> bytes, out TraceContext context)
    {
        context = default;
        if (bytes.Length < 29 || bytes[0] != 0 || bytes[1] != 0 || bytes[18] != 1 || bytes[27] != 2)
            return false;
        context = new TraceContext(BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[10..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[19..]), (bytes[28] & 1) != 0, "");
        return context.IsValid;
    }

    /// <summary>The value of <c>grpc-trace-bin</c>.</summary>
    public byte[] ToBinary()
    {
        var bytes = new byte[29];
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(2), TraceHigh);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(10), TraceLow);
        bytes[18] = 1;
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(19), SpanId);
        bytes[27] = 2;
        bytes[28] = Sampled ? (byte)1 : (byte)0;
        return bytes;
    }

    /// <summary>A new trace; sampled by the first half of what the ratio lets through, as OpenTelemetry's ratio sampler does.</summary>
    public static TraceContext Root(double ratio)
    {
        // Nobody must be kept from guessing it, and secure random numbers were a fifteenth of what a published event cost.
        var (high, low) = ((ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue), (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue) | 1);
        var sampled = ratio >= 1 || (low >> 1) < ratio * (1UL << 63);
        return new TraceContext(high, low, NewSpanId(), sampled, "");
    }

    /// <summary>A span below this one: the same trace, decision and state.</summary>
    public TraceContext Child() => this with { SpanId = NewSpanId() };

    private static ulong NewSpanId() => (ulong)Random.Shared.NextInt64(1, long.MaxValue);

    // Lower-case digits only, as the recommendation says.
    private static bool Hex(ReadOnlySpan<char> text, out ulong value)
    {
        value = 0;
        foreach (var c in text)
        {
            var digit = c switch { >= '0' and <= '9' => c - '0', >= 'a' and <= 'f' => c - 'a' + 10, _ => -1 };
            if (digit < 0)
                return false;
            value = (value << 4) | (uint)digit;
        }

        return true;
    }
}
