using System.Collections.Concurrent;
using Google.Protobuf;

namespace DaprPlatform.Cli.OpsConsole.Traces;

/// <summary>
/// Reads <c>opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest</c> by its field numbers (https://github.com/open-telemetry/opentelemetry-proto).
/// What is not shown is skipped; what is too long is cut.
/// </summary>
internal static class OtlpDecoding
{
    private const int MostAttributes = 40;
    private const int LongestText = 1000;
    private const int TraceIdBytes = 16;
    private const int SpanIdBytes = 8;
    private const int DeepestValue = 4;
    private const int MostNames = 1000;
    private static readonly ConcurrentDictionary<string, string> Names = new(StringComparer.Ordinal);

    /// <exception cref="InvalidProtocolBufferException">It is no such message.</exception>
    public static IReadOnlyList<ReceivedSpan> Read(byte[] message)
    {
        var spans = new List<ReceivedSpan>();
        foreach (var resourceSpans in Messages(new CodedInputStream(message), 1))
        {
            var service = "unknown";
            // The resource may stand behind its spans.
            foreach (var resource in Messages(resourceSpans.CreateCodedInput(), 1))
            {
                foreach (var (name, value) in Attributes(resource, 1))
                    service = name == "service.name" && value is string text ? text : service;
            }

            foreach (var scopeSpans in Messages(resourceSpans.CreateCodedInput(), 2))
            {
                foreach (var span in Messages(scopeSpans.CreateCodedInput(), 2))
                {
                    if (Span(span, service) is { } read)
                        spans.Add(read);
                }
            }
        }

        return spans;
    }

    private static ReceivedSpan? Span(ByteString bytes, string service)
    {
        var input = bytes.CreateCodedInput();
        var (trace, id, parent) = (ByteString.Empty, ByteString.Empty, ByteString.Empty);
        var (name, message) = ("", (string?)null);
        var (kind, status) = (0, 0);
        var (start, end) = (0UL, 0UL);
        uint tag;
        while ((tag = input.ReadTag()) != 0)
        {
            switch (tag)
            {
                case 1 << 3 | 2:
                    trace = input.ReadBytes();
                    break;
                case 2 << 3 | 2:
                    id = input.ReadBytes();
                    break;
                case 4 << 3 | 2:
                    parent = input.ReadBytes();
                    break;
                case 5 << 3 | 2:
                    name = Cut(input.ReadString());
                    break;
                case 6 << 3:
                    kind = input.ReadEnum();
                    break;
                case 7 << 3 | 1:
                    start = input.ReadFixed64();
                    break;
                case 8 << 3 | 1:
                    end = input.ReadFixed64();
                    break;
                case 15 << 3 | 2:
                    (status, message) = Status(input.ReadBytes());
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        if (trace.Length != TraceIdBytes || id.Length != SpanIdBytes)
            return null;
        return new ReceivedSpan(Hex(trace), Hex(id), parent.Length == SpanIdBytes && parent.Any(b => b != 0) ? Hex(parent) : null, service, name,
            Enum.IsDefined((SpanKindName)kind) ? (SpanKindName)kind : SpanKindName.Unspecified, start, end, Enum.IsDefined((SpanStatus)status) ? (SpanStatus)status : SpanStatus.Unset, message,
            Attributes(bytes, 9));
    }

    private static (int Code, string? Message) Status(ByteString bytes)
    {
        var input = bytes.CreateCodedInput();
        var (code, message) = (0, (string?)null);
        uint tag;
        while ((tag = input.ReadTag()) != 0)
        {
            if (tag == (2 << 3 | 2))
                message = Cut(input.ReadString());
            else if (tag == 3 << 3)
                code = input.ReadEnum();
            else
                input.SkipLastField();
        }

        return (code, message is { Length: > 0 } ? message : null);
    }

    private static List<KeyValuePair<string, object>> Attributes(ByteString owner, int field)
    {
        var found = new List<KeyValuePair<string, object>>();
        foreach (var pair in Messages(owner.CreateCodedInput(), field))
        {
            if (found.Count == MostAttributes)
                break;
            var input = pair.CreateCodedInput();
            var (name, value) = ("", (object?)null);
            uint tag;
            while ((tag = input.ReadTag()) != 0)
            {
                if (tag == (1 << 3 | 2))
                    name = Shared(Cut(input.ReadString()));
                else if (tag == (2 << 3 | 2))
                    value = Value(input.ReadBytes(), 0);
                else
                    input.SkipLastField();
            }

            if (value is not null)
                found.Add(KeyValuePair.Create(name, value));
        }

        return found;
    }

    private static object? Value(ByteString bytes, int depth)
    {
        var input = bytes.CreateCodedInput();
        object? value = null;
        uint tag;
        while ((tag = input.ReadTag()) != 0)
        {
            switch (tag)
            {
                case 1 << 3 | 2:
                    value = Cut(input.ReadString());
                    break;
                case 2 << 3:
                    value = input.ReadBool();
                    break;
                case 3 << 3:
                    value = input.ReadInt64();
                    break;
                case 4 << 3 | 1:
                    value = input.ReadDouble() is var number && double.IsFinite(number) ? number : number.ToString(System.Globalization.CultureInfo.InvariantCulture);
                    break;
                case 5 << 3 | 2:
                    var list = input.ReadBytes();
                    value = depth < DeepestValue ? Cut(string.Join(", ", Messages(list.CreateCodedInput(), 1).Select(v => Value(v, depth + 1)))) : "…";
                    break;
                case 7 << 3 | 2:
                    value = Cut(Convert.ToBase64String(input.ReadBytes().Span));
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        return value;
    }

    private static IEnumerable<ByteString> Messages(CodedInputStream input, int field)
    {
        uint tag;
        while ((tag = input.ReadTag()) != 0)
        {
            if (tag == (uint)(field << 3 | 2))
                yield return input.ReadBytes();
            else
                input.SkipLastField();
        }
    }

    // The same few names in every span; those that come after them are not shared.
    private static string Shared(string name) => Names.Count < MostNames ? Names.GetOrAdd(name, name) : Names.GetValueOrDefault(name, name);

    private static string Cut(string text) => text.Length > LongestText ? text[..LongestText] + "…" : text;

    private static string Hex(ByteString bytes) => Convert.ToHexStringLower(bytes.Span);
}
