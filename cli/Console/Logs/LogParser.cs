using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace DaprPlatform.Cli.OpsConsole.Logs;

/// <summary>What the beginning of a line tells at a glance.</summary>
/// <param name="Ticks">Of its time, UTC.</param>
/// <param name="TraceHash">Of its trace id; 0 is none.</param>
internal readonly record struct LogGlance(long Ticks, LogLevelName Level, ulong TraceHash);

/// <summary>
/// The four kinds of lines there are: JSON of .NET's console logger (services in .NET and Node.js), daprd's <c>time="…" level=…</c> or its JSON, PostgreSQL's,
/// and the platform's own. A line of no kind belongs to the one before it.
/// </summary>
internal static class LogParser
{
    private const int LongestText = 16 << 10;
    private const int MostFields = 24;

    public static bool TryGlance(ReadOnlySpan<byte> line, out LogGlance glance)
    {
        glance = default;
        const int shortest = 20;
        if (line.Length < shortest)
            return false;
        if (line[0] == '{')
        {
            var time = After(line, "\"Timestamp\":\""u8);
            if (time < 0)
                time = After(line, "\"time\":\""u8);
            if (time < 0 || !TryTime(line[time..], out var at))
                return false;
            var level = After(line, "\"LogLevel\":\""u8);
            if (level < 0)
                level = After(line, "\"level\":\""u8);
            var trace = After(line, "\"TraceId\":\""u8);
            glance = new LogGlance(at, level < 0 ? LogLevelName.Info : LevelOf(line[level..]), trace < 0 ? 0 : HashOf(line[trace..]));
            return true;
        }

        if (line.StartsWith("time=\""u8))
        {
            if (!TryTime(line[6..], out var at))
                return false;
            var level = After(line, " level="u8);
            glance = new LogGlance(at, level < 0 ? LogLevelName.Info : LevelOf(line[level..]), 0);
            return true;
        }

        if (!char.IsAsciiDigit((char)line[0]) || !TryTime(line, out var own))
            return false;
        // PostgreSQL: 2026-11-21 13:58:30.914 UTC [42] LOG:  text. The platform: 2026-11-21 13:58:30.914Z ! text.
        var name = LogLevelName.Info;
        if (After(line[..Math.Min(line.Length, 80)], "] "u8) is >= 0 and var word)
            name = line[word..].StartsWith("ERROR"u8) || line[word..].StartsWith("FATAL"u8) || line[word..].StartsWith("PANIC"u8) ? LogLevelName.Error : line[word..].StartsWith("WARNING"u8) ? LogLevelName.Warn : name;
        else if (line[..Math.Min(line.Length, 30)].IndexOf("Z ! "u8) > 0)
            name = LogLevelName.Error;
        glance = new LogGlance(own, name, 0);
        return true;
    }

    public static ulong HashOf(string trace) => HashOf(Encoding.UTF8.GetBytes(trace.ToLowerInvariant()));

    /// <param name="id">Of the line.</param>
    /// <param name="app">Whose it is.</param>
    /// <param name="source">What wrote it.</param>
    /// <param name="line">Its first line.</param>
    /// <param name="more">The lines that follow it.</param>
    /// <param name="glance">Of the first line; its time for one that has none.</param>
    public static LogLine Parse(string id, string app, LogSource source, ReadOnlySpan<byte> line, string? more, LogGlance glance)
    {
        var at = new DateTimeOffset(glance.Ticks, TimeSpan.Zero);
        string text;
        string? trace = null;
        Dictionary<string, string>? fields = null;
        if (line.Length > 0 && line[0] == '{' && TryJson(line, out var message, out trace, out fields))
            text = message;
        else if (line.StartsWith("time=\""u8))
            (text, fields) = Logfmt(Encoding.UTF8.GetString(line));
        else
            text = Plain(Encoding.UTF8.GetString(line));
        if (more is { Length: > 0 })
            text = $"{text}\n{more}";
        return new LogLine(id, at, app, source, glance.Level, text.Length > LongestText ? text[..LongestText] + "…" : text, trace, fields is { Count: > 0 } ? fields : null);
    }

    private static ulong HashOf(ReadOnlySpan<byte> trace)
    {
        // FNV-1a over the digits.
        var hash = 14695981039346656037UL;
        for (var i = 0; i < trace.Length && char.IsAsciiHexDigit((char)trace[i]); i++)
            hash = (hash ^ (byte)(trace[i] | 0x20)) * 1099511628211UL;
        return hash;
    }

    private static int After(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name) => line.IndexOf(name) is >= 0 and var at ? at + name.Length : -1;

    private static LogLevelName LevelOf(ReadOnlySpan<byte> name) => (name.Length == 0 ? 0 : name[0] | 0x20) switch
    {
        't' or 'd' => LogLevelName.Debug,
        'w' => LogLevelName.Warn,
        'e' or 'c' or 'f' or 'p' => LogLevelName.Error,
        _ => LogLevelName.Info,
    };

    // 2026-11-21T13:58:33.077Z, with a space for the T, up to seven digits of a second, and whatever follows.
    private static bool TryTime(ReadOnlySpan<byte> text, out long ticks)
    {
        ticks = 0;
        const int seconds = 19;
        if (text.Length < seconds || text[4] != '-' || text[7] != '-' || text[10] is not ((byte)'T' or (byte)' ') || text[13] != ':' || text[16] != ':')
            return false;
        if (!Number(text[..4], out var year) || !Number(text[5..7], out var month) || !Number(text[8..10], out var day) || !Number(text[11..13], out var hour) || !Number(text[14..16], out var minute)
            || !Number(text[17..19], out var second) || month is < 1 or > 12 || year < 1 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
            return false;
        ticks = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc).Ticks;
        if (text.Length > seconds && text[seconds] == '.')
        {
            var unit = TimeSpan.TicksPerSecond / 10;
            for (var i = seconds + 1; i < text.Length && char.IsAsciiDigit((char)text[i]); i++, unit /= 10)
                ticks += (text[i] - '0') * unit;
        }

        return true;
    }

    private static bool Number(ReadOnlySpan<byte> text, out int value) => Utf8Parser.TryParse(text, out value, out var read) && read == text.Length;

    private static bool TryJson(ReadOnlySpan<byte> line, out string text, out string? trace, out Dictionary<string, string>? fields)
    {
        (text, trace, fields) = ("", null, []);
        try
        {
            var reader = new Utf8JsonReader(line);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            text = Text(root, "Message") ?? Text(root, "msg") ?? Text(root, "message") ?? "";
            foreach (var member in root.EnumerateObject())
            {
                if (member.Name is "Category" or "scope" or "app_id" && member.Value.ValueKind == JsonValueKind.String)
                    Add(fields, member.Name == "Category" ? "category" : member.Name, member.Value.GetString()!);
            }

            if (root.TryGetProperty("Exception", out var exception) && exception.ValueKind == JsonValueKind.String)
                text = $"{text}\n{exception.GetString()}";
            if (root.TryGetProperty("State", out var state) && state.ValueKind == JsonValueKind.Object)
            {
                foreach (var member in state.EnumerateObject().Where(m => m.Name is not ("{OriginalFormat}" or "Message")))
                    Add(fields, member.Name, member.Value.ToString());
            }

            if (root.TryGetProperty("Scopes", out var scopes) && scopes.ValueKind == JsonValueKind.Array)
            {
                foreach (var member in scopes.EnumerateArray().Where(s => s.ValueKind == JsonValueKind.Object).SelectMany(s => s.EnumerateObject()))
                {
                    if (member.Name == "TraceId")
                        trace = member.Value.ToString();
                    else if (member.Name is not ("SpanId" or "ParentId" or "Message" or "{OriginalFormat}"))
                        Add(fields, member.Name, member.Value.ToString());
                }
            }

            trace ??= Text(root, "TraceId");
            if (trace is { Length: > 0 } && trace.All(c => c == '0'))
                trace = null;
            return true;
        }
        catch (JsonException)
        {
            return false;
        }

        static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    private static (string Text, Dictionary<string, string> Fields) Logfmt(string line)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        var text = "";
        for (var at = 0; at < line.Length;)
        {
            var equals = line.IndexOf('=', at);
            if (equals < 0)
                break;
            var name = line[at..equals].Trim();
            string value;
            if (equals + 1 < line.Length && line[equals + 1] == '"')
            {
                var end = equals + 2;
                while (end < line.Length && line[end] != '"')
                    end += line[end] == '\\' ? 2 : 1;
                end = Math.Min(end, line.Length);
                value = line[(equals + 2)..end].Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal);
                at = end + 1;
            }
            else
            {
                var end = line.IndexOf(' ', equals);
                value = line[(equals + 1)..(end < 0 ? line.Length : end)];
                at = end < 0 ? line.Length : end + 1;
            }

            if (name == "msg")
                text = value;
            else if (name is not ("time" or "level" or "instance" or "type" or "ver"))
                Add(fields, name, value);
        }

        return (text, fields);
    }

    // Without the time, which is beside it.
    private static string Plain(string line)
    {
        const int time = 19;
        if (line.Length <= time || !char.IsAsciiDigit(line[0]) || line[10] is not ('T' or ' '))
            return line;
        var end = time;
        while (end < line.Length && (char.IsAsciiDigit(line[end]) || line[end] is '.' or 'Z'))
            end++;
        var rest = line[end..].TrimStart();
        if (rest.StartsWith("UTC ", StringComparison.Ordinal))
            rest = rest[4..];
        return rest.Length > 2 && rest[0] is '·' or '✓' or '!' && rest[1] == ' ' ? rest[2..] : rest;
    }

    private static void Add(Dictionary<string, string> fields, string name, string value)
    {
        const int longest = 1000;
        if (fields.Count < MostFields && !Secrets.IsSecret(name))
            fields[name] = value.Length > longest ? string.Create(CultureInfo.InvariantCulture, $"{value.AsSpan(0, longest)}…") : value;
    }
}
