using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>
/// Serializes one message at a time straight into the response's pipe, with its length before it; one instance per thread, kept between messages.
/// Serializers that do not say the length first go through an array.
/// </summary>
internal sealed class PipeSerializer : SerializationContext, IBufferWriter<byte>
{
    [ThreadStatic]
    static PipeSerializer? s_cached;

    PipeWriter? _output;
    ArrayBufferWriter<byte>? _unmeasured;
    int? _maxSize;
    int _announced;
    int _written;
    bool _headerWritten;
    bool _complete;

    /// <exception cref="RpcException">ResourceExhausted: the message is larger than <paramref name="maxSize"/> bytes; nothing was written.</exception>
    /// <exception cref="InvalidDataException">The message is not as long as it said; the pipe is of no more use.</exception>
    public static void Serialize<T>(PipeWriter output, Marshaller<T> marshaller, T message, int? maxSize)
    {
        var serializer = s_cached ?? new PipeSerializer();
        s_cached = null;
        serializer._output = output;
        serializer._maxSize = maxSize;
        serializer._announced = -1;
        try
        {
            marshaller.ContextualSerializer(message, serializer);
            serializer.End();
        }
        catch (Exception e) when (serializer._headerWritten && e is not InvalidDataException)
        {
            throw new InvalidDataException("The message could not be serialized to its end.", e);
        }
        finally
        {
            serializer.Reset();
            s_cached = serializer;
        }
    }

    public override void SetPayloadLength(int payloadLength)
    {
        if (payloadLength > _maxSize)
            throw FrameSerializer.TooLarge();
        _announced = payloadLength;
    }

    public override IBufferWriter<byte> GetBufferWriter()
    {
        if (_announced < 0)
            return _unmeasured ??= new ArrayBufferWriter<byte>();
        WriteHeader(_announced);
        return this;
    }

    public override void Complete() => _complete = true;

    public override void Complete(byte[] payload)
    {
        WriteWhole(payload);
        _complete = true;
    }

    public void Advance(int count)
    {
        _written += count;
        _output!.Advance(count);
    }

    public Memory<byte> GetMemory(int sizeHint = 0) => _output!.GetMemory(sizeHint);

    public Span<byte> GetSpan(int sizeHint = 0) => _output!.GetSpan(sizeHint);

    void End()
    {
        if (!_complete)
            throw new InvalidOperationException("The serializer did not complete the message.");
        if (_unmeasured is not null)
            WriteWhole(_unmeasured.WrittenSpan);
        else if (!_headerWritten)
            WriteHeader(Math.Max(_announced, 0));
        if (_written != _announced)
            throw new InvalidDataException($"The message announced {_announced} bytes and wrote {_written}: it was changed while it was serialized.");
    }

    void WriteWhole(ReadOnlySpan<byte> payload)
    {
        SetPayloadLength(payload.Length);
        WriteHeader(payload.Length);
        _output!.Write(payload);
        _written = payload.Length;
    }

    void WriteHeader(int length)
    {
        // Asking for the message's space along with the header's saves a second segment; large messages take several anyway.
        var header = _output!.GetSpan(Frame.HeaderSize + Math.Min(length, 1024));
        header[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(header[1..], length);
        _output.Advance(Frame.HeaderSize);
        _announced = length;
        _headerWritten = true;
    }

    void Reset()
    {
        _output = null;
        _unmeasured = null;
        _written = 0;
        _headerWritten = false;
        _complete = false;
    }
}
