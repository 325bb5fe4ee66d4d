using System.Buffers;
using System.Buffers.Binary;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Takes length-prefixed messages off the front of a request's body.</summary>
internal static class RequestFrames
{
    /// <summary>Cuts one message off the buffer; false if it is not all there. Its size is judged as soon as it is known.</summary>
    /// <exception cref="RpcException">ResourceExhausted: larger than <paramref name="maxSize"/> bytes. Internal: malformed.</exception>
    public static bool TryCut(ref ReadOnlySequence<byte> buffer, int? maxSize, bool gzip, out ReadOnlySequence<byte> payload)
    {
        payload = default;
        if (buffer.Length < Frame.HeaderSize)
            return false;

        Span<byte> copy = stackalloc byte[Frame.HeaderSize];
        scoped ReadOnlySpan<byte> header = buffer.FirstSpan;
        if (header.Length < Frame.HeaderSize)
        {
            buffer.Slice(0, Frame.HeaderSize).CopyTo(copy);
            header = copy;
        }

        var compressed = header[0];
        var length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (compressed > 1)
            throw Malformed("Unexpected compressed flag value in message header.");
        if (compressed == 1 && !gzip)
            throw Malformed("Request sent a compressed message without a grpc-encoding header.");
        if (length > (uint)(maxSize ?? int.MaxValue))
            throw FrameLimits.ReceivedTooLarge();
        if (buffer.Length < Frame.HeaderSize + (long)length)
            return false;

        payload = buffer.Slice(Frame.HeaderSize, length);
        buffer = buffer.Slice(payload.End);
        if (compressed == 1)
            payload = new ReadOnlySequence<byte>(GzipCoding.Decompress(payload, maxSize));
        return true;
    }

    /// <exception cref="RpcException">Internal: it is no such message.</exception>
    public static T Deserialize<T>(Marshaller<T> marshaller, in ReadOnlySequence<byte> payload)
    {
        try
        {
            return PayloadContext.Deserialize(marshaller, payload);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw new RpcException(new Status(StatusCode.Internal, "Failed to deserialize request message.", e));
        }
    }

    public static RpcException Malformed(string detail) => new(new Status(StatusCode.Internal, detail));
}
