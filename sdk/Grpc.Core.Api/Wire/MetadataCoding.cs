namespace Grpc.Core.Wire;

/// <summary>How metadata becomes header values and back.</summary>
internal static class MetadataCoding
{
    /// <summary>Headers that belong to HTTP or gRPC itself: neither sent from metadata nor shown in it.</summary>
    public static bool IsProtocolHeader(string name) => name.Length == 0 || name[0] == ':' || name.ToLowerInvariant() is
        GrpcNames.Status or GrpcNames.Message or GrpcNames.Timeout or GrpcNames.Encoding or GrpcNames.AcceptEncoding or GrpcNames.EncodingRequest
        or GrpcNames.Te or "content-type" or "content-length" or "content-encoding" or "transfer-encoding" or "host" or "connection" or "accept-encoding";

    /// <summary>Text as it is; bytes as base64, which by the protocol goes without padding.</summary>
    public static string Encode(Metadata.Entry entry) => entry.IsBinary ? Convert.ToBase64String(entry.ValueSpan).TrimEnd('=') : entry.Value;

    /// <summary>Adds what a header holds. Binary values that an intermediary joined with commas come apart again; those that are no base64 are dropped.</summary>
    public static void Add(Metadata metadata, string name, string value)
    {
        var key = name.ToLowerInvariant();
        if (!key.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.Ordinal))
        {
            metadata.Add(Metadata.Entry.CreateUnsafe(key, value));
            return;
        }

        foreach (var part in value.AsSpan().Split(','))
        {
            if (TryDecode(value.AsSpan(part).Trim(), out var bytes))
                metadata.Add(Metadata.Entry.CreateUnsafe(key, bytes));
        }
    }

    static bool TryDecode(ReadOnlySpan<char> base64, out byte[] bytes)
    {
        base64 = base64.TrimEnd('=');
        var padding = (4 - base64.Length % 4) % 4;
        Span<char> padded = base64.Length + padding <= 512 ? stackalloc char[base64.Length + padding] : new char[base64.Length + padding];
        base64.CopyTo(padded);
        padded[base64.Length..].Fill('=');

        bytes = new byte[padded.Length / 4 * 3 - padding];
        return padding != 3 && Convert.TryFromBase64Chars(padded, bytes, out var written) && written == bytes.Length;
    }
}
