using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.PubSub;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>A message as a topic keeps it.</summary>
/// <param name="Server">Address of the server that the topic is on, as components write it.</param>
/// <param name="Value">Null is a tombstone.</param>
public sealed record TopicMessage(
    string Server, string Topic, int Partition, long Offset, DateTimeOffset At, string? Key, ReadOnlyMemory<byte>? Value, IReadOnlyList<KeyValuePair<string, string>> Headers);

/// <summary>Looks into the topics of an engine that has its servers in its own process, without a consumer group, and puts messages back.</summary>
public sealed class TopicBrowser(Engine engine)
{
    private const int MaxPerPartition = 10_000;

    /// <summary>Every topic with its server, in order of name.</summary>
    public IReadOnlyList<(string Server, string Topic)> Topics() =>
        [.. Logs().SelectMany(l => l.Log.Topics.Select(t => (l.Server, t))).OrderBy(t => t.t, StringComparer.Ordinal)];

    /// <summary>The newest messages of a topic, at most 10,000 of each partition, the oldest first.</summary>
    public IReadOnlyList<TopicMessage> Read(string server, string topic) =>
        Logs().Where(l => l.Server == server).SelectMany(l => l.Log.Browse(topic, MaxPerPartition)).Select(m => new TopicMessage(
                server, topic, m.Partition, m.Message.Offset, DateTimeOffset.FromUnixTimeMilliseconds(m.Message.Timestamp), m.Message.Key, m.Message.Value, m.Message.Headers))
            .OrderBy(m => m.At).ThenBy(m => m.Partition).ThenBy(m => m.Offset).ToList();

    /// <summary>Appends a message to another topic as it was published: key, value and headers, without what a delivery added to them. Returns when it is durable.</summary>
    /// <exception cref="InvalidOperationException">The server refuses.</exception>
    public async Task CopyAsync(TopicMessage message, string topic, CancellationToken cancellationToken)
    {
        var log = Logs().Where(l => l.Server == message.Server).Select(l => l.Log).FirstOrDefault() ?? throw new InvalidOperationException($"There is no log at {message.Server}.");
        var errors = await log.AppendAsync([new LogAppend(topic, message.Key, message.Value, [.. message.Headers.Where(h => !DeadLetterFacts.IsDeliveryHeader(h.Key))])], cancellationToken).ConfigureAwait(false);
        if (errors[0] is { } error)
            throw new InvalidOperationException(error);
    }

    private IEnumerable<(string Server, MessageLog Log)> Logs() =>
        engine.StandIns is LocalStandIns local ? local.Opened(StandInKinds.MessageLog).Where(l => l.Server is MessageLog).Select(l => (l.Address, (MessageLog)l.Server)) : [];
}
