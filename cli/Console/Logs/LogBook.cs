using System.Globalization;
using DaprPlatform.Cli.Control;

namespace DaprPlatform.Cli.OpsConsole.Logs;

/// <summary>All logs of a stack as one, by time. A page is read from the ends of the files; none is ever read in whole.</summary>
internal sealed class LogBook(DataFolder data)
{
    /// <summary>What one request reads at most (and a block of each file).</summary>
    public const long Budget = 32 << 20;

    private readonly LogIndex _index = new();
    private long _read;

    /// <summary>Bytes of log files read so far.</summary>
    public long BytesRead => Interlocked.Read(ref _read);

    /// <summary>The newest entries before a place, the newest last. A page can hold fewer than asked for, or none, and have a next one all the same.</summary>
    /// <param name="filter">What is wanted.</param>
    /// <param name="before">A cursor of an earlier page, or a time; null: the end.</param>
    /// <param name="limit">At most so many.</param>
    /// <exception cref="ConsoleProblem">It is no cursor and no time.</exception>
    public Page<LogLine> Read(LogFilter filter, string? before, int limit)
    {
        var places = before is null ? null : Places(before);
        var time = before is not null && places is null ? Time(before) : (DateTimeOffset?)null;
        var budget = new ReadBudget(Budget);
        var sources = new List<BackwardEntries>();
        try
        {
            foreach (var file in LogFile.All(data).Where(f => filter.WantsFile(f.App, f.Source)))
            {
                if (filter.After is { } after && File.GetLastWriteTimeUtc(file.Path) < after.UtcDateTime)
                    continue;
                if (LogFile.TryOpen(file.Path) is not { } stream)
                    continue;
                var identity = file.Identity(stream);
                var end = identity == 0 ? 0 : time is { } at ? TimeSearch.Find(stream, at.UtcTicks, budget) : places is null ? long.MaxValue : places.GetValueOrDefault(identity);
                if (end == 0)
                    stream.Dispose();
                else
                    sources.Add(BackwardEntries.Open(file, stream, identity, end, filter, _index, budget));
            }

            return Merge(sources, limit);
        }
        finally
        {
            Interlocked.Add(ref _read, budget.Read);
            foreach (var source in sources)
                source.Dispose();
        }
    }

    private static Page<LogLine> Merge(List<BackwardEntries> sources, int limit)
    {
        var items = new List<LogLine>(limit);
        foreach (var source in sources)
            source.MoveNext();
        // What a source has not looked at could be newer than what the others have found.
        while (items.Count < limit && !sources.Exists(s => s.OutOfBudget) && sources.Where(s => s.Head is not null).MaxBy(s => s.Head!.At) is { } newest)
        {
            items.Add(newest.Head!);
            newest.MoveNext();
        }

        items.Reverse();
        var rest = sources.Where(s => s.Resume > 0).Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Identity:x}.{s.Resume:x}")).ToList();
        return new Page<LogLine>(items, rest.Count == 0 ? null : string.Join('~', rest));
    }

    private static Dictionary<ulong, long>? Places(string cursor)
    {
        var places = new Dictionary<ulong, long>();
        foreach (var part in cursor.Split('~'))
        {
            var dot = part.IndexOf('.', StringComparison.Ordinal);
            if (dot <= 0 || !ulong.TryParse(part.AsSpan(0, dot), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var file)
                || !long.TryParse(part.AsSpan(dot + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var offset) || offset < 0)
                return null;
            places[file] = offset;
        }

        return places;
    }

    private static DateTimeOffset Time(string text) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
        ? time
        : throw ConsoleProblem.BadRequest("before is the next of an earlier page, or a time.");
}

/// <summary>Finds a time in a file whose entries are in the order of time, by halves.</summary>
internal static class TimeSearch
{
    private const int Look = 32 << 10;

    /// <summary>The offset of the first entry that is not before it; the file's length when all are.</summary>
    public static long Find(FileStream stream, long ticks, ReadBudget budget)
    {
        var buffer = new byte[Look];
        var (low, high) = (0L, stream.Length);
        while (high - low > Look)
        {
            var middle = low + ((high - low) / 2);
            var (offset, found) = First(stream, middle, long.MinValue, buffer, budget);
            if (offset < 0 || found >= ticks)
                high = middle;
            else
                low = middle;
        }

        for (var from = low; from < stream.Length; from += Look / 2)
        {
            var (offset, _) = First(stream, from, ticks, buffer, budget);
            if (offset >= 0)
                return offset;
        }

        return stream.Length;
    }

    /// <summary>The first entry that begins after the offset (or at it, at the start of the file) and is not before the time, within one look.</summary>
    private static (long Offset, long Ticks) First(FileStream stream, long from, long ticks, byte[] buffer, ReadBudget budget)
    {
        stream.Position = from;
        var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        budget.Spend(length);
        var text = buffer.AsSpan(0, length);
        var start = from == 0 ? 0 : text.IndexOf((byte)'\n') + 1;
        if (start == 0 && from > 0)
            return (-1, 0);
        while (start < text.Length)
        {
            var end = text[start..].IndexOf((byte)'\n');
            if (end < 0)
                break;
            if (LogParser.TryGlance(text.Slice(start, end), out var glance) && glance.Ticks >= ticks)
                return (from + start, glance.Ticks);
            start += end + 1;
        }

        return (-1, 0);
    }
}
