using System.Buffers;

namespace Grpc.Core.Wire;

/// <summary>Gives one payload at a time to deserializers; one instance per thread, kept between messages.</summary>
internal sealed class PayloadContext : DeserializationContext
{
    [ThreadStatic]
    static PayloadContext? s_cached;

    ReadOnlySequence<byte> _payload;
    int _length;

    public static T Deserialize<T>(Marshaller<T> marshaller, in ReadOnlySequence<byte> payload)
    {
        var context = s_cached ?? new PayloadContext();
        s_cached = null;
        context._payload = payload;
        context._length = checked((int)payload.Length);
        try
        {
            return marshaller.ContextualDeserializer(context);
        }
        finally
        {
            context._payload = default;
            s_cached = context;
        }
    }

    public override int PayloadLength => _length;

    public override byte[] PayloadAsNewBuffer() => _payload.ToArray();

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => _payload;
}
