using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>Takes length-prefixed messages from a response, through one buffer that grows with what has arrived, not with what was announced.</summary>
internal sealed class FrameReader(Stream stream, int? maxSize, bool gzip) : IDisposable
{
    const int InitialSize = 4096;

    byte[]? _buffer;
    int _start;
    int _end;
    int _payloadLength;

    /// <summary>The message of the last read, valid until the next.</summary>
    public ReadOnlySequence<byte> Payload { get; private set; }

    /// <summary>Reads the next message; false at the end of the stream.</summary>
    /// <exception cref="InvalidDataException">The stream ended within a message, or is compressed in a way that was not announced.</exception>
    /// <exception cref="Grpc.Core.RpcException">The message is too large.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        _start += _payloadLength;
        _payloadLength = 0;
        while (_end - _start < Frame.HeaderSize)
        {
            if (await FillAsync(Frame.HeaderSize, cancellationToken).ConfigureAwait(false))
                continue;
            if (_end == _start)
                return false;
            throw new InvalidDataException("Incomplete message.");
        }

        var compressed = _buffer![_start];
        var length = BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(_start + 1));
        if (compressed > 1)
            throw new InvalidDataException("Unexpected compressed flag value in message header.");
        if (compressed == 1 && !gzip)
            throw new InvalidDataException("A compressed message was received, but no message encoding was announced.");
        if (length > (uint)(maxSize ?? Array.MaxLength - Frame.HeaderSize))
            throw FrameLimits.ReceivedTooLarge();

        _payloadLength = (int)length;
        while (_end - _start < Frame.HeaderSize + _payloadLength)
        {
            if (!await FillAsync(Frame.HeaderSize + _payloadLength, cancellationToken).ConfigureAwait(false))
                throw new InvalidDataException("Unexpected end of content while reading the message content.");
        }

        _start += Frame.HeaderSize;
        Payload = new ReadOnlySequence<byte>(_buffer, _start, _payloadLength);
        if (compressed == 1)
            Payload = new ReadOnlySequence<byte>(GzipCoding.Decompress(Payload, maxSize));
        return true;
    }

    public void Dispose()
    {
        Payload = default;
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
            ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Reads once; the buffer has room for what is there plus something, up to <paramref name="wanted"/> bytes in all.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<bool> FillAsync(int wanted, CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            // Nothing is held over, so the buffer goes back for as long as nothing comes: calls that wait would otherwise empty the pool.
            Dispose();
            await stream.ReadAsync(Memory<byte>.Empty, cancellationToken).ConfigureAwait(false);
        }

        MakeRoom(wanted);
        var read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
        _end += read;
        return read > 0;
    }

    void MakeRoom(int wanted)
    {
        if (_buffer is null)
        {
            _buffer = ArrayPool<byte>.Shared.Rent(InitialSize);
            _start = _end = 0;
            return;
        }

        var held = _end - _start;
        var useful = Math.Min(wanted - held, InitialSize);
        if (_buffer.Length - _end >= useful)
            return;

        if (_buffer.Length - held >= useful)
        {
            _buffer.AsSpan(_start, held).CopyTo(_buffer);
        }
        else
        {
            var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(wanted, Math.Max(held + InitialSize, _buffer.Length * 2L)));
            _buffer.AsSpan(_start, held).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        _start = 0;
        _end = held;
    }
}
