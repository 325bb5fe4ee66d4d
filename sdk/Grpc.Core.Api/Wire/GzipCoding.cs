using System.Buffers;
using System.IO.Compression;

namespace Grpc.Core.Wire;

internal static class GzipCoding
{
    public static ReadOnlyMemory<byte> Compress(ReadOnlySequence<byte> payload, CompressionLevel level)
    {
        var output = new MemoryStream();
        using (var gzip = new GZipStream(output, level, leaveOpen: true))
        {
            foreach (var segment in payload)
                gzip.Write(segment.Span);
        }

        return output.GetBuffer().AsMemory(0, (int)output.Length);
    }

    /// <exception cref="RpcException">
    /// ResourceExhausted: the message is larger than <paramref name="maxSize"/> bytes, which is noticed before it is all in memory.
    /// Internal: this is no gzip data.
    /// </exception>
    public static byte[] Decompress(ReadOnlySequence<byte> payload, int? maxSize)
    {
        using var gzip = new GZipStream(new MemoryStream(payload.ToArray()), CompressionMode.Decompress);
        var output = new MemoryStream();
        var chunk = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            int read;
            while ((read = gzip.Read(chunk)) > 0)
            {
                if (output.Length + read > (maxSize ?? Array.MaxLength))
                    throw FrameLimits.ReceivedTooLarge();
                output.Write(chunk, 0, read);
            }
        }
        catch (InvalidDataException e)
        {
            throw new RpcException(new Status(StatusCode.Internal, "The compressed message is malformed.", e));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }

        return output.ToArray();
    }
}

internal static class FrameLimits
{
    public static RpcException ReceivedTooLarge() =>
        new(new Status(StatusCode.ResourceExhausted, "Received message exceeds the maximum configured message size."));
}
