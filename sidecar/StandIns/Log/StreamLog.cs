using System.Collections.Concurrent;
using DaprPlatform.Sidecar.Introspection;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>The stream server in this process: each stream is a topic of one partition in a <see cref="LogStore"/>.</summary>
internal sealed class StreamLog : IStreamLog, ILogProgress, IAsyncDisposable
{
    public static readonly JournalOptions Retention = new(RetainedBytes: 1L << 30, RetainedTime: TimeSpan.FromDays(7));

    private const byte AcknowledgedKind = LogStore.FirstProgressKind;
    private readonly ConcurrentDictionary<(string Stream, string Group), StreamGroup> _groups = new();
    private readonly LogStore _store;
    private readonly TimeProvider _time;
    private readonly RuntimeChanges? _changes;

    /// <param name="changes">Told of every entry added; null: nobody is.</param>
    public StreamLog(string directory, TimeProvider time, JournalOptions? options = null, RuntimeChanges? changes = null)
    {
        _time = time;
        _changes = changes;
        _store = new LogStore(directory, options ?? Retention, this, time);
    }

    public async ValueTask AddAsync(IReadOnlyList<StreamAdd> entries, CancellationToken cancellationToken)
    {
        var pending = new ValueTask<long>[entries.Count];
        for (var i = 0; i < pending.Length; i++)
        {
            var partition = (await _store.PartitionsAsync(entries[i].Stream, 1).ConfigureAwait(false))[0];
            pending[i] = _store.AppendAsync(partition, key: null, entries[i].Value, entries[i].Headers);
        }

        foreach (var one in pending)
            await one.ConfigureAwait(false);
        foreach (var entry in entries)
        {
            if (entry.Keep is { } keep)
                _store.Find(entry.Stream)![0].Trim(keep);
            _changes?.Tell(RuntimeAreas.Topics, entry.Stream);
        }
    }

    public async ValueTask<IStreamMember> JoinAsync(string stream, string group, CancellationToken cancellationToken)
    {
        var partition = (await _store.PartitionsAsync(stream, 1).ConfigureAwait(false))[0];
        return Group(stream, group).Join(partition);
    }

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    /// <summary>All streams, in no order.</summary>
    internal IEnumerable<string> Streams => _store.Topics;

    /// <summary>What is kept of a stream; null: there is none.</summary>
    internal TopicPartition? Extent(string stream) => _store.Find(stream) is [var only, ..] ? new TopicPartition(0, only.Start, only.End) : null;

    /// <summary>How far the groups of a stream are, by their names.</summary>
    internal IReadOnlyList<TopicGroup> Groups(string stream) => _store.Find(stream) is not [var only, ..] ? [] :
        [.. _groups.Where(g => g.Key.Stream == stream).OrderBy(g => g.Key.Group, StringComparer.Ordinal).Select(g => g.Value.Look(only))];

    /// <summary>Entries from an offset on, without a group; fewer than asked for where they are long.</summary>
    internal IReadOnlyList<LogMessage> Look(string stream, long offset, int count) => _store.Find(stream) is [var only, ..] ? _store.Read(only, offset, count) : [];

    void ILogProgress.Write(JournalWriter writer)
    {
        var groups = _groups.Values.ToArray();
        writer.Number(groups.Length);
        foreach (var group in groups)
        {
            writer.Text(group.Stream);
            writer.Text(group.Name);
            group.Write(writer);
        }
    }

    void ILogProgress.Read(ref JournalReader reader)
    {
        for (var left = reader.Number(); left > 0; left--)
            Group(reader.Text(), reader.Text()).Read(ref reader);
    }

    void ILogProgress.Replay(byte kind, ref JournalReader reader)
    {
        if (kind == AcknowledgedKind)
            Group(reader.Text(), reader.Text()).Done(reader.Number());
    }

    private StreamGroup Group(string stream, string name) => _groups.GetOrAdd((stream, name), key => new StreamGroup(this, key.Stream, key.Group));

    /// <summary>How far a group is, and who has which entry.</summary>
    private sealed class StreamGroup(StreamLog log, string stream, string name)
    {
        private readonly Lock _lock = new();

        // All before _low are done; of those from _low on, the ones in _done are.
        private readonly HashSet<long> _done = [];
        private readonly Dictionary<long, Taken> _taken = [];
        private readonly Queue<long> _returned = new();
        private long _low;
        private long _next;
        private TaskCompletionSource _gaveBack = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Stream => stream;

        public string Name => name;

        public Member Join(LogPartition partition) => new(this, partition);

        public void Write(JournalWriter writer)
        {
            lock (_lock)
            {
                writer.Number(_low);
                writer.Number(_done.Count);
                foreach (var offset in _done)
                    writer.Number(offset);
            }
        }

        public void Read(ref JournalReader reader)
        {
            _low = _next = reader.Number();
            for (var left = reader.Number(); left > 0; left--)
                _done.Add(reader.Number());
        }

        public void Done(long offset)
        {
            lock (_lock)
            {
                if (offset < _low || !_done.Add(offset))
                    return;
                while (_done.Remove(_low))
                    _low++;
                _next = Math.Max(_next, _low);
            }
        }

        /// <summary>What no member has taken yet counts as lag, what a member has and has not acknowledged as pending.</summary>
        public TopicGroup Look(LogPartition partition)
        {
            lock (_lock)
            {
                // A trim may have gone past the group, which takes note of it with its next take.
                var next = Math.Max(_next, partition.Start);
                var lag = partition.End - next + _returned.Count(o => o >= partition.Start) - _done.Count(o => o >= next);
                return new TopicGroup(name, Math.Max(0, lag), [new GroupOffset(0, next)], _taken.Count);
            }
        }

        private bool Acknowledge(long offset)
        {
            lock (_lock)
            {
                if (offset < _low || _done.Contains(offset))
                    return false;
                _taken.Remove(offset);
                Done(offset);
                return true;
            }
        }

        private List<LogMessage> Take(Member member, LogPartition partition, int count)
        {
            var taken = new List<LogMessage>();
            lock (_lock)
            {
                while (taken.Count < count && _returned.TryDequeue(out var offset))
                {
                    if (offset >= _low && !_done.Contains(offset) && log._store.Read(partition, offset, 1) is [var entry] && entry.Offset == offset)
                        Add(entry);
                }

                Skip(partition.Start);
                while (taken.Count < count && _next < partition.End)
                {
                    var entries = log._store.Read(partition, _next, count - taken.Count);
                    if (entries.Count == 0)
                        break;
                    foreach (var entry in entries)
                    {
                        _next = entry.Offset + 1;
                        if (!_done.Contains(entry.Offset) && entry.Offset >= _low)
                            Add(entry);
                    }
                }
            }

            return taken;

            void Add(LogMessage entry)
            {
                _taken[entry.Offset] = new Taken(member, log._time.GetTimestamp());
                taken.Add(entry);
            }
        }

        private List<LogMessage> Reclaim(Member member, LogPartition partition, TimeSpan idle, int count)
        {
            var reclaimed = new List<LogMessage>();
            lock (_lock)
            {
                foreach (var (offset, taken) in _taken.OrderBy(t => t.Key))
                {
                    if (reclaimed.Count == count)
                        break;
                    if (log._time.GetElapsedTime(taken.Since) < idle)
                        continue;
                    if (log._store.Read(partition, offset, 1) is [var entry] && entry.Offset == offset)
                        reclaimed.Add(entry);
                    else
                        Done(offset);
                }

                foreach (var entry in reclaimed)
                    _taken[entry.Offset] = new Taken(member, log._time.GetTimestamp());
            }

            return reclaimed;
        }

        // Entries that retention or a cut took away are done.
        private void Skip(long start)
        {
            if (_low >= start)
                return;
            _low = start;
            _next = Math.Max(_next, start);
            _done.RemoveWhere(o => o < start);
            while (_done.Remove(_low))
                _low++;
        }

        private void GiveBack(Member member)
        {
            TaskCompletionSource gaveBack;
            lock (_lock)
            {
                foreach (var offset in _taken.Where(t => t.Value.Member == member).Select(t => t.Key).Order().ToArray())
                {
                    _taken.Remove(offset);
                    _returned.Enqueue(offset);
                }

                gaveBack = _gaveBack;
                _gaveBack = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            gaveBack.TrySetResult();
        }

        private Task WhenAny(LogPartition partition)
        {
            lock (_lock)
                return _returned.Count > 0 ? Task.CompletedTask : Task.WhenAny(partition.WhenAvailable(_next), _gaveBack.Task);
        }

        private readonly record struct Taken(Member Member, long Since);

        public sealed class Member(StreamGroup group, LogPartition partition) : IStreamMember
        {
            public async ValueTask<IReadOnlyList<LogMessage>> TakeAsync(int count, CancellationToken cancellationToken)
            {
                while (true)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    if (group.Take(this, partition, count) is { Count: > 0 } taken)
                        return taken;
                    await group.WhenAny(partition).WaitAsync(cancellationToken).ConfigureAwait(false);
                }
            }

            public ValueTask<IReadOnlyList<LogMessage>> ReclaimAsync(TimeSpan idle, int count, CancellationToken cancellationToken) =>
                ValueTask.FromResult<IReadOnlyList<LogMessage>>(group.Reclaim(this, partition, idle, count));

            public void Acknowledge(long offset)
            {
                if (group.Acknowledge(offset))
                    group.Record(offset);
            }

            public ValueTask DisposeAsync()
            {
                group.GiveBack(this);
                return ValueTask.CompletedTask;
            }
        }

        private void Record(long offset) => log._store.Record(new AcknowledgedEntry(stream, name, offset));
    }

    private sealed class AcknowledgedEntry(string stream, string group, long offset) : JournalEntry
    {
        public override bool Write(JournalWriter writer)
        {
            writer.Begin(AcknowledgedKind);
            writer.Text(stream);
            writer.Text(group);
            writer.Number(offset);
            return true;
        }

        public override void Written(JournalPosition position)
        {
        }

        public override void Failed(Exception error)
        {
            // What could not be noted is delivered again.
        }
    }
}
