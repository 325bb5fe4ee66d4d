using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>One line of the audit log.</summary>
/// <param name="Number">From 1.</param>
/// <param name="At">When.</param>
/// <param name="Who">The name signed in with; <c>local</c> where nobody signs in, <c>command</c> on the control socket.</param>
/// <param name="Outcome"><c>begun</c>, then in a line of its own <c>done</c>, <c>refused: …</c> or <c>failed: …</c>. A change that is only begun was cut short.</param>
/// <param name="Of">The line that began it, in the line of its outcome.</param>
/// <param name="Previous">Hash of the line before.</param>
/// <param name="Hash">SHA-256 of this line without its hash.</param>
internal sealed record AuditEntry(
    long Number, DateTimeOffset At, string Who, ConsoleRole Role, string Action, string Target, string? Detail, string Outcome, long? Of, string Previous, string Hash = "");

/// <summary>
/// Every change that somebody made, one JSON line each, on disk before the change is made. Each line holds the hash of the one before: a line that is changed or
/// taken out is noticed. A torn last line (the platform was killed while it wrote) was never acknowledged and is cut off at the next start.
/// </summary>
internal sealed class AuditLog : IAsyncDisposable
{
    public const string FileName = "console-audit.jsonl";
    private const int Block = 64 << 10;
    private const int LongestText = 2000;
    private static readonly string Start = new('0', 64);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly FileStream _file;
    private long _number;
    private string _last;

    private AuditLog(string path, TimeProvider time, FileStream file, long number, string last) => (_path, _time, _file, _number, _last) = (path, time, file, number, last);

    /// <exception cref="CommandException">The file is no audit log: its last whole line cannot be read.</exception>
    public static AuditLog Open(string path, TimeProvider time)
    {
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, 1);
        try
        {
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            var whole = LastLineEnd(file);
            if (whole < file.Length)
            {
                file.SetLength(whole);
                file.Flush(flushToDisk: true);
            }

            file.Position = whole;
            var last = Backwards(file, whole).FirstOrDefault();
            return new AuditLog(path, time, file, last.Entry?.Number ?? 0, last.Entry?.Hash ?? Start);
        }
        catch (JsonException e)
        {
            file.Dispose();
            throw new CommandException($"The audit log {path} cannot be read at its end: {e.Message}", e);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>On disk when this returns.</summary>
    public Task<AuditEntry> BeginAsync(ConsoleUser who, string action, string target, string? detail) =>
        AppendAsync(new AuditEntry(0, default, who.Name, who.Role, action, Short(target), detail is null ? null : Short(detail), "begun", null, ""));

    public Task EndAsync(AuditEntry begun, string outcome) => AppendAsync(begun with { Outcome = Short(outcome), Of = begun.Number, Detail = null });

    /// <summary>Changes with their outcomes, the newest first.</summary>
    /// <param name="before">The number of a line: those begun before it; null begins at the end.</param>
    /// <param name="limit">At most so many.</param>
    public IReadOnlyList<AuditEntry> Read(long? before, int limit)
    {
        var outcomes = new Dictionary<long, string>();
        var found = new List<AuditEntry>(Math.Min(limit, 100));
        using var file = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
        foreach (var (entry, _) in Backwards(file, LastLineEnd(file)))
        {
            if (entry.Of is { } of)
                outcomes[of] = entry.Outcome;
            else if (before is null || entry.Number < before)
                found.Add(outcomes.Remove(entry.Number, out var outcome) ? entry with { Outcome = outcome } : entry);
            if (found.Count == limit)
                break;
        }

        return found;
    }

    /// <summary>The number of the first line that does not fit to the one before it; null: the chain is whole.</summary>
    public static long? FirstBroken(string path)
    {
        var (last, number) = (Start, 0L);
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        while (reader.ReadLine() is { } line)
        {
            number++;
            AuditEntry? entry;
            try
            {
                entry = JsonSerializer.Deserialize<AuditEntry>(line, Json);
            }
            catch (JsonException)
            {
                return number;
            }

            if (entry is null || entry.Number != number || entry.Previous != last || entry.Hash != HashOf(entry))
                return number;
            last = entry.Hash;
        }

        return null;
    }

    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync();
        await _file.DisposeAsync();
        _turn.Dispose();
    }

    private static string Short(string text) => text.Length > LongestText ? text[..LongestText] + "…" : text;

    private static string HashOf(AuditEntry entry) => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(entry with { Hash = "" }, Json)));

    private async Task<AuditEntry> AppendAsync(AuditEntry entry)
    {
        await _turn.WaitAsync();
        try
        {
            entry = entry with { Number = _number + 1, At = _time.GetUtcNow(), Previous = _last };
            entry = entry with { Hash = HashOf(entry) };
            var whole = _file.Position;
            try
            {
                await _file.WriteAsync((byte[])[.. JsonSerializer.SerializeToUtf8Bytes(entry, Json), (byte)'\n']);
                _file.Flush(flushToDisk: true);
            }
            catch (IOException)
            {
                // A disk that is full: the next line must not follow half a line.
                _file.SetLength(whole);
                _file.Position = whole;
                throw;
            }

            (_number, _last) = (entry.Number, entry.Hash);
            return entry;
        }
        finally
        {
            _turn.Release();
        }
    }

    private static long LastLineEnd(FileStream file)
    {
        var buffer = new byte[Block];
        for (var end = file.Length; end > 0;)
        {
            var from = Math.Max(0, end - Block);
            file.Position = from;
            file.ReadExactly(buffer, 0, (int)(end - from));
            if (buffer.AsSpan(0, (int)(end - from)).LastIndexOf((byte)'\n') is >= 0 and var at)
                return from + at + 1;
            end = from;
        }

        return 0;
    }

    private static IEnumerable<(AuditEntry Entry, long Offset)> Backwards(FileStream file, long end)
    {
        var buffer = new byte[Block];
        var rest = Array.Empty<byte>();
        while (end > 0)
        {
            var from = Math.Max(0, end - Block);
            file.Position = from;
            file.ReadExactly(buffer, 0, (int)(end - from));
            byte[] text = [.. buffer.AsSpan(0, (int)(end - from)), .. rest];
            // All lines that begin in this block; the first may have begun in the one before.
            var to = text.Length;
            while (to > 0)
            {
                var line = text.AsSpan(0, to - 1).LastIndexOf((byte)'\n') + 1;
                if (line == 0 && from > 0)
                    break;
                yield return (JsonSerializer.Deserialize<AuditEntry>(text.AsSpan(line, to - line - 1), Json)!, from + line);
                to = line;
            }

            rest = text[..to];
            end = from;
        }
    }
}
