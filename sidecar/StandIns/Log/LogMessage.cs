namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>A message as a log keeps it.</summary>
/// <param name="Offset">Its place in its partition, from 0.</param>
/// <param name="Timestamp">Unix milliseconds of the append.</param>
/// <param name="Key">Null and empty are different.</param>
/// <param name="Value">Null is a tombstone.</param>
internal sealed record LogMessage(long Offset, long Timestamp, string? Key, ReadOnlyMemory<byte>? Value, IReadOnlyList<KeyValuePair<string, string>> Headers)
{
    /// <summary>What it takes in memory, roughly.</summary>
    public int Size
    {
        get
        {
            var size = 96 + (Key?.Length * 2 ?? 0) + (Value?.Length ?? 0);
            foreach (var (name, value) in Headers)
                size += 48 + (name.Length + value.Length) * 2;
            return size;
        }
    }
}

/// <summary>A message to be appended.</summary>
/// <param name="Partition">Null: by the key, or any where there is no key.</param>
internal sealed record LogAppend(string Topic, string? Key, ReadOnlyMemory<byte>? Value, IReadOnlyList<KeyValuePair<string, string>> Headers, int? Partition = null);

/// <summary>A log refuses what was asked of it; the message is the server's.</summary>
internal sealed class LogException(string message) : Exception(message);
