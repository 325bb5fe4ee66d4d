using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>What clients and services of the stand-in process share.</summary>
internal static class StandInCalls
{
    private const int Attempts = 5;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>A call ended with its connection, not by an answer.</summary>
    public static bool IsLost(Exception e) => e is RpcException { StatusCode: StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.Internal or StatusCode.Unknown } or IOException or HttpRequestException or ObjectDisposedException;

    /// <summary>
    /// Repeats a call that was lost with its connection: the process is started again by the next connection. Only for calls that may happen twice.
    /// </summary>
    public static async Task<T> RepeatAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken = default)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await call().ConfigureAwait(false);
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable && attempt < Attempts)
            {
                await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Answers the requests of a batch, in their order. All are begun before one is awaited, so that their writes share a commit.</summary>
    public static Task<TAnswer[]> AnswerAllAsync<TRequest, TAnswer>(RepeatedField<TRequest> requests, Func<TRequest, Task<TAnswer>> answer)
    {
        var running = new Task<TAnswer>[requests.Count];
        for (var i = 0; i < running.Length; i++)
            running[i] = answer(requests[i]);
        return Task.WhenAll(running);
    }

    public static ByteString Bytes(ReadOnlyMemory<byte> bytes) => UnsafeByteOperations.UnsafeWrap(bytes);

    public static KeyValuePair<string, string>[] Headers(RepeatedField<Wire.Header> headers)
    {
        if (headers.Count == 0)
            return [];
        var all = new KeyValuePair<string, string>[headers.Count];
        for (var i = 0; i < all.Length; i++)
            all[i] = KeyValuePair.Create(headers[i].Name, headers[i].Value);
        return all;
    }

    public static void Add(this RepeatedField<Wire.Header> into, IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        foreach (var (name, value) in headers)
            into.Add(new Wire.Header { Name = name, Value = value });
    }

    public static Wire.StoredMessage ToWire(Log.LogMessage message)
    {
        var wire = new Wire.StoredMessage { Offset = message.Offset, Timestamp = message.Timestamp };
        if (message.Key is { } key)
            wire.Key = key;
        if (message.Value is { } value)
            wire.Value = Bytes(value);
        wire.Headers.Add(message.Headers);
        return wire;
    }

    public static Log.LogMessage FromWire(Wire.StoredMessage wire) =>
        new(wire.Offset, wire.Timestamp, wire.HasKey ? wire.Key : null, wire.HasValue ? wire.Value.Memory : default(ReadOnlyMemory<byte>?), Headers(wire.Headers));
}
