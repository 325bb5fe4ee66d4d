using System.Globalization;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.PubSub;
using DaprPlatform.Sidecar.PubSub.InMemory;
using DaprPlatform.Sidecar.PubSub.Kafka;
using DaprPlatform.Sidecar.PubSub.Redis;
using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.StandIns.Log;

namespace DaprPlatform.Sidecar.Introspection;

/// <param name="First">Offset of the oldest message that is kept.</param>
/// <param name="Next">Offset that the next message will have.</param>
public sealed record TopicPartition(int Partition, long First, long Next);

/// <param name="Offset">Of the next message that the group will read.</param>
public sealed record GroupOffset(int Partition, long Offset);

/// <param name="Lag">Messages that wait: not read yet. What a log's group has read is noted within a second, so it may be that much behind.</param>
/// <param name="Pending">Messages that a member of the group has and has not acknowledged; null where each group is at one place of a partition.</param>
public sealed record TopicGroup(string Group, long Lag, IReadOnlyList<GroupOffset> Offsets, int? Pending = null);

/// <param name="Messages">Those that are kept, replayed or not.</param>
public sealed record DeadLetterTopic(string Topic, long Messages);

/// <param name="Pubsub">The components that are on its server.</param>
/// <param name="Server">Address of the server, as components write it; empty for a topic in memory.</param>
/// <param name="Kind"><c>log</c> (Kafka), <c>stream</c> (Redis streams) or <c>memory</c>, which keeps nothing: what it has are subscribers and what waits for them.</param>
/// <param name="Messages">Kept messages.</param>
/// <param name="DeadLetters">Where its subscriptions put what cannot be processed.</param>
public sealed record TopicView(IReadOnlyList<string> Pubsub, string Server, string Topic, string Kind, long Messages, IReadOnlyList<TopicPartition> Partitions, IReadOnlyList<TopicGroup> Groups,
    IReadOnlyList<DeadLetterTopic> DeadLetters);

/// <param name="Value">Text, or <c>{"base64"}</c>; null is a tombstone.</param>
public sealed record TopicEntry(int Partition, long Offset, string? Key, DateTimeOffset At, IReadOnlyDictionary<string, string> Headers, JsonNode? Value);

/// <summary>Topics of servers that this process stands in for (<c>pubsub.kafka</c>, <c>pubsub.redis</c>), and those in memory (<c>pubsub.in-memory</c>).</summary>
public sealed class TopicViews
{
    private readonly RuntimeView _view;

    internal TopicViews(RuntimeView view) => _view = view;

    /// <summary>In the order of their names.</summary>
    public IReadOnlyList<TopicView> List()
    {
        var runtimes = _view.Runtimes;
        var topics = new List<TopicView>();
        var logNames = Names(runtimes, "pubsub.kafka", spec => new KafkaSettings(spec).Address);
        foreach (var (server, log) in Logs())
        {
            var positions = log.Positions().ToLookup(p => p.Topic, StringComparer.Ordinal);
            foreach (var topic in log.Topics)
            {
                var partitions = log.Extents(topic);
                topics.Add(Kept(server, logNames, topic, "log", partitions, Groups(positions[topic], partitions)));
            }
        }

        var streamNames = Names(runtimes, "pubsub.redis", spec => new RedisSettings(spec).Address);
        foreach (var (server, streams) in Streams())
        {
            foreach (var topic in streams.Streams)
            {
                if (streams.Extent(topic) is { } extent)
                    topics.Add(Kept(server, streamNames, topic, "stream", [extent], streams.Groups(topic)));
            }
        }

        topics.AddRange(InMemory(runtimes));
        var dead = DeadLetterTopics(runtimes, topics);
        return [.. topics.Select(t => t with { DeadLetters = [.. t.Pubsub.SelectMany(p => dead[(p, t.Topic)]).Distinct()] })
            .OrderBy(t => t.Topic, StringComparer.Ordinal).ThenBy(t => t.Server, StringComparer.Ordinal).ThenBy(t => string.Join(',', t.Pubsub), StringComparer.Ordinal)];
    }

    /// <summary>
    /// From an offset of one partition on, in order; without an offset the newest of one partition or of all of them, the newest last.
    /// </summary>
    /// <param name="limit">At most so many messages; fewer where they are long.</param>
    /// <exception cref="IntrospectionException">There is no such server, topic or partition; an offset without a partition.</exception>
    public Page<TopicEntry> Messages(string server, string topic, int? partition, long? from, int limit)
    {
        if (from is not null && partition is null)
            throw new IntrospectionException(IntrospectionRefusal.Invalid, "from needs a partition: each partition has offsets of its own.");
        var (extents, look) = Find(server, topic);
        if (partition is { } wanted && !extents.Any(e => e.Partition == wanted))
            throw new IntrospectionException(IntrospectionRefusal.NotFound, $"{topic} has no partition {wanted}.");
        if (from is { } offset)
        {
            var read = look(partition!.Value, offset, limit);
            var next = read.Count > 0 && read[^1].Offset + 1 < extents.First(e => e.Partition == partition).Next ? (read[^1].Offset + 1).ToString(CultureInfo.InvariantCulture) : null;
            return new Page<TopicEntry>([.. read.Select(m => Entry(partition.Value, m))], next);
        }

        var entries = extents.Where(e => partition is null || e.Partition == partition)
            .SelectMany(e => Newest(look, e, limit).Select(m => Entry(e.Partition, m)))
            .OrderBy(e => e.At).ThenBy(e => e.Partition).ThenBy(e => e.Offset);
        return new Page<TopicEntry>([.. entries.TakeLast(limit)], null);
    }

    /// <summary>How many messages groups have not read yet, all groups of a topic together; only topics with groups.</summary>
    public IReadOnlyList<(string Topic, long Lag)> Lags() =>
        [.. List().Where(t => t.Groups.Count > 0).Select(t => (t.Topic, t.Groups.Sum(g => g.Lag)))];

    private static ILookup<string, string> Names(IReadOnlyList<SidecarRuntime> runtimes, string type, Func<ComponentSpec, string> address) =>
        runtimes.SelectMany(r => r.Components.Loaded.Where(c => c.Type == type).Select(c => (c.Name, Server: address(r.Components.SpecOf(c.Name)!))))
            .Distinct().ToLookup(c => c.Server, c => c.Name, StringComparer.Ordinal);

    private static TopicView Kept(string server, ILookup<string, string> names, string topic, string kind, IReadOnlyList<TopicPartition> partitions, IReadOnlyList<TopicGroup> groups) =>
        new([.. names[server].Order(StringComparer.Ordinal)], server, topic, kind, partitions.Sum(p => p.Next - p.First), partitions, groups, []);

    private static List<TopicGroup> Groups(IEnumerable<(string Group, string Topic, int Partition, long Offset)> positions, IReadOnlyList<TopicPartition> partitions) =>
    [
        .. positions.GroupBy(p => p.Group, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g =>
        {
            var offsets = g.OrderBy(p => p.Partition).Select(p => new GroupOffset(p.Partition, p.Offset)).ToList();
            // What retention has deleted is not waited for.
            var lag = offsets.Sum(o => partitions.FirstOrDefault(p => p.Partition == o.Partition) is { } p ? Math.Max(0, p.Next - Math.Max(o.Offset, p.First)) : 0);
            return new TopicGroup(g.Key, lag, offsets);
        }),
    ];

    // Each app has an instance of its own; what one publishes the others do not see.
    private static IEnumerable<TopicView> InMemory(IReadOnlyList<SidecarRuntime> runtimes) =>
        runtimes.SelectMany(r => r.Components.All<IPubSub>().SelectMany(c => c.Value is InMemoryPubSub memory ? memory.Standing.Select(s => (r.Options.AppId, Component: c.Key, s.Topic, s.Waiting)) : []))
            .GroupBy(s => (s.Component, s.Topic))
            .Select(t => new TopicView([t.Key.Component], "", t.Key.Topic, "memory", t.Sum(s => (long)s.Waiting), [],
                [.. t.GroupBy(s => s.AppId, StringComparer.Ordinal).Select(g => new TopicGroup(g.Key, g.Sum(s => (long)s.Waiting), []))], []));

    private static ILookup<(string Pubsub, string Topic), DeadLetterTopic> DeadLetterTopics(IReadOnlyList<SidecarRuntime> runtimes, List<TopicView> topics)
    {
        var kept = topics.SelectMany(t => t.Pubsub.Select(p => (Key: (p, t.Topic), t.Messages))).ToLookup(t => t.Key, t => t.Messages);
        return runtimes.SelectMany(r => r.Blocks.OfType<PubSubApi>().SelectMany(p => p.Subscriptions)).Where(s => s.DeadLetterTopic.Length > 0)
            .Select(s => (s.PubSub, s.Topic, s.DeadLetterTopic)).Distinct()
            .ToLookup(s => (s.PubSub, s.Topic), s => new DeadLetterTopic(s.DeadLetterTopic, kept[(s.PubSub, s.DeadLetterTopic)].Sum()));
    }

    private (IReadOnlyList<TopicPartition> Extents, Func<int, long, int, IReadOnlyList<LogMessage>> Look) Find(string server, string topic)
    {
        foreach (var (_, log) in Logs().Where(l => l.Server == server))
        {
            if (log.Extents(topic) is { Count: > 0 } extents)
                return (extents, (partition, offset, count) => log.Look(topic, partition, offset, count));
        }

        foreach (var (_, streams) in Streams().Where(s => s.Server == server))
        {
            if (streams.Extent(topic) is { } extent)
                return ([extent], (_, offset, count) => streams.Look(topic, offset, count));
        }

        throw new IntrospectionException(IntrospectionRefusal.NotFound, $"There is no topic {topic} on a server {server}.");
    }

    // A read ends at a number of bytes too, so it may take several.
    private static List<LogMessage> Newest(Func<int, long, int, IReadOnlyList<LogMessage>> look, TopicPartition extent, int limit)
    {
        var messages = new List<LogMessage>();
        var offset = Math.Max(extent.First, extent.Next - limit);
        while (messages.Count < limit && look(extent.Partition, offset, limit - messages.Count) is { Count: > 0 } read)
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

    private IEnumerable<(string Server, StreamLog Streams)> Streams() =>
        _view.Engine.StandIns is LocalStandIns local ? local.Opened(StandInKinds.Streams).Where(s => s.Server is StreamLog).Select(s => (s.Address, (StreamLog)s.Server)) : [];

    private IEnumerable<(string Server, MessageLog Log)> Logs() =>
        _view.Engine.StandIns is LocalStandIns local ? local.Opened(StandInKinds.MessageLog).Where(l => l.Server is MessageLog).Select(l => (l.Address, (MessageLog)l.Server)) : [];
}
