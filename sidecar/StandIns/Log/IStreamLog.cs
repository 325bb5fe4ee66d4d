namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>A stream server, as Redis is one: entries in order, consumer groups whose members take entries one by one and acknowledge each. Safe for concurrent use.</summary>
internal interface IStreamLog
{
    /// <summary>Adds in the order given; completes when all is durable.</summary>
    ValueTask AddAsync(IReadOnlyList<StreamAdd> entries, CancellationToken cancellationToken);

    /// <summary>Becomes a member of a group, which begins at the oldest entry if it is new. Disposing gives back what was taken and not acknowledged.</summary>
    ValueTask<IStreamMember> JoinAsync(string stream, string group, CancellationToken cancellationToken);
}

/// <summary>An entry to be added.</summary>
/// <param name="Keep">Entries the stream is cut down to, oldest first; null: all that retention keeps.</param>
internal sealed record StreamAdd(string Stream, ReadOnlyMemory<byte> Value, IReadOnlyList<KeyValuePair<string, string>> Headers, long? Keep = null);

/// <summary>One reader of a stream for a group.</summary>
internal interface IStreamMember : IAsyncDisposable
{
    /// <summary>Takes entries that no member has, at most so many; waits until there is one.</summary>
    ValueTask<IReadOnlyList<LogMessage>> TakeAsync(int count, CancellationToken cancellationToken);

    /// <summary>Takes over entries that any member took at least so long ago and has not acknowledged; empty when there are none.</summary>
    ValueTask<IReadOnlyList<LogMessage>> ReclaimAsync(TimeSpan idle, int count, CancellationToken cancellationToken);

    /// <summary>An entry is done for the group, whoever took it last.</summary>
    void Acknowledge(long offset);
}
