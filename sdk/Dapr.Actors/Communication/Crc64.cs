using System.Text;

namespace Dapr.Actors.Communication;

/// <summary>CRC-64/WE, from which the ids of interfaces and methods are made.</summary>
internal static class Crc64
{
    private const ulong Polynomial = 0x42F0E1EBA9EA3693;
    private static readonly ulong[] Table = [.. Enumerable.Range(0, 256).Select(Entry)];

    /// <summary>The low half, which is what goes over the wire.</summary>
    public static int IdOf(string text)
    {
        var crc = ulong.MaxValue;
        foreach (var value in Encoding.UTF8.GetBytes(text))
            crc = crc << 8 ^ Table[(byte)(crc >> 56) ^ value];
        return (int)~crc;
    }

    private static ulong Entry(int index)
    {
        var entry = (ulong)index << 56;
        for (var bit = 0; bit < 8; bit++)
            entry = (entry & 1UL << 63) != 0 ? entry << 1 ^ Polynomial : entry << 1;
        return entry;
    }
}
