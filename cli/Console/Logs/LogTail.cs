using System.Text;
using System.Threading.Channels;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Postgres;

namespace DaprPlatform.Cli.OpsConsole.Logs;

/// <summary>Lines as they are written, for those who look.</summary>
/// <param name="Lines">In the order of each file.</param>
internal sealed record LogBatch(IReadOnlyList<LogLine> Lines) : IFilteredPayload
{
    private const int BytesPerLine = 250;

    public int ApproximateBytes => Lines.Sum(l => l.Text.Length + BytesPerLine);

    public object? For(StreamFilter filter)
    {
        var wanted = filter.As(LogFilter.Parse);
        var part = Lines.Where(wanted.Wants).ToArray();
        return part.Length > 0 ? part : null;
    }
}

/// <summary>Follows the log files while somebody looks; the system says when one has grown.</summary>
internal sealed class LogTail(DataFolder data, ConsoleHub hub, TimeProvider time)
{
    private const int LargestBatch = 500;
    private const int LargestStep = 2 << 20;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(100);

    /// <summary>How often folders are looked at that the machine has no watch left for.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    public async Task RunAsync(Action ready, CancellationToken cancel)
    {
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        Directory.CreateDirectory(data.Logs);
        var watchers = new List<IDisposable> { Watch(data.Logs, changes) };
        var postgres = PostgresServer.FindLog(data.Path);
        if (postgres is not null)
            watchers.Add(Watch(Path.GetDirectoryName(postgres)!, changes));
        try
        {
            // Those that are there are read from their ends, those that come from their beginnings.
            var read = new Dictionary<ulong, long>();
            foreach (var (file, identity, length) in Files())
                read[identity] = WholeLines(file, length);
            ready();
            while (await changes.Reader.WaitToReadAsync(cancel))
            {
                changes.Reader.TryRead(out _);
                var known = new HashSet<ulong>();
                foreach (var (file, identity, length) in Files())
                {
                    var from = read.GetValueOrDefault(identity);
                    if (length > from)
                        read[identity] = Tell(file, identity, from, length);
                    known.Add(identity);
                }

                foreach (var gone in read.Keys.Except(known).ToList())
                    read.Remove(gone);
                await Task.Delay(Gather, time, cancel);
            }
        }
        finally
        {
            foreach (var watcher in watchers)
                watcher.Dispose();
        }
    }

    private IDisposable Watch(string folder, Channel<bool> changes)
    {
        var watcher = new FileSystemWatcher(folder, "*.log") { NotifyFilter = NotifyFilters.Size | NotifyFilters.LastWrite | NotifyFilters.FileName };
        watcher.Changed += (_, _) => changes.Writer.TryWrite(true);
        watcher.Created += (_, _) => changes.Writer.TryWrite(true);
        try
        {
            watcher.EnableRaisingEvents = true;
            return watcher;
        }
        catch (IOException)
        {
            // A machine gives a user so many watches and no more.
            watcher.Dispose();
            return time.CreateTimer(_ => changes.Writer.TryWrite(true), null, Pace, Pace);
        }
    }

    private static long WholeLines(LogFile file, long length)
    {
        using var stream = LogFile.TryOpen(file.Path);
        if (stream is null)
            return length;
        var buffer = new byte[Math.Min(length, 64 << 10)];
        stream.Position = length - buffer.Length;
        var read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return buffer.AsSpan(0, read).LastIndexOf((byte)'\n') is >= 0 and var at ? length - buffer.Length + at + 1 : length;
    }

    private IEnumerable<(LogFile File, ulong Identity, long Length)> Files()
    {
        foreach (var file in LogFile.All(data))
        {
            using var stream = LogFile.TryOpen(file.Path);
            if (stream is not null && file.Identity(stream) is not 0 and var identity)
                yield return (file, identity, stream.Length);
        }
    }

    /// <returns>Where to go on.</returns>
    private long Tell(LogFile file, ulong identity, long from, long length)
    {
        if (length - from > LargestStep)
        {
            // Nobody reads that along: those who look fetch the end anew.
            hub.Interrupt(StreamTopics.Logs);
            return WholeLines(file, length);
        }

        using var stream = LogFile.TryOpen(file.Path);
        if (stream is null || stream.Length < length)
            return from;
        var text = new byte[length - from];
        stream.Position = from;
        stream.ReadExactly(text);
        var end = text.AsSpan().LastIndexOf((byte)'\n') + 1;
        var lines = new List<LogLine>();
        var (start, ticks) = (0, time.GetUtcNow().UtcTicks);
        while (start < end)
        {
            var stop = start + text.AsSpan(start, end - start).IndexOf((byte)'\n');
            var line = text.AsSpan(start, stop - start).TrimEnd((byte)'\r');
            var isEntry = LogParser.TryGlance(line, out var glance);
            if (isEntry)
                ticks = glance.Ticks;
            var next = stop + 1;
            string? more = null;
            while (next < end)
            {
                var size = text.AsSpan(next, end - next).IndexOf((byte)'\n');
                var following = text.AsSpan(next, size);
                if (LogParser.TryGlance(following, out _))
                    break;
                more = $"{more}{(more is null ? "" : "\n")}{Encoding.UTF8.GetString(following).TrimEnd('\r')}";
                next += size + 1;
            }

            if (line.Length > 0 || more is { Length: > 0 })
            {
                lines.Add(LogParser.Parse(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{identity:x16}-{from + start}"), file.App, file.Source, line, more,
                    isEntry ? glance : new LogGlance(ticks, LogLevelName.Info, 0)));
            }

            start = next;
            if (lines.Count == LargestBatch)
                Flush();
        }

        Flush();
        return from + end;

        void Flush()
        {
            if (lines.Count > 0)
                hub.Publish(StreamTopics.Logs, new LogBatch(lines.ToArray()));
            lines.Clear();
        }
    }
}
