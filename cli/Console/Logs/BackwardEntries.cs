using System.Text;

namespace DaprPlatform.Cli.OpsConsole.Logs;

/// <summary>The wanted entries of one file, the newest first, read block by block from its end.</summary>
internal sealed class BackwardEntries : IDisposable
{
    private const int Block = LogIndex.BlockBytes;
    private const int LongestLine = 1 << 20;
    private const int LongestMore = 16 << 10;
    private readonly LogFile _file;
    private readonly FileStream _stream;
    private readonly ulong _identity;
    private readonly LogFilter _filter;
    private readonly LogIndex _index;
    private readonly ReadBudget _budget;
    private readonly ulong _trace;
    private readonly long _fileTicks;

    // Lines without a time, the last first; they belong to the entry above them.
    private readonly List<string> _more = [];
    private int _moreBytes;
    private long _moreEnd;
    private bool _gap;

    private byte[] _text = [];
    private int _textEnd;
    private long _textFrom;
    private byte[] _carry = [];
    private LogIndex.Summary? _summary;
    private long _lastTicks;

    private BackwardEntries(LogFile file, FileStream stream, ulong identity, long end, LogFilter filter, LogIndex index, ReadBudget budget)
    {
        (_file, _stream, _identity, _filter, _index, _budget) = (file, stream, identity, filter, index, budget);
        _trace = filter.Trace is { } trace ? LogParser.HashOf(trace) : 0;
        _textFrom = Position = end;
        _lastTicks = _fileTicks = File.GetLastWriteTimeUtc(file.Path).Ticks;
    }

    public ulong Identity => _identity;

    /// <summary>The entry found last; null: there is none, or the budget was spent on the way.</summary>
    public LogLine? Head { get; private set; }

    /// <summary>Where a later reader goes on to find <see cref="Head"/> again, or, without one, what was not looked at.</summary>
    public long Resume => Head is null ? Position : HeadEnd;

    public bool OutOfBudget { get; private set; }

    private long Position { get; set; }

    private long HeadEnd { get; set; }

    /// <param name="file">The file.</param>
    /// <param name="stream">Of it; becomes the reader's.</param>
    /// <param name="identity">Of the file.</param>
    /// <param name="end">Reads what is before it.</param>
    /// <param name="filter">What is wanted.</param>
    /// <param name="index">Of all files.</param>
    /// <param name="budget">Of the request.</param>
    public static BackwardEntries Open(LogFile file, FileStream stream, ulong identity, long end, LogFilter filter, LogIndex index, ReadBudget budget) =>
        new(file, stream, identity, WholeLines(stream, Math.Min(end, stream.Length), budget), filter, index, budget);

    /// <summary>Finds the next entry above.</summary>
    public bool MoveNext()
    {
        Head = null;
        while (true)
        {
            if (_textEnd == 0 && !ReadBlock())
            {
                // What stands above the first entry has no time of its own.
                if (!OutOfBudget && _textFrom == 0 && _more.Count > 0 && TakeMore(0, out var first))
                    return Found(first);
                return false;
            }

            var start = _text.AsSpan(0, _textEnd - 1).LastIndexOf((byte)'\n') + 1;
            if (start == 0 && _textFrom > 0)
            {
                // It begins in the block before.
                _carry = _textEnd > LongestLine ? [] : _text[.._textEnd];
                Learned();
                _textEnd = 0;
                continue;
            }

            var (offset, end) = (_textFrom + start, _textFrom + _textEnd);
            var line = _text.AsSpan(start, _textEnd - start).TrimEnd("\r\n"u8);
            _textEnd = start;
            var isEntry = LogParser.TryGlance(line, out var glance);
            if (isEntry)
                _summary?.Add(glance);
            if (start == 0)
                Learned();
            if (line.Length == 0)
            {
                Position = _more.Count == 0 ? offset : Position;
                continue;
            }

            if (!isEntry)
            {
                if (_more.Count == 0)
                    _moreEnd = end;
                _more.Add(Encoding.UTF8.GetString(line.Length > LongestMore ? line[..LongestMore] : line));
                _moreBytes += line.Length;
                if (_moreBytes > LongestMore && TakeMore(offset, out var plain))
                    return Found(plain);
                continue;
            }

            _lastTicks = glance.Ticks;
            if (_filter.After is { } after && glance.Ticks < after.UtcTicks)
            {
                Position = 0;
                return false;
            }

            if (Consider(line, glance, offset, end))
                return true;
        }
    }

    public void Dispose() => _stream.Dispose();

    // A line that is being written is none yet.
    private static long WholeLines(FileStream stream, long end, ReadBudget budget)
    {
        const int step = 4 << 10;
        var buffer = new byte[step];
        while (end > 0)
        {
            var from = Math.Max(0, end - step);
            stream.Position = from;
            stream.ReadExactly(buffer, 0, (int)(end - from));
            budget.Spend(end - from);
            if (buffer.AsSpan(0, (int)(end - from)).LastIndexOf((byte)'\n') is >= 0 and var at)
                return from + at + 1;
            end = from;
        }

        return 0;
    }

    private bool Consider(ReadOnlySpan<byte> line, LogGlance glance, long offset, long end)
    {
        var entryEnd = _more.Count > 0 ? _moreEnd : end;
        if (glance.Level < _filter.Level || (_trace != 0 && glance.TraceHash != _trace && _file.Source == LogSource.App))
            return Skip();
        var more = _gap ? ReadMore(end) : Joined();
        if (_filter.Text is { } text && !Mentions(line, text) && more?.Contains(text, StringComparison.OrdinalIgnoreCase) != true)
            return Skip();
        var entry = LogParser.Parse(Id(offset), _file.App, _file.Source, line, more, glance);
        Forget();
        if (!_filter.Wants(entry))
            return Skip();
        Position = offset;
        HeadEnd = entryEnd;
        Head = entry;
        return true;

        bool Skip()
        {
            Forget();
            Position = offset;
            return false;
        }

        void Forget()
        {
            _more.Clear();
            (_moreBytes, _gap) = (0, false);
        }
    }

    // JSON writes some characters in another way than they are searched for; those lines are looked at in full.
    private static bool Mentions(ReadOnlySpan<byte> line, string text)
    {
        if (line.Contains((byte)'\\') || text.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            return true;
        Span<char> characters = line.Length <= 4096 ? stackalloc char[line.Length] : new char[line.Length];
        var length = Encoding.UTF8.GetChars(line, characters);
        return ((ReadOnlySpan<char>)characters[..length]).Contains(text, StringComparison.OrdinalIgnoreCase);
    }

    private bool Found((LogLine Line, long End, long Position) found)
    {
        (Head, HeadEnd, Position) = found;
        return true;
    }

    private bool TakeMore(long offset, out (LogLine Line, long End, long Position) found)
    {
        var text = Joined()!;
        var line = new LogLine(Id(offset), new DateTimeOffset(_lastTicks, TimeSpan.Zero), _file.App, _file.Source, LogLevelName.Info, text, null, null);
        found = (line, _moreEnd, offset);
        _more.Clear();
        _moreBytes = 0;
        Position = offset;
        return _filter.Wants(line) && (_filter.After is not { } after || line.At >= after);
    }

    private string? Joined()
    {
        if (_more.Count == 0)
            return null;
        _more.Reverse();
        return string.Join('\n', _more);
    }

    private string Id(long offset) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{_identity:x16}-{offset}");

    private void Learned()
    {
        if (_summary is { } summary)
            _index.Learn(_identity, _textFrom / Block, summary);
        _summary = null;
    }

    /// <summary>Reads the block above, past those that cannot have what is wanted.</summary>
    private bool ReadBlock()
    {
        while (_textFrom > 0)
        {
            if (_budget.IsSpent)
            {
                OutOfBudget = true;
                // Lines that wait for their entry are read again.
                Position = _more.Count > 0 ? _moreEnd : Math.Max(_textFrom + _carry.Length, 0);
                return false;
            }

            var to = _textFrom;
            var block = (to - 1) / Block;
            var from = block * Block;
            var whole = to == from + Block;
            _textFrom = from;
            if (whole && !_index.CanHave(_identity, block, _filter, _trace))
            {
                _carry = [];
                _more.Clear();
                _moreBytes = 0;
                _gap = true;
                Position = from;
                continue;
            }

            var length = (int)(to - from);
            var tail = _gap && _carry.Length == 0 && whole ? ReadLineRest(to) : _carry;
            _text = new byte[length + tail.Length];
            _stream.Position = from;
            _stream.ReadExactly(_text, 0, length);
            _budget.Spend(length);
            tail.CopyTo(_text, length);
            _textEnd = _text.Length;
            _carry = [];
            _summary = whole ? new LogIndex.Summary() : null;
            return true;
        }

        return false;
    }

    // The end of a line whose beginning is above a block that was left out.
    private byte[] ReadLineRest(long from)
    {
        const int most = 32 << 10;
        var buffer = new byte[Math.Min(most, _stream.Length - from)];
        _stream.Position = from;
        _stream.ReadExactly(buffer);
        _budget.Spend(buffer.Length);
        return buffer[..(buffer.AsSpan().IndexOf((byte)'\n') + 1)];
    }

    private string? ReadMore(long from)
    {
        var buffer = new byte[Math.Min(LongestMore, _stream.Length - from)];
        _stream.Position = from;
        _stream.ReadExactly(buffer);
        _budget.Spend(buffer.Length);
        var more = new List<string>();
        foreach (var range in buffer.AsSpan().Split((byte)'\n'))
        {
            var line = buffer.AsSpan(range);
            if (line.Length == 0 || LogParser.TryGlance(line, out _))
                break;
            more.Add(Encoding.UTF8.GetString(line));
        }

        return more.Count == 0 ? null : string.Join('\n', more);
    }
}
