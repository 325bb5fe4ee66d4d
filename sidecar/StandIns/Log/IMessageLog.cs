namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>Who reads what.</summary>
/// <param name="FromOldest">Where a partition begins in which the group has committed nothing: at the oldest message; otherwise at the end.</param>
internal sealed record LogMembership(string Group, string Topic, bool FromOldest);

/// <summary>One partition in the hands of a member of a group.</summary>
internal interface ILogReader
{
    int Partition { get; }

    /// <summary>The next messages in order, at most so many; waits until there is one.</summary>
    ValueTask<IReadOnlyList<LogMessage>> ReadAsync(int count, CancellationToken cancellationToken);

    /// <summary>The message with this offset and all before it are handled. Marks are committed every second and when the partition is given back.</summary>
    void Mark(long offset);
}

/// <summary>Handles a partition until the token says that it is taken away; when the task ends, another member may have it.</summary>
internal delegate Task LogConsumer(ILogReader reader, CancellationToken revoked);

/// <summary>
/// A log server, as Kafka is one: topics with partitions, consumer groups that share the partitions of a topic among their members and remember how far
/// they have read. Safe for concurrent use.
/// </summary>
internal interface IMessageLog
{
    /// <summary>Number of partitions of a topic, which is made when there is none.</summary>
    /// <exception cref="LogException">The name is not allowed.</exception>
    ValueTask<int> PartitionsAsync(string topic, CancellationToken cancellationToken);

    /// <summary>Appends in the order given. Completes when all is durable, with an error text for each that was refused, null for the others.</summary>
    ValueTask<IReadOnlyList<string?>> AppendAsync(IReadOnlyList<LogAppend> messages, CancellationToken cancellationToken);

    /// <summary>Joins a group; the consumer is called for each partition that falls to this member. Disposing leaves the group, after the consumers have ended.</summary>
    ValueTask<IAsyncDisposable> JoinAsync(LogMembership membership, LogConsumer consumer, CancellationToken cancellationToken);
}
