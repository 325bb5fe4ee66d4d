using System.Security.Cryptography;
using System.Text.Json;

namespace DaprPlatform.Sidecar.Cryptography;

/// <summary>The operation failed; the message says why, in Dapr's words where it costs nothing.</summary>
internal sealed class CryptoException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A key that wraps other keys: a secret, an RSA key, or one of a kind that cannot wrap.</summary>
internal sealed class CryptoKey
{
    private readonly byte[]? _secret;
    private readonly RSAParameters? _rsa;

    private CryptoKey(byte[]? secret, RSAParameters? rsa) => (_secret, _rsa) = (secret, rsa);

    /// <summary>Reads a key from a file's bytes: PEM, a JSON Web Key, base64 or raw.</summary>
    /// <exception cref="CryptoException">It begins as PEM or a JSON Web Key and is none.</exception>
    public static CryptoKey Parse(byte[] bytes)
    {
        if (bytes.AsSpan().TrimStart(" \t\r\n"u8) is [(byte)'{', ..])
        {
            try
            {
                using var document = JsonDocument.Parse(bytes);
                return FromJwk(document.RootElement);
            }
            catch (JsonException e)
            {
                throw new CryptoException($"failed to parse key from secret: failed to parse JSON Web Key: {e.Message}", e);
            }
        }

        if (bytes.AsSpan().StartsWith("-----BEGIN "u8))
            return FromPem(System.Text.Encoding.ASCII.GetString(bytes));
        return new CryptoKey(TryBase64(bytes) ?? bytes, null);
    }

    /// <exception cref="CryptoException">A member is missing or malformed.</exception>
    public static CryptoKey FromJwk(JsonElement jwk)
    {
        try
        {
            switch (jwk.GetProperty("kty").GetString())
            {
                case "oct":
                    return new CryptoKey(Member("k"), null);
                case "RSA":
                    var rsa = new RSAParameters { Modulus = Member("n"), Exponent = Member("e") };
                    if (jwk.TryGetProperty("d", out _))
                    {
                        rsa.D = Member("d");
                        (rsa.P, rsa.Q, rsa.DP, rsa.DQ, rsa.InverseQ) = (Member("p"), Member("q"), Member("dp"), Member("dq"), Member("qi"));
                    }

                    return new CryptoKey(null, rsa);
                default:
                    return new CryptoKey(null, null);
            }
        }
        catch (Exception e) when (e is KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new CryptoException($"failed to parse key from secret: failed to parse JSON Web Key: {e.Message}", e);
        }

        byte[] Member(string name) => System.Buffers.Text.Base64Url.DecodeFromChars(jwk.GetProperty(name).GetString());
    }

    /// <exception cref="CryptoException">The key cannot wrap that way.</exception>
    public byte[] Wrap(KeyWrap algorithm, byte[] key)
    {
        switch (algorithm)
        {
            case KeyWrap.A256Kw when _secret is { Length: 32 }:
                return AesKeyWrap.Wrap(_secret, key);
            case KeyWrap.RsaOaep256 when _rsa is { } parameters:
                using (var rsa = RSA.Create(parameters))
                    return rsa.Encrypt(key, RSAEncryptionPadding.OaepSHA256);
            default:
                throw new CryptoException("failed to encrypt data: key type mismatch");
        }
    }

    /// <summary>Null when the key does not fit: who asks must not learn why.</summary>
    public byte[]? Unwrap(KeyWrap algorithm, byte[] wrapped)
    {
        try
        {
            switch (algorithm)
            {
                case KeyWrap.A256Kw when _secret is { Length: 32 }:
                    return AesKeyWrap.Unwrap(_secret, wrapped);
                case KeyWrap.RsaOaep256 when _rsa is { D: not null } parameters:
                    using (var rsa = RSA.Create(parameters))
                        return rsa.Decrypt(wrapped, RSAEncryptionPadding.OaepSHA256);
                default:
                    return null;
            }
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static CryptoKey FromPem(string pem)
    {
        try
        {
            // PKCS#8 and SPKI say of which kind the key is; one of another kind than RSA is a key that wraps nothing.
            using var rsa = RSA.Create();
            try
            {
                rsa.ImportFromPem(pem);
                return new CryptoKey(null, rsa.ExportParameters(includePrivateParameters: pem.Contains("PRIVATE KEY", StringComparison.Ordinal)));
            }
            catch (Exception e) when (e is CryptographicException or ArgumentException)
            {
                using var curve = ECDsa.Create();
                curve.ImportFromPem(pem);
                return new CryptoKey(null, null);
            }
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CryptoException($"failed to parse key from secret: failed to parse PEM encoded key: {e.Message}", e);
        }
    }

    // A raw key of 16, 24 or 32 bytes is what it is, even if it looks like base64.
    private static byte[]? TryBase64(byte[] bytes)
    {
        if (bytes.Length is 16 or 24 or 32)
            return null;
        var text = System.Text.Encoding.ASCII.GetString(bytes).Trim().Replace('-', '+').Replace('_', '/').TrimEnd('=');
        var decoded = new byte[text.Length];
        return Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), decoded, out var length) && length > 0 ? decoded[..length] : null;
    }
}

/// <summary>How the key of a document is wrapped; the numbers are those of its manifest.</summary>
internal enum KeyWrap
{
    A256Kw = 1,
    A128CbcNoPad = 2,
    A192CbcNoPad = 3,
    A256CbcNoPad = 4,
    RsaOaep256 = 5,
}

/// <summary>AES Key Wrap, RFC 3394.</summary>
internal static class AesKeyWrap
{
    private const ulong Check = 0xA6A6A6A6A6A6A6A6;

    public static byte[] Wrap(byte[] wrappingKey, ReadOnlySpan<byte> key)
    {
        using var aes = Aes.Create();
        aes.Key = wrappingKey;
        var output = new byte[key.Length + 8];
        key.CopyTo(output.AsSpan(8));
        var a = Check;
        var block = new byte[16];
        var count = key.Length / 8;
        for (var t = 1; t <= 6 * count; t++)
        {
            var part = output.AsSpan(((t - 1) % count + 1) * 8, 8);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(block, a);
            part.CopyTo(block.AsSpan(8));
            aes.EncryptEcb(block, block, PaddingMode.None);
            a = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(block) ^ (ulong)t;
            block.AsSpan(8).CopyTo(part);
        }

        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(output, a);
        return output;
    }

    /// <summary>Null when the check value is wrong.</summary>
    public static byte[]? Unwrap(byte[] wrappingKey, ReadOnlySpan<byte> wrapped)
    {
        if (wrapped.Length < 24 || wrapped.Length % 8 != 0)
            return null;
        using var aes = Aes.Create();
        aes.Key = wrappingKey;
        var key = wrapped[8..].ToArray();
        var a = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(wrapped);
        var block = new byte[16];
        var count = key.Length / 8;
        for (var t = 6 * count; t >= 1; t--)
        {
            var part = key.AsSpan((t - 1) % count * 8, 8);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(block, a ^ (ulong)t);
            part.CopyTo(block.AsSpan(8));
            aes.DecryptEcb(block, block, PaddingMode.None);
            a = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(block);
            block.AsSpan(8).CopyTo(part);
        }

        return a == Check ? key : null;
    }
}
