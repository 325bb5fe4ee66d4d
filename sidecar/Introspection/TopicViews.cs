using System.Globalization;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.PubSub.Kafka;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.StandIns.Log;

namespace DaprPlatform.Sidecar.Introspection;

/// <param name="First">Offset of the oldest message that is kept.</param>
/// <param name="Next">Offset that the next message will have.</param>
public sealed record TopicPartition(int Partition, long First, long Next);

/// <param name="Offset">Of the next message that the group will read.</param>
public sealed record GroupOffset(int Partition, long Offset);

/// <param name="Lag">Messages not read yet. What was read is noted within a second, so it may be that much behind.</param>
public sealed record TopicGroup(string Group, long Lag, IReadOnlyList<GroupOffset> Offsets);

/// <param name="Pubsub">The components that are on its server.</param>
/// <param name="Server">Address of the server, as components write it.</param>
/// <param name="Messages">Kept messages.</param>
public sealed record TopicView(IReadOnlyList<string> Pubsub, string Server, string Topic, long Messages, IReadOnlyList<TopicPartition> Partitions, IReadOnlyList<TopicGroup> Groups);

/// <param name="Value">Text, or <c>{"base64"}</c>; null is a tombstone.</param>
public sealed record TopicEntry(int Partition, long Offset, string? Key, DateTimeOffset At, IReadOnlyDictionary<string, string> Headers, JsonNode? Value);

/// <summary>Topics of servers that this process stands in for (<c>pubsub.kafka</c>).</summary>
public sealed class TopicViews
{
    private readonly RuntimeView _view;

    internal TopicViews(RuntimeView view) => _view = view;

    /// <summary>In the order of their names.</summary>
    public IReadOnlyList<TopicView> List()
    {
        var names = _view.Runtimes.SelectMany(r => r.Components.Loaded.Where(c => c.Type == "pubsub.kafka").Select(c => (c.Name, Server: new KafkaSettings(r.Components.SpecOf(c.Name)!).Address)))
            .Distinct().ToLookup(c => c.Server, c => c.Name, StringComparer.Ordinal);
        var topics = new List<TopicView>();
        foreach (var (server, log) in Logs())
        {
            var groups = log.Positions().ToLookup(p => p.Topic, StringComparer.Ordinal);
            foreach (var topic in log.Topics)
                topics.Add(Topic(server, [.. names[server].Order(StringComparer.Ordinal)], topic, log.Extents(topic), groups[topic]));
        }

        return [.. topics.OrderBy(t => t.Topic, StringComparer.Ordinal).ThenBy(t => t.Server, StringComparer.Ordinal)];
    }

    /// <summary>
    /// From an offset of one partition on, in order; without an offset the newest of one partition or of all of them, the newest last.
    /// </summary>
    /// <param name="limit">At most so many messages; fewer where they are long.</param>
    /// <exception cref="IntrospectionException">There is no such server, topic or partition; an offset without a partition.</exception>
    public Page<TopicEntry> Messages(string server, string topic, int? partition, long? from, int limit)
    {
        var log = Logs().Where(l => l.Server == server).Select(l => l.Log).FirstOrDefault() ?? throw new IntrospectionException(IntrospectionRefusal.NotFound, $"There is no log server {server}.");
        if (from is not null && partition is null)
            throw new IntrospectionException(IntrospectionRefusal.Invalid, "from needs a partition: each partition has offsets of its own.");
        var extents = log.Extents(topic);
        if (extents.Count == 0)
            throw new IntrospectionException(IntrospectionRefusal.NotFound, $"There is no topic {topic}.");
        if (partition is { } wanted && !extents.Any(e => e.Partition == wanted))
            throw new IntrospectionException(IntrospectionRefusal.NotFound, $"{topic} has no partition {wanted}.");
        if (from is { } offset)
        {
            var read = log.Look(topic, partition!.Value, offset, limit);
            var next = read.Count > 0 && read[^1].Offset + 1 < extents.First(e => e.Partition == partition).Next ? (read[^1].Offset + 1).ToString(CultureInfo.InvariantCulture) : null;
            return new Page<TopicEntry>([.. read.Select(m => Entry(partition.Value, m))], next);
        }

        var entries = extents.Where(e => partition is null || e.Partition == partition)
            .SelectMany(e => Newest(log, topic, e, limit).Select(m => Entry(e.Partition, m)))
            .OrderBy(e => e.At).ThenBy(e => e.Partition).ThenBy(e => e.Offset);
        return new Page<TopicEntry>([.. entries.TakeLast(limit)], null);
    }

    /// <summary>How many messages groups have not read yet, all groups of a topic together; only topics with groups.</summary>
    public IReadOnlyList<(string Topic, long Lag)> Lags() =>
        [.. List().Where(t => t.Groups.Count > 0).Select(t => (t.Topic, t.Groups.Sum(g => g.Lag)))];

    private static TopicView Topic(string server, IReadOnlyList<string> components, string topic, IReadOnlyList<TopicPartition> partitions, IEnumerable<(string Group, string Topic, int Partition, long Offset)> positions) =>
        new(components, server, topic, partitions.Sum(p => p.Next - p.First), partitions,
        [
            .. positions.GroupBy(p => p.Group, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g =>
            {
                var offsets = g.OrderBy(p => p.Partition).Select(p => new GroupOffset(p.Partition, p.Offset)).ToList();
                // What retention has deleted is not waited for.
                var lag = offsets.Sum(o => partitions.FirstOrDefault(p => p.Partition == o.Partition) is { } p ? Math.Max(0, p.Next - Math.Max(o.Offset, p.First)) : 0);
                return new TopicGroup(g.Key, lag, offsets);
            }),
        ]);

    // A read ends at a number of bytes too, so it may take several.
    private static List<LogMessage> Newest(MessageLog log, string topic, TopicPartition extent, int limit)
    {
        var messages = new List<LogMessage>();
        var offset = Math.Max(extent.First, extent.Next - limit);
        while (messages.Count < limit && log.Look(topic, extent.Partition, offset, limit - messages.Count) is { Count: > 0 } read)
        {
            messages.AddRange(read);
            offset = read[^1].Offset + 1;
        }

        return messages;
    }

    private static TopicEntry Entry(int partition, LogMessage message)
    {
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in message.Headers)
            headers[name] = Redaction.Shown(name, value);
        return new TopicEntry(partition, message.Offset, message.Key, DateTimeOffset.FromUnixTimeMilliseconds(message.Timestamp), headers, message.Value is { } bytes ? ShownBytes.Of(bytes.Span) : null);
    }

    private IEnumerable<(string Server, MessageLog Log)> Logs() =>
        _view.Engine.StandIns is LocalStandIns local ? local.Opened(StandInKinds.MessageLog).Where(l => l.Server is MessageLog).Select(l => (l.Address, (MessageLog)l.Server)) : [];
}
