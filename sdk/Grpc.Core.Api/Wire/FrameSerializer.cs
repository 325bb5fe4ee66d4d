using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;

namespace Grpc.Core.Wire;

/// <summary>A length-prefixed message in an array of <see cref="ArrayPool{T}.Shared"/>.</summary>
internal readonly struct Frame(byte[] array, int length)
{
    public const int HeaderSize = 5;

    public byte[] Array { get; } = array;

    public ReadOnlyMemory<byte> Memory => Array.AsMemory(0, length);

    public void Return() => ArrayPool<byte>.Shared.Return(Array);
}

/// <summary>Serializes one message at a time into a pooled frame; one instance per thread, kept between messages.</summary>
internal sealed class FrameSerializer : SerializationContext, IBufferWriter<byte>
{
    [ThreadStatic]
    static FrameSerializer? s_cached;

    byte[] _buffer = [];
    int _length;
    int? _maxSize;
    bool _complete;

    /// <exception cref="RpcException">ResourceExhausted: the message is larger than <paramref name="maxSize"/> bytes.</exception>
    public static Frame Serialize<T>(Marshaller<T> marshaller, T message, int? maxSize, CompressionLevel? gzip)
    {
        // Taken out while in use: a serializer may itself serialize something.
        var serializer = s_cached ?? new FrameSerializer();
        s_cached = null;
        try
        {
            serializer.Begin(maxSize);
            marshaller.ContextualSerializer(message, serializer);
            return serializer.End(gzip);
        }
        finally
        {
            serializer.Release();
            s_cached = serializer;
        }
    }

    public static RpcException TooLarge() =>
        new(new Status(StatusCode.ResourceExhausted, "Sending message exceeds the maximum configured message size."));

    public override void SetPayloadLength(int payloadLength)
    {
        if (payloadLength > _maxSize)
            throw TooLarge();
        Reserve(payloadLength);
    }

    public override void Complete(byte[] payload)
    {
        SetPayloadLength(payload.Length);
        this.Write(payload);
        _complete = true;
    }

    public override IBufferWriter<byte> GetBufferWriter() => this;

    public override void Complete() => _complete = true;

    public void Advance(int count) => _length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _buffer.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    void Begin(int? maxSize)
    {
        _maxSize = maxSize;
        _length = Frame.HeaderSize;
        _complete = false;
    }

    void Reserve(int count)
    {
        if (_buffer.Length - _length >= count)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(_length + count), Math.Min(_buffer.Length * 2, Array.MaxLength)));
        if (_buffer.Length > 0)
        {
            _buffer.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        _buffer = larger;
    }

    Frame End(CompressionLevel? gzip)
    {
        if (!_complete)
            throw new InvalidOperationException("The serializer did not complete the message.");
        Reserve(0);
        var payloadLength = _length - Frame.HeaderSize;
        if (payloadLength > _maxSize)
            throw TooLarge();

        var compress = gzip is not null && payloadLength > 0;
        if (compress)
        {
            var compressed = GzipCoding.Compress(new ReadOnlySequence<byte>(_buffer, Frame.HeaderSize, payloadLength), gzip.GetValueOrDefault());
            _length = Frame.HeaderSize;
            Reserve(compressed.Length);
            compressed.Span.CopyTo(_buffer.AsSpan(Frame.HeaderSize));
            payloadLength = compressed.Length;
            _length += payloadLength;
        }

        _buffer[0] = compress ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(1), payloadLength);
        var frame = new Frame(_buffer, _length);
        _buffer = [];
        return frame;
    }

    void Release()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }
}
