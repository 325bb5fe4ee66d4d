using System.Buffers;
using System.Collections.Concurrent;
using DaprPlatform.Sidecar.Introspection;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>The log server in this process: a <see cref="LogStore"/> and the consumer groups that read it.</summary>
internal sealed class MessageLog : IMessageLog, ILogProgress, IAsyncDisposable
{
    /// <summary>Partitions of a topic that is made by its first use, as in most Kafka set-ups with more than one broker.</summary>
    public const int DefaultPartitions = 3;

    public static readonly JournalOptions Retention = new(RetainedBytes: 1L << 30, RetainedTime: TimeSpan.FromDays(7));

    private const byte CommitKind = LogStore.FirstProgressKind;
    private const byte BeginKind = LogStore.FirstProgressKind + 1;
    private static readonly TimeSpan CommitInterval = TimeSpan.FromSeconds(1);
    private static readonly SearchValues<char> TopicCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    private readonly ConcurrentDictionary<(string Group, string Topic), ConsumerGroup> _groups = new();
    private readonly ConcurrentDictionary<(string Group, string Topic, int Partition), long> _committed = new();
    private readonly ConcurrentDictionary<(string Group, string Topic, int Partition), long> _begun = new();
    private readonly ConcurrentDictionary<ConsumerGroup, bool> _dirty = new();
    private readonly LogStore _store;
    private readonly RuntimeChanges? _changes;
    private readonly ITimer _commits;
    private int _next;
    private int _timing;

    /// <param name="changes">Told of every append; null: nobody is.</param>
    public MessageLog(string directory, TimeProvider time, JournalOptions? options = null, RuntimeChanges? changes = null)
    {
        _changes = changes;
        _commits = time.CreateTimer(static log => ((MessageLog)log!).CommitMarks(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _store = new LogStore(directory, options ?? Retention, this, time);
    }

    public async ValueTask<int> PartitionsAsync(string topic, CancellationToken cancellationToken) => (await TopicAsync(topic).ConfigureAwait(false)).Length;

    public async ValueTask<IReadOnlyList<string?>> AppendAsync(IReadOnlyList<LogAppend> messages, CancellationToken cancellationToken)
    {
        var errors = new string?[messages.Count];
        var pending = new ValueTask<long>[messages.Count];
        for (var i = 0; i < messages.Count; i++)
        {
            try
            {
                var message = messages[i];
                var partitions = await TopicAsync(message.Topic).ConfigureAwait(false);
                pending[i] = _store.AppendAsync(partitions[Choose(message, partitions.Length)], message.Key, message.Value, message.Headers);
            }
            catch (LogException e)
            {
                errors[i] = e.Message;
            }
        }

        for (var i = 0; i < pending.Length; i++)
        {
            if (errors[i] is not null)
                continue;
            await pending[i].ConfigureAwait(false);
            _changes?.Tell(RuntimeAreas.Topics, messages[i].Topic);
        }

        return errors;
    }

    public async ValueTask<IAsyncDisposable> JoinAsync(LogMembership membership, LogConsumer consumer, CancellationToken cancellationToken)
    {
        var partitions = await TopicAsync(membership.Topic).ConfigureAwait(false);
        var group = _groups.GetOrAdd((membership.Group, membership.Topic), key => new ConsumerGroup(this, key.Group, key.Topic, partitions));
        return group.Join(membership.FromOldest, consumer);
    }

    public async ValueTask DisposeAsync()
    {
        await _commits.DisposeAsync().ConfigureAwait(false);
        CommitMarks();
        await _store.DisposeAsync().ConfigureAwait(false);
    }

    void ILogProgress.Write(JournalWriter writer)
    {
        Write(_committed.ToArray());
        Write(_begun.ToArray());

        void Write(KeyValuePair<(string Group, string Topic, int Partition), long>[] offsets)
        {
            writer.Number(offsets.Length);
            foreach (var ((group, topic, partition), offset) in offsets)
                WriteOffset(writer, group, topic, partition, offset);
        }
    }

    void ILogProgress.Read(ref JournalReader reader)
    {
        for (var left = reader.Number(); left > 0; left--)
            ReadOffset(ref reader, _committed);
        for (var left = reader.Number(); left > 0; left--)
            ReadOffset(ref reader, _begun);
    }

    void ILogProgress.Replay(byte kind, ref JournalReader reader)
    {
        if (kind is CommitKind or BeginKind)
            ReadOffset(ref reader, kind == CommitKind ? _committed : _begun);
    }

    /// <summary>All topics, in no order.</summary>
    internal IEnumerable<string> Topics => _store.Topics;

    /// <summary>What is kept of a topic, the newest of each partition at most so many; no group knows of it.</summary>
    internal IEnumerable<(int Partition, LogMessage Message)> Browse(string topic, int newest)
    {
        foreach (var partition in _store.Find(topic) ?? [])
        {
            var offset = Math.Max(partition.Start, partition.End - newest);
            while (_store.Read(partition, offset, newest) is { Count: > 0 } messages)
            {
                foreach (var message in messages)
                    yield return (partition.Index, message);
                offset = messages[^1].Offset + 1;
            }
        }
    }

    /// <summary>What each partition of a topic keeps; empty when there is no such topic.</summary>
    internal IReadOnlyList<TopicPartition> Extents(string topic) => [.. (_store.Find(topic) ?? []).Select(p => new TopicPartition(p.Index, p.Start, p.End))];

    /// <summary>Where groups are: their committed offset, else where they began.</summary>
    internal IEnumerable<(string Group, string Topic, int Partition, long Offset)> Positions() =>
        _committed.Concat(_begun.Where(b => b.Value >= 0 && !_committed.ContainsKey(b.Key))).Select(p => (p.Key.Group, p.Key.Topic, p.Key.Partition, p.Value));

    /// <summary>Messages from an offset on without a group; fewer than asked for where they are long.</summary>
    internal IReadOnlyList<LogMessage> Look(string topic, int partition, long offset, int count) =>
        _store.Find(topic)?.FirstOrDefault(p => p.Index == partition) is { } found ? _store.Read(found, offset, count) : [];

    internal IReadOnlyList<LogMessage> Read(LogPartition partition, long offset, int count) => _store.Read(partition, offset, count);

    /// <summary>Null: the group has committed nothing there.</summary>
    internal long? Committed(string group, string topic, int partition) => _committed.TryGetValue((group, topic, partition), out var offset) ? offset : null;

    internal void Commit(string group, string topic, int partition, long offset)
    {
        _committed[(group, topic, partition)] = offset;
        _store.Record(new OffsetEntry(CommitKind, group, topic, partition, offset));
    }

    /// <summary>Where a group with members began in a partition in which it has committed nothing; null: not decided yet.</summary>
    internal long? Begun(string group, string topic, int partition) => _begun.TryGetValue((group, topic, partition), out var offset) && offset >= 0 ? offset : null;

    /// <summary>
    /// Notes where a group begins, so that neither a change of members nor a restart of this server moves it; null: it has no members any more, and where it
    /// begins is decided anew the next time.
    /// </summary>
    internal void Begin(string group, string topic, int partition, long? offset)
    {
        _begun[(group, topic, partition)] = offset ?? -1;
        _store.Record(new OffsetEntry(BeginKind, group, topic, partition, offset ?? -1));
    }

    /// <summary>The group has marks; they are committed within the interval.</summary>
    internal void Marked(ConsumerGroup group)
    {
        _dirty.TryAdd(group, true);
        if (Interlocked.Exchange(ref _timing, 1) == 0)
            _commits.Change(CommitInterval, Timeout.InfiniteTimeSpan);
    }

    private void CommitMarks()
    {
        Volatile.Write(ref _timing, 0);
        foreach (var group in _dirty.Keys)
        {
            _dirty.TryRemove(group, out _);
            group.CommitMarks();
        }
    }

    private ValueTask<LogPartition[]> TopicAsync(string topic)
    {
        if (topic.Length is 0 or > 249 || topic is "." or ".." || topic.AsSpan().ContainsAnyExcept(TopicCharacters))
            throw new LogException("kafka server: The request attempted to perform an operation on an invalid topic");
        return _store.PartitionsAsync(topic, DefaultPartitions);
    }

    private int Choose(LogAppend message, int partitions)
    {
        if (message.Partition is { } asked)
            return asked >= 0 && asked < partitions ? asked : throw new LogException($"partition number {asked} is out of range, topic has {partitions} partitions");
        return message.Key is { } key ? LogStore.PartitionOf(key, partitions) : (int)((uint)Interlocked.Increment(ref _next) % (uint)partitions);
    }

    private static void ReadOffset(ref JournalReader reader, ConcurrentDictionary<(string Group, string Topic, int Partition), long> into)
    {
        var key = (reader.Text(), reader.Text(), (int)reader.Number());
        into[key] = reader.Number();
    }

    private static void WriteOffset(JournalWriter writer, string group, string topic, int partition, long offset)
    {
        writer.Text(group);
        writer.Text(topic);
        writer.Number(partition);
        writer.Number(offset);
    }

    private sealed class OffsetEntry(byte kind, string group, string topic, int partition, long offset) : JournalEntry
    {
        public override bool Write(JournalWriter writer)
        {
            writer.Begin(kind);
            WriteOffset(writer, group, topic, partition, offset);
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
