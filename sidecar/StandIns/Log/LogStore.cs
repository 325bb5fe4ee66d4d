using System.Collections.Concurrent;
using System.Text;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>What consumers of a <see cref="LogStore"/> have read, kept in the same journal.</summary>
internal interface ILogProgress
{
    /// <summary>Writes everything into a snapshot.</summary>
    void Write(JournalWriter writer);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    void Read(ref JournalReader reader);

    /// <summary>A record of one of the progress's own kinds (from <see cref="LogStore.FirstProgressKind"/> on).</summary>
    void Replay(byte kind, ref JournalReader reader);
}

/// <summary>
/// Topics with partitions of messages in one journal. An append completes after its fsync and is visible to readers only then. The newest messages are also
/// in memory, up to a limit for all partitions together.
/// </summary>
internal sealed class LogStore : IJournalOwner, IAsyncDisposable
{
    public const byte FirstProgressKind = 16;
    private const byte TopicKind = 1;
    private const byte MessageKind = 2;
    // Readers are at the end nearly always; for who is behind there is the file, which the system keeps in memory as long as there is room.
    private const long CachedBytes = 16 << 20;

    private readonly ConcurrentDictionary<string, Topic> _topics = new(StringComparer.Ordinal);
    private readonly List<Topic> _byId = [];
    private readonly Queue<(LogPartition Partition, long Offset, int Size)> _cached = new();
    private readonly Lock _creating = new();
    private readonly ILogProgress _progress;
    private readonly TimeProvider _time;
    private readonly Func<JournalPosition, long, LogMessage?> _load;
    private readonly Journal _journal;
    private long _cachedBytes;
    private int _nextId;

    public LogStore(string directory, JournalOptions options, ILogProgress progress, TimeProvider time)
    {
        _progress = progress;
        _time = time;
        _load = Load;
        _journal = Journal.Open(directory, options, this, time);
    }

    /// <summary>All topics, in no order.</summary>
    public IEnumerable<string> Topics => _topics.Keys;

    /// <summary>The partitions of a topic, which is made when there is none; completes when it is durable.</summary>
    public ValueTask<LogPartition[]> PartitionsAsync(string name, int partitions)
    {
        if (_topics.TryGetValue(name, out var topic) && topic.Created.IsCompletedSuccessfully)
            return ValueTask.FromResult(topic.Partitions);
        lock (_creating)
        {
            topic = _topics.GetOrAdd(name, n => new Topic(_nextId++, n, partitions, starts: null));
            if (!topic.IsQueued)
            {
                topic.IsQueued = true;
                _journal.Append(new TopicEntry(this, topic));
            }
        }

        return new ValueTask<LogPartition[]>(Wait(topic));

        static async Task<LogPartition[]> Wait(Topic topic)
        {
            await topic.Created.ConfigureAwait(false);
            return topic.Partitions;
        }
    }

    /// <summary>The partitions of a topic; null when there is no such topic.</summary>
    public LogPartition[]? Find(string name) => _topics.GetValueOrDefault(name)?.Partitions;

    /// <summary>Appends to a partition of a topic that <see cref="PartitionsAsync"/> has answered for. Completes with the offset when it is durable.</summary>
    public ValueTask<long> AppendAsync(LogPartition partition, string? key, ReadOnlyMemory<byte>? value, IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        var entry = new MessageEntry(this, _topics[partition.Topic], partition, key, value, headers, _time.GetUtcNow().ToUnixTimeMilliseconds());
        _journal.Append(entry);
        return entry.Task;
    }

    /// <inheritdoc cref="LogPartition.Read"/>
    public IReadOnlyList<LogMessage> Read(LogPartition partition, long offset, int count, int bytes = 1 << 20) => partition.Read(offset, count, bytes, _load);

    /// <summary>Queues a record of the progress; nobody waits for it: what a crash takes is delivered again.</summary>
    public void Record(JournalEntry entry) => _journal.Append(entry);

    /// <summary>The partition of a key: always the same one.</summary>
    public static int PartitionOf(string key, int partitions)
    {
        // FNV-1a, as most clients of brokers do.
        var hash = 2166136261u;
        foreach (var b in Encoding.UTF8.GetBytes(key))
            hash = (hash ^ b) * 16777619;
        return (int)(hash % (uint)partitions);
    }

    public ValueTask DisposeAsync() => _journal.DisposeAsync();

    void IJournalOwner.Replay(byte kind, ReadOnlySpan<byte> payload, JournalPosition position)
    {
        var reader = new JournalReader(payload);
        switch (kind)
        {
            case Journal.SnapshotKind:
                for (var left = reader.Number(); left > 0; left--)
                    ReadTopic(ref reader);
                _progress.Read(ref reader);
                break;
            case TopicKind:
                ReadTopic(ref reader);
                break;
            case MessageKind:
                var topic = _byId[(int)reader.Number()];
                topic.Partitions[(int)reader.Number()].Append(position, message: null);
                break;
            default:
                _progress.Replay(kind, ref reader);
                break;
        }
    }

    void IJournalOwner.WriteSnapshot(JournalWriter writer)
    {
        writer.Number(_byId.Count);
        foreach (var topic in _byId)
            WriteTopic(writer, topic);
        _progress.Write(writer);
    }

    void IJournalOwner.Dropped(int firstSegment)
    {
        foreach (var topic in _byId)
        {
            foreach (var partition in topic.Partitions)
                partition.DropBefore(firstSegment);
        }
    }

    private static void WriteTopic(JournalWriter writer, Topic topic)
    {
        writer.Number(topic.Id);
        writer.Text(topic.Name);
        writer.Number(topic.Partitions.Length);
        foreach (var partition in topic.Partitions)
            writer.Number(partition.End);
    }

    private void ReadTopic(ref JournalReader reader)
    {
        var id = (int)reader.Number();
        var name = reader.Text();
        var starts = new long[reader.Number()];
        for (var i = 0; i < starts.Length; i++)
            starts[i] = reader.Number();
        var topic = new Topic(id, name, starts.Length, starts) { IsQueued = true };
        topic.Complete();
        _topics[name] = topic;
        while (_byId.Count <= id)
            _byId.Add(topic);
        _byId[id] = topic;
        _nextId = Math.Max(_nextId, id + 1);
    }

    private LogMessage? Load(JournalPosition position, long offset)
    {
        if (_journal.Read(position) is not { } payload)
            return null;
        var reader = new JournalReader(payload.AsSpan(1));
        reader.Number();
        reader.Number();
        var timestamp = reader.Number();
        var key = reader.OptionalText();
        var headers = new KeyValuePair<string, string>[reader.Number()];
        for (var i = 0; i < headers.Length; i++)
            headers[i] = KeyValuePair.Create(reader.Text(), reader.Text());
        return new LogMessage(offset, timestamp, key, reader.OptionalBytes() is { } value ? value : default(ReadOnlyMemory<byte>?), headers);
    }

    private void Keep(LogPartition partition, LogMessage message)
    {
        _cached.Enqueue((partition, message.Offset, message.Size));
        _cachedBytes += message.Size;
        while (_cachedBytes > CachedBytes)
        {
            var (oldest, offset, size) = _cached.Dequeue();
            _cachedBytes -= size;
            oldest.Evict(offset);
        }
    }

    private sealed class Topic
    {
        private readonly TaskCompletionSource _created = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Topic(int id, string name, int partitions, long[]? starts)
        {
            Id = id;
            Name = name;
            Partitions = [.. Enumerable.Range(0, partitions).Select(i => new LogPartition(name, i, starts?[i] ?? 0))];
        }

        public int Id { get; }

        public string Name { get; }

        public LogPartition[] Partitions { get; }

        public bool IsQueued { get; set; }

        public Task Created => _created.Task;

        public void Complete() => _created.TrySetResult();

        public void Fail(Exception error) => _created.TrySetException(error);
    }

    private sealed class TopicEntry(LogStore store, Topic topic) : JournalEntry
    {
        public override bool Write(JournalWriter writer)
        {
            writer.Begin(TopicKind);
            WriteTopic(writer, topic);
            return true;
        }

        public override void Written(JournalPosition position)
        {
            // Ids are given in the order of queueing, so this is the next one.
            store._byId.Add(topic);
            topic.Complete();
        }

        public override void Failed(Exception error) => topic.Fail(error);
    }

    private sealed class MessageEntry(LogStore store, Topic topic, LogPartition partition, string? key, ReadOnlyMemory<byte>? value,
        IReadOnlyList<KeyValuePair<string, string>> headers, long timestamp) : JournalEntry
    {
        private readonly TaskCompletionSource<long> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ValueTask<long> Task => new(_done.Task);

        public override bool Write(JournalWriter writer)
        {
            writer.Begin(MessageKind);
            writer.Number(topic.Id);
            writer.Number(partition.Index);
            writer.Number(timestamp);
            writer.OptionalText(key);
            writer.Number(headers.Count);
            foreach (var (name, text) in headers)
            {
                writer.Text(name);
                writer.Text(text);
            }

            writer.OptionalBytes(value);
            return true;
        }

        public override void Written(JournalPosition position)
        {
            var message = new LogMessage(partition.End, timestamp, key, value, headers);
            store.Keep(partition, message);
            partition.Append(position, message);
            _done.TrySetResult(message.Offset);
        }

        public override void Failed(Exception error) => _done.TrySetException(error);
    }
}
