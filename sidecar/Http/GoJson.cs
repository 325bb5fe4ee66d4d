using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// JSON as Go's encoding/json writes what it has read into <c>any</c>: compact, members sorted by name with the last of two equal names kept, numbers as doubles
/// (<c>1.0</c> → <c>1</c>, <c>1e21</c> → <c>1e+21</c>), and unless told otherwise <c>&lt; &gt; &amp;</c> escaped. Apps compare such bytes.
/// </summary>
internal static class GoJson
{
    private const int DeepestNesting = 500;

    public static JsonReaderOptions ReaderOptions { get; } = new() { MaxDepth = DeepestNesting };

    /// <summary>Reads one JSON text and writes it again.</summary>
    /// <exception cref="JsonException">It is not one JSON text.</exception>
    public static byte[] Canonical(ReadOnlySpan<byte> json, bool escapeHtml = true)
    {
        var reader = new Utf8JsonReader(json, ReaderOptions);
        if (!reader.Read())
            throw new JsonException("unexpected end of JSON input");
        var bytes = Canonical(ref reader, escapeHtml);
        if (reader.Read())
            throw new JsonException("invalid character after top-level value");
        return bytes;
    }

    /// <summary>Writes the value the reader stands on again, and leaves the reader on its last token.</summary>
    public static byte[] Canonical(ref Utf8JsonReader reader, bool escapeHtml = true)
    {
        if (Literal(ref reader) is { } literal)
            return literal;
        var output = new ArrayBufferWriter<byte>(256);
        Copy(ref reader, output, escapeHtml);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Appends the value the reader stands on, numbers digit for digit as they came, and leaves the reader on its last token.</summary>
    public static void AppendExact(ArrayBufferWriter<byte> output, ref Utf8JsonReader reader) => Copy(ref reader, output, escapeHtml: true, exactNumbers: true);

    /// <summary>The text of a JSON string the reader stands on; what is no Unicode becomes U+FFFD, as in Go.</summary>
    public static string Text(ref Utf8JsonReader reader) => Encoding.UTF8.GetString(Unescaped(ref reader));

    /// <summary>Writes a string with its quotes.</summary>
    public static void WriteString(IBufferWriter<byte> output, ReadOnlySpan<byte> utf8, bool escapeHtml = true)
    {
        output.Write("\""u8);
        var plain = 0;
        var at = 0;
        while (at < utf8.Length)
        {
            var c = utf8[at];
            if (c < 0x80)
            {
                if (c >= 0x20 && c != (byte)'"' && c != (byte)'\\' && (!escapeHtml || c is not ((byte)'<' or (byte)'>' or (byte)'&')))
                {
                    at++;
                    continue;
                }

                output.Write(utf8[plain..at]);
                WriteEscape(output, c);
                plain = ++at;
                continue;
            }

            var status = Rune.DecodeFromUtf8(utf8[at..], out var rune, out var consumed);
            if (status != OperationStatus.Done || rune.Value is 0x2028 or 0x2029)
            {
                output.Write(utf8[plain..at]);
                output.Write(status != OperationStatus.Done ? "\\ufffd"u8 : rune.Value == 0x2028 ? "\\u2028"u8 : "\\u2029"u8);
                plain = at + consumed;
            }

            at += consumed;
        }

        output.Write(utf8[plain..]);
        output.Write("\""u8);
    }

    /// <summary>Writes a number as Go's encoding/json does.</summary>
    public static void WriteNumber(IBufferWriter<byte> output, double number)
    {
        var text = number.ToString("R", CultureInfo.InvariantCulture);
        var (digits, exponent) = Parts(text);
        var magnitude = Math.Abs(number);
        var line = new StringBuilder(32);
        if (double.IsNegative(number))
            line.Append('-');
        if (magnitude != 0 && magnitude is < 1e-6 or >= 1e21)
        {
            line.Append(digits[0]);
            if (digits.Length > 1)
                line.Append('.').Append(digits, 1, digits.Length - 1);
            line.Append('e').Append(exponent < 0 ? '-' : '+');
            var power = Math.Abs(exponent);

            // Go writes at least two digits of an exponent, and takes the zero away again where the exponent is negative.
            if (power < 10 && exponent >= 0)
                line.Append('0');
            line.Append(power.ToString(CultureInfo.InvariantCulture));
        }
        else if (exponent < 0)
        {
            line.Append("0.").Append('0', -exponent - 1).Append(digits);
        }
        else if (exponent + 1 >= digits.Length)
        {
            line.Append(digits).Append('0', exponent + 1 - digits.Length);
        }
        else
        {
            line.Append(digits, 0, exponent + 1).Append('.').Append(digits, exponent + 1, digits.Length - exponent - 1);
        }

        output.Write(Encoding.ASCII.GetBytes(line.ToString()));
    }

    // Values that are written as they stand, without a buffer.
    private static byte[]? Literal(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.Null => "null"u8.ToArray(),
        JsonTokenType.True => "true"u8.ToArray(),
        JsonTokenType.False => "false"u8.ToArray(),
        _ => null,
    };

    private static void Copy(ref Utf8JsonReader reader, ArrayBufferWriter<byte> output, bool escapeHtml, bool exactNumbers = false)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                output.Write("null"u8);
                break;
            case JsonTokenType.True:
                output.Write("true"u8);
                break;
            case JsonTokenType.False:
                output.Write("false"u8);
                break;
            case JsonTokenType.String:
                WriteString(output, Unescaped(ref reader), escapeHtml);
                break;
            case JsonTokenType.Number:
                CopyNumber(ref reader, output, exactNumbers);
                break;
            case JsonTokenType.StartArray:
                output.Write("["u8);
                for (var first = true; reader.Read() && reader.TokenType != JsonTokenType.EndArray; first = false)
                {
                    if (!first)
                        output.Write(","u8);
                    Copy(ref reader, output, escapeHtml, exactNumbers);
                }

                output.Write("]"u8);
                break;
            case JsonTokenType.StartObject:
                CopyObject(ref reader, output, escapeHtml, exactNumbers);
                break;
            default:
                throw new JsonException($"unexpected {reader.TokenType}");
        }
    }

    private static void CopyObject(ref Utf8JsonReader reader, ArrayBufferWriter<byte> output, bool escapeHtml, bool exactNumbers)
    {
        var members = new List<(byte[] Name, int Start, int Length)>();
        var sorted = true;
        output.Write("{"u8);
        var begin = output.WrittenCount;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (members.Count > 0)
                output.Write(","u8);
            var start = output.WrittenCount;
            var name = Unescaped(ref reader).ToArray();
            WriteString(output, name, escapeHtml);
            output.Write(":"u8);
            reader.Read();
            Copy(ref reader, output, escapeHtml, exactNumbers);
            sorted &= members.Count == 0 || name.AsSpan().SequenceCompareTo(members[^1].Name) > 0;
            members.Add((name, start, output.WrittenCount - start));
        }

        if (!sorted)
            Sort(output, begin, members);
        output.Write("}"u8);
    }

    // Writes the members that stand from `begin` in the order of their names; of equal names the last.
    private static void Sort(ArrayBufferWriter<byte> output, int begin, List<(byte[] Name, int Start, int Length)> members)
    {
        var written = output.WrittenSpan[begin..].ToArray();
        var before = output.WrittenSpan[..begin].ToArray();
        output.ResetWrittenCount();
        output.Write(before);
        var order = members.Select((member, index) => (member.Name, Index: index)).ToArray();
        Array.Sort(order, static (a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name) is var names and not 0 ? names : a.Index - b.Index);
        var first = true;
        for (var i = 0; i < order.Length; i++)
        {
            if (i + 1 < order.Length && order[i].Name.AsSpan().SequenceEqual(order[i + 1].Name))
                continue;
            if (!first)
                output.Write(","u8);
            first = false;
            var (_, start, length) = members[order[i].Index];
            output.Write(written.AsSpan(start - begin, length));
        }
    }

    private static void CopyNumber(ref Utf8JsonReader reader, ArrayBufferWriter<byte> output, bool exact)
    {
        var text = reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan;

        // Whole numbers that a double holds exactly stay as they are.
        if (exact || (text.Length <= 15 && !text.ContainsAny(".eE"u8)))
        {
            output.Write(text);
            return;
        }

        if (!Utf8Parser.TryParse(text, out double number, out var consumed) || consumed != text.Length || !double.IsFinite(number))
            throw new JsonException($"cannot unmarshal number {Encoding.ASCII.GetString(text)} into Go value of type float64");
        WriteNumber(output, number);
    }

    // Digits without point, and the power of ten of the first: 1.5E-07 is 15 and -7, 120 is 12 and 2.
    private static (string Digits, int Exponent) Parts(string text)
    {
        text = text.TrimStart('-');
        var exponent = 0;
        if (text.IndexOf('E', StringComparison.Ordinal) is var e and >= 0)
        {
            exponent = int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            text = text[..e];
        }

        var point = text.IndexOf('.', StringComparison.Ordinal);
        var whole = point < 0 ? text : text[..point];
        var digits = whole + (point < 0 ? "" : text[(point + 1)..]);
        var leading = digits.Length - digits.TrimStart('0').Length;
        if (leading == digits.Length)
            return ("0", 0);
        return (digits.Trim('0'), exponent + whole.Length - 1 - leading);
    }

    private static void WriteEscape(IBufferWriter<byte> output, byte c)
    {
        switch (c)
        {
            case (byte)'"':
                output.Write("\\\""u8);
                break;
            case (byte)'\\':
                output.Write("\\\\"u8);
                break;
            case (byte)'\b':
                output.Write("\\b"u8);
                break;
            case (byte)'\f':
                output.Write("\\f"u8);
                break;
            case (byte)'\n':
                output.Write("\\n"u8);
                break;
            case (byte)'\r':
                output.Write("\\r"u8);
                break;
            case (byte)'\t':
                output.Write("\\t"u8);
                break;
            default:
                ReadOnlySpan<byte> hex = "0123456789abcdef"u8;
                output.Write([(byte)'\\', (byte)'u', (byte)'0', (byte)'0', hex[c >> 4], hex[c & 15]]);
                break;
        }
    }

    // The reader's own unescaping refuses lone surrogates and bytes that are no UTF-8; Go replaces them.
    private static ReadOnlySpan<byte> Unescaped(ref Utf8JsonReader reader)
    {
        var text = reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan;
        if (reader.ValueIsEscaped)
            text = Unescape(text);
        return Utf8.IsValid(text) ? text : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text));
    }

    private static byte[] Unescape(ReadOnlySpan<byte> text)
    {
        var output = new ArrayBufferWriter<byte>(text.Length);
        Span<byte> encoded = stackalloc byte[4];
        while (text.IndexOf((byte)'\\') is var at and >= 0)
        {
            output.Write(text[..at]);
            var kind = text[at + 1];
            text = text[(at + 2)..];
            if (kind != (byte)'u')
            {
                output.Write([kind switch { (byte)'b' => (byte)'\b', (byte)'f' => (byte)'\f', (byte)'n' => (byte)'\n', (byte)'r' => (byte)'\r', (byte)'t' => (byte)'\t', _ => kind }]);
                continue;
            }

            var unit = Hex(text);
            text = text[4..];
            Rune rune;
            if (char.IsHighSurrogate(unit) && text is [(byte)'\\', (byte)'u', ..] && Rune.TryCreate(unit, Hex(text[2..]), out rune))
                text = text[6..];
            else if (!Rune.TryCreate(unit, out rune))
                rune = Rune.ReplacementChar;
            output.Write(encoded[..rune.EncodeToUtf8(encoded)]);
        }

        output.Write(text);
        return output.WrittenSpan.ToArray();
    }

    private static char Hex(ReadOnlySpan<byte> digits) => Utf8Parser.TryParse(digits[..4], out ushort unit, out _, 'x') ? (char)unit : '\uFFFD';
}
