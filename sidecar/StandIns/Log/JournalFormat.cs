using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace DaprPlatform.Sidecar.StandIns.Log;

/// <summary>Writes the fields of journal records: variable-length numbers, texts and bytes with their length before them.</summary>
internal sealed class JournalWriter
{
    /// <summary>Bytes before the payload of a record: length and checksum of what follows.</summary>
    public const int FrameBytes = 8;

    private readonly ArrayBufferWriter<byte> _buffer = new(64 << 10);
    private int _record = -1;

    /// <summary>All records since the last <see cref="Clear"/>.</summary>
    public ReadOnlyMemory<byte> Written => _buffer.WrittenMemory;

    public int Length => _buffer.WrittenCount;

    public void Clear() => _buffer.ResetWrittenCount();

    /// <summary>Starts a record; its frame is filled in by <see cref="End"/>.</summary>
    public void Begin(byte kind)
    {
        _record = _buffer.WrittenCount;
        _buffer.GetSpan(FrameBytes).Clear();
        _buffer.Advance(FrameBytes);
        Byte(kind);
    }

    /// <summary>Ends the record. Returns where it began in the buffer and its length with the frame.</summary>
    public (int Start, int Length) End()
    {
        var start = _record;
        _record = -1;
        var record = MemoryMarshal.AsMemory(_buffer.WrittenMemory)[start..];
        var payload = record.Span[FrameBytes..];
        BinaryPrimitives.WriteInt32LittleEndian(record.Span, payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.Span[4..], Checksum(payload));
        return (start, record.Length);
    }

    public void Byte(byte value)
    {
        _buffer.GetSpan(1)[0] = value;
        _buffer.Advance(1);
    }

    public void Number(long value)
    {
        var rest = (ulong)value;
        var span = _buffer.GetSpan(10);
        var count = 0;
        while (rest >= 0x80)
        {
            span[count++] = (byte)(rest | 0x80);
            rest >>= 7;
        }

        span[count++] = (byte)rest;
        _buffer.Advance(count);
    }

    public void Text(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        Number(length);
        _buffer.Advance(Encoding.UTF8.GetBytes(value, _buffer.GetSpan(Math.Max(length, 1))));
    }

    /// <summary>Null is told apart from empty.</summary>
    public void OptionalText(string? value)
    {
        Byte(value is null ? (byte)0 : (byte)1);
        if (value is not null)
            Text(value);
    }

    public void OptionalBytes(ReadOnlyMemory<byte>? value)
    {
        Byte(value is null ? (byte)0 : (byte)1);
        if (value is not { } bytes)
            return;
        Number(bytes.Length);
        _buffer.Write(bytes.Span);
    }

    /// <summary>CRC-32C.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}

/// <summary>Reads what <see cref="JournalWriter"/> wrote; the checksum was verified before.</summary>
internal ref struct JournalReader(ReadOnlySpan<byte> payload)
{
    private ReadOnlySpan<byte> _rest = payload;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public byte Byte()
    {
        var value = _rest[0];
        _rest = _rest[1..];
        return value;
    }

    public long Number()
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var b = Byte();
            value |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80)
                return (long)value;
        }
    }

    public string Text()
    {
        var length = (int)Number();
        var value = Encoding.UTF8.GetString(_rest[..length]);
        _rest = _rest[length..];
        return value;
    }

    public string? OptionalText() => Byte() == 0 ? null : Text();

    public byte[]? OptionalBytes()
    {
        if (Byte() == 0)
            return null;
        var length = (int)Number();
        var value = _rest[..length].ToArray();
        _rest = _rest[length..];
        return value;
    }
}
