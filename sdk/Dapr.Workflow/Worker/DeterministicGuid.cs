using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Dapr.Workflow.Worker;

/// <summary>Name-based ids (RFC 9562 version 5), so that every replay makes the same ones.</summary>
internal static class DeterministicGuid
{
    // Namespace for executions whose id is not a UUID; shared with the official worker, so that both make the same ids for one history.
    private static readonly Guid TextNamespace = new("6f927a2e-9c7e-4a1d-9b8d-7a86f2e7f62f");

    public static Guid NamespaceOf(string executionId) => Guid.TryParse(executionId, out var id) ? id : Create(TextNamespace, executionId);

    public static Guid Create(Guid space, string name)
    {
        var size = 16 + Encoding.UTF8.GetMaxByteCount(name.Length);
        byte[]? rented = null;
        var buffer = size <= 512 ? stackalloc byte[512] : rented = ArrayPool<byte>.Shared.Rent(size);
        space.TryWriteBytes(buffer, bigEndian: true, out _);
        var length = 16 + Encoding.UTF8.GetBytes(name, buffer[16..]);
        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];
        SHA1.HashData(buffer[..length], hash);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        hash[6] = (byte)(hash[6] & 0x0F | 0x50);
        hash[8] = (byte)(hash[8] & 0x3F | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}
