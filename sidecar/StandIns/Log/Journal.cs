using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Storage;
using Microsoft.Win32.SafeHandles;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>Where a record lies.</summary>
internal readonly record struct JournalPosition(int Segment, int Offset, int Length);

/// <summary>What keeps its state in a journal.</summary>
internal interface IJournalOwner
{
    /// <summary>One record from before the start, in the order of writing; <paramref name="payload"/> begins behind the kind.</summary>
    void Replay(byte kind, ReadOnlySpan<byte> payload, JournalPosition position);

    /// <summary>Writes one record of <see cref="Journal.SnapshotKind"/> with all state that is not the content of a later record: every segment begins with it,
    /// so that older segments can be deleted.</summary>
    void WriteSnapshot(JournalWriter writer);

    /// <summary>Segments before this one are deleted.</summary>
    void Dropped(int firstSegment);
}

/// <summary>One thing to be written. Both methods run on the journal's writer thread, one entry after the other.</summary>
internal abstract class JournalEntry
{
    /// <summary>Writes one record (<see cref="JournalWriter.Begin"/> … <see cref="JournalWriter.End"/>). False: nothing is to be written, and the entry is over.</summary>
    public abstract bool Write(JournalWriter writer);

    /// <summary>The record is on the disk.</summary>
    public abstract void Written(JournalPosition position);

    /// <summary>The record is not on the disk; the journal takes nothing more.</summary>
    public abstract void Failed(Exception error);
}

/// <summary>Sizes of a journal.</summary>
/// <param name="SegmentBytes">A segment is ended when it is larger.</param>
/// <param name="RetainedBytes">Whole segments are deleted, oldest first, while all are larger than this.</param>
/// <param name="RetainedTime">Whole segments are deleted when their last write is older than this.</param>
internal sealed record JournalOptions(int SegmentBytes = 64 << 20, long RetainedBytes = 1L << 30, TimeSpan? RetainedTime = null);

/// <summary>
/// An append-only journal in segment files, with group commit: one writer thread writes everything that waits with one write and one fsync.
/// Why not the engine's SQLite: messages are only ever appended, read in order and deleted in bulk by age. An append to a file needs a tenth of the CPU
/// of an insert (no B-tree, no WAL checkpoint that writes every page again), deleting a week is deleting a file, and the guarantee is the same: what was
/// acknowledged was fsynced before. A record that was cut by a crash fails its checksum and is cut off at the next start; it was never acknowledged.
/// </summary>
internal sealed class Journal : IAsyncDisposable
{
    public const byte SnapshotKind = 0;
    private const int LargestGroup = 4096;
    private const int LargestGroupBytes = 8 << 20;

    private readonly string _directory;
    private readonly JournalOptions _options;
    private readonly IJournalOwner _owner;
    private readonly TimeProvider _time;
    private readonly Channel<JournalEntry> _queue = Channel.CreateUnbounded<JournalEntry>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _segmentsLock = new();
    private readonly SortedDictionary<int, Segment> _segments = [];
    private readonly JournalWriter _writer = new();
    private Segment _current;

    private Journal(string directory, JournalOptions options, IJournalOwner owner, TimeProvider time)
    {
        _directory = directory;
        _options = options;
        _owner = owner;
        _time = time;
        Directory.CreateDirectory(directory);
        foreach (var file in Directory.EnumerateFiles(directory, "*.log").Order(StringComparer.Ordinal))
        {
            if (int.TryParse(Path.GetFileNameWithoutExtension(file), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                _segments[number] = new Segment(number, file);
        }

        foreach (var segment in _segments.Values)
            Recover(segment, isLast: segment.Number == _segments.Keys.Last());
        _current = _segments.Count > 0 ? _segments.Values.Last() : Roll(1);
        DeleteOld();
        var thread = new Thread(WriteLoop) { IsBackground = true, Name = "journal writer" };
        thread.Start();
    }

    /// <summary>Opens or creates a journal and replays it to its owner.</summary>
    /// <exception cref="StoreException">A file cannot be read or written, or is damaged where no crash can have damaged it.</exception>
    public static Journal Open(string directory, JournalOptions options, IJournalOwner owner, TimeProvider time)
    {
        try
        {
            return new Journal(directory, options, owner, time);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"cannot open the journal in {directory}: {e.Message}", e);
        }
    }

    /// <summary>Queues an entry. It is told of its end by <see cref="JournalEntry.Written"/> or <see cref="JournalEntry.Failed"/>.</summary>
    public void Append(JournalEntry entry)
    {
        if (!_queue.Writer.TryWrite(entry))
            entry.Failed(new ObjectDisposedException(nameof(Journal)));
    }

    /// <summary>Reads the payload of a record, kind first; null when its segment has been deleted.</summary>
    public byte[]? Read(JournalPosition position)
    {
        SafeFileHandle handle;
        lock (_segmentsLock)
        {
            if (!_segments.TryGetValue(position.Segment, out var segment))
                return null;
            handle = segment.Handle();
        }

        var payload = new byte[position.Length - JournalWriter.FrameBytes];
        try
        {
            return RandomAccess.Read(handle, payload, position.Offset + JournalWriter.FrameBytes) == payload.Length ? payload : null;
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stopped.Task.ConfigureAwait(false);
        foreach (var segment in _segments.Values)
            segment.Dispose();
    }

    private void WriteLoop()
    {
        var group = new List<(JournalEntry Entry, int Start, int Length)>();
        Exception? broken = null;
        while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            group.Clear();
            _writer.Clear();
            while (group.Count < LargestGroup && _writer.Length < LargestGroupBytes && _queue.Reader.TryRead(out var entry))
            {
                if (broken is not null)
                {
                    entry.Failed(broken);
                }
                else if (entry.Write(_writer))
                {
                    var (start, length) = _writer.End();
                    group.Add((entry, start, length));
                }
            }

            if (group.Count == 0)
                continue;
            try
            {
                Commit(group);
            }
            catch (Exception e)
            {
                // After a failed write the file's end is unknown: nothing more may be acknowledged on it.
                broken = new StoreException($"cannot write to the journal in {_directory}: {e.Message}", e);
                foreach (var (entry, _, _) in group)
                    entry.Failed(broken);
            }
        }

        _stopped.TrySetResult();
    }

    private void Commit(List<(JournalEntry Entry, int Start, int Length)> group)
    {
        var at = _current.Length;
        RandomAccess.Write(_current.Handle(), _writer.Written.Span, at);
        RandomAccess.FlushToDisk(_current.Handle());
        _current.Length += _writer.Length;
        foreach (var (entry, start, length) in group)
            entry.Written(new JournalPosition(_current.Number, at + start, length));
        if (_current.Length >= _options.SegmentBytes)
        {
            _current = Roll(_current.Number + 1);
            DeleteOld();
        }
    }

    private Segment Roll(int number)
    {
        var segment = new Segment(number, Path.Combine(_directory, number.ToString("D10", CultureInfo.InvariantCulture) + ".log"));
        _writer.Clear();
        _writer.Begin(SnapshotKind);
        _owner.WriteSnapshot(_writer);
        _writer.End();
        RandomAccess.Write(segment.Handle(), _writer.Written.Span, 0);
        RandomAccess.FlushToDisk(segment.Handle());
        segment.Length = _writer.Length;
        lock (_segmentsLock)
            _segments[number] = segment;
        return segment;
    }

    private void DeleteOld()
    {
        var now = _time.GetUtcNow();
        var total = _segments.Values.Sum(s => (long)s.Length);
        var deleted = false;
        while (_segments.Count > 1)
        {
            var oldest = _segments.Values.First();
            var tooOld = _options.RetainedTime is { } limit && now - File.GetLastWriteTimeUtc(oldest.File) > limit;
            if (!tooOld && total <= _options.RetainedBytes)
                break;
            total -= oldest.Length;
            lock (_segmentsLock)
                _segments.Remove(oldest.Number);
            oldest.Dispose();
            File.Delete(oldest.File);
            deleted = true;
        }

        if (deleted)
            _owner.Dropped(_segments.Keys.First());
    }

    private void Recover(Segment segment, bool isLast)
    {
        var handle = segment.Handle();
        var size = RandomAccess.GetLength(handle);
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        try
        {
            long at = 0;
            var isFirstSegment = segment.Number == _segments.Keys.First();
            while (at < size)
            {
                if (!TryReadRecord(handle, at, size, ref buffer, out var payload))
                {
                    if (!isLast)
                        throw new StoreException($"the journal {segment.File} is damaged at byte {at}", new InvalidDataException("checksum"));
                    RandomAccess.SetLength(handle, at);
                    break;
                }

                // The snapshots of later segments say again what the records before them said.
                var kind = buffer[JournalWriter.FrameBytes];
                if (kind != SnapshotKind || (at == 0 && isFirstSegment))
                    _owner.Replay(kind, buffer.AsSpan(JournalWriter.FrameBytes + 1, payload - 1), new JournalPosition(segment.Number, (int)at, payload + JournalWriter.FrameBytes));
                at += payload + JournalWriter.FrameBytes;
            }

            segment.Length = (int)at;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (segment.Length == 0)
        {
            // Killed between making the file and writing its snapshot: write it now.
            _writer.Clear();
            _writer.Begin(SnapshotKind);
            _owner.WriteSnapshot(_writer);
            _writer.End();
            RandomAccess.Write(handle, _writer.Written.Span, 0);
            RandomAccess.FlushToDisk(handle);
            segment.Length = _writer.Length;
        }
    }

    private static bool TryReadRecord(SafeFileHandle handle, long at, long size, ref byte[] buffer, out int payload)
    {
        payload = 0;
        if (size - at < JournalWriter.FrameBytes + 1)
            return false;
        Span<byte> frame = stackalloc byte[JournalWriter.FrameBytes];
        if (RandomAccess.Read(handle, frame, at) != frame.Length)
            return false;
        payload = BinaryPrimitives.ReadInt32LittleEndian(frame);
        if (payload < 1 || payload > size - at - JournalWriter.FrameBytes)
            return false;
        if (buffer.Length < payload + JournalWriter.FrameBytes)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = ArrayPool<byte>.Shared.Rent(payload + JournalWriter.FrameBytes);
        }

        var content = buffer.AsSpan(JournalWriter.FrameBytes, payload);
        return RandomAccess.Read(handle, content, at + JournalWriter.FrameBytes) == payload
            && JournalWriter.Checksum(content) == BinaryPrimitives.ReadUInt32LittleEndian(frame[4..]);
    }

    private sealed class Segment(int number, string file) : IDisposable
    {
        private SafeFileHandle? _handle;

        public int Number => number;

        public string File => file;

        public int Length { get; set; }

        public SafeFileHandle Handle() => _handle ??= System.IO.File.OpenHandle(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);

        public void Dispose() => _handle?.Dispose();
    }
}
