using System.Text;

namespace DaprPlatform.Cli.Retail;

/// <summary>A record of a CSV file, from the line on which it starts. <paramref name="Problem"/> says why it has no fields.</summary>
internal sealed record CsvRecord(int Line, IReadOnlyList<string> Fields, string? Problem);

/// <summary>
/// Reads CSV as RFC 4180 has it: quoted fields with doubled quotes, separators and line ends inside, CRLF or LF. Text is UTF-8; a record
/// with other bytes is a problem of that record alone.
/// </summary>
internal static class CsvRecords
{
    private const byte Quote = (byte)'"';
    private const byte Separator = (byte)',';
    private const byte LineFeed = (byte)'\n';
    private const byte CarriageReturn = (byte)'\r';
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static IEnumerable<CsvRecord> Read(byte[] content)
    {
        var position = content.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
        var line = 1;
        while (position < content.Length)
        {
            var record = ReadOne(content, ref position, ref line);
            if (record is not null)
                yield return record;
        }
    }

    private static CsvRecord? ReadOne(byte[] content, ref int position, ref int line)
    {
        var start = line;
        var fields = new List<byte[]>();
        var field = new List<byte>();
        var quoted = false;
        var wasQuoted = false;
        string? problem = null;
        for (; position < content.Length; position++)
        {
            var c = content[position];
            if (c == LineFeed)
                line++;
            if (quoted)
            {
                if (c != Quote)
                {
                    field.Add(c);
                }
                else if (position + 1 < content.Length && content[position + 1] == Quote)
                {
                    field.Add(c);
                    position++;
                }
                else
                {
                    quoted = false;
                }
            }
            else if (c == Quote)
            {
                if (field.Count > 0 || wasQuoted)
                    problem ??= "a quote inside an unquoted field";
                quoted = wasQuoted = true;
            }
            else if (c == Separator)
            {
                fields.Add([.. field]);
                field.Clear();
                wasQuoted = false;
            }
            else if (c == LineFeed)
            {
                position++;
                break;
            }
            else if (c != CarriageReturn || (position + 1 < content.Length && content[position + 1] != LineFeed))
            {
                field.Add(c);
            }
        }

        if (quoted)
            problem ??= "a quoted field that is never closed";
        if (fields.Count == 0 && field.Count == 0 && !wasQuoted)
            return null; // An empty line is no record.
        fields.Add([.. field]);
        if (problem is not null)
            return new CsvRecord(start, [], problem);
        try
        {
            return new CsvRecord(start, [.. fields.Select(Strict.GetString)], null);
        }
        catch (DecoderFallbackException)
        {
            return new CsvRecord(start, [], "not UTF-8");
        }
    }
}
