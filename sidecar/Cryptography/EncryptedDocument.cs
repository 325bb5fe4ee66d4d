using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace DaprPlatform.Sidecar.Cryptography;

/// <summary>How the segments of a document are encrypted; the numbers are those of its manifest.</summary>
internal enum DocumentCipher
{
    AesGcm = 1,
    ChaCha20Poly1305 = 2,
}

/// <summary>
/// The document format <c>dapr.io/enc/v1</c>: three lines (scheme, manifest, base64 of its MAC), then segments of at most 64 KiB, each with a tag. The nonce counts the
/// segments and marks the last, so that none can be moved, left out or cut off. An empty text has no segment at all.
/// </summary>
internal sealed class EncryptedDocument
{
    public const int SegmentSize = 65536;
    public const int TagSize = 16;
    private const string Scheme = "dapr.io/enc/v1";
    private const int NoncePrefixSize = 7;
    private const int LongestHeader = 1 << 16;

    private readonly byte[] _payloadKey;
    private readonly byte[] _noncePrefix;
    private readonly DocumentCipher _cipher;
    private uint _segment;

    private EncryptedDocument(byte[] fileKey, byte[] noncePrefix, DocumentCipher cipher)
    {
        _payloadKey = HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, 32, noncePrefix, "payload"u8.ToArray());
        _noncePrefix = noncePrefix;
        _cipher = cipher;
    }

    /// <summary>Begins a document with a key of its own.</summary>
    /// <param name="keyName">Null leaves the name out.</param>
    public static (EncryptedDocument Document, byte[] Header) Create(CryptoKey key, KeyWrap algorithm, DocumentCipher cipher, string? keyName)
    {
        var fileKey = RandomNumberGenerator.GetBytes(32);
        var noncePrefix = RandomNumberGenerator.GetBytes(NoncePrefixSize);
        var header = new StringBuilder(Scheme).Append("\n{");
        if (keyName is not null)
            header.Append("\"k\":\"").Append(JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(keyName)).Append("\",");
        header.Append("\"kw\":").Append((int)algorithm).Append(",\"wfk\":\"").Append(Convert.ToBase64String(key.Wrap(algorithm, fileKey)))
            .Append("\",\"cph\":").Append((int)cipher).Append(",\"np\":\"").Append(Convert.ToBase64String(noncePrefix)).Append("\"}\n");
        var signed = Encoding.UTF8.GetBytes(header.ToString());
        return (new EncryptedDocument(fileKey, noncePrefix, cipher), [.. signed, .. Encoding.ASCII.GetBytes(Convert.ToBase64String(Mac(fileKey, signed))), (byte)'\n']);
    }

    /// <summary>The length of the header; null when its three lines are not complete yet.</summary>
    /// <param name="isAll">No more bytes follow.</param>
    /// <exception cref="CryptoException">It is no document.</exception>
    public static int? HeaderLength(ReadOnlySpan<byte> bytes, bool isAll)
    {
        var at = 0;
        for (var line = 0; line < 3; line++)
        {
            var end = bytes[at..].IndexOf((byte)'\n');
            if (end < 0)
            {
                if (!isAll && bytes.Length <= LongestHeader)
                    return null;
                throw new CryptoException($"invalid header: {(line == 0 ? "scheme name" : line == 1 ? "manifest" : "MAC")} not found");
            }

            if (line == 0 && !bytes[..end].SequenceEqual(Encoding.ASCII.GetBytes(Scheme)))
                throw new CryptoException("invalid header: unsupported scheme");
            at += end + 1;
        }

        return at;
    }

    /// <summary>Opens a document by its complete header.</summary>
    /// <param name="keyName">Instead of the name in the document; empty is none.</param>
    /// <exception cref="CryptoException">The header is malformed, or the key is not the right one.</exception>
    public static async ValueTask<EncryptedDocument> OpenAsync(byte[] header, string keyName, Func<string, ValueTask<CryptoKey>> findKey)
    {
        var manifestStart = Scheme.Length + 1;
        var signedLength = header.AsSpan(manifestStart).IndexOf((byte)'\n') + manifestStart + 1;
        var (manifestKey, algorithm, wrapped, cipher, noncePrefix) = ReadManifest(header.AsMemory(manifestStart, signedLength - manifestStart - 1));
        var mac = new byte[64];
        if (!Convert.TryFromBase64String(Encoding.ASCII.GetString(header.AsSpan(signedLength..^1)), mac, out var macLength))
            throw new CryptoException("invalid header: the MAC is no base64");
        var name = keyName.Length > 0 ? keyName : manifestKey;
        if (name.Length == 0)
            throw new CryptoException("document's manifest does not contain a key name, and no key name was provided");
        var key = await findKey(name).ConfigureAwait(false);

        // A key that does not fit goes on with one that cannot validate, so that the two are not told apart.
        var fileKey = key.Unwrap(algorithm, wrapped) is { Length: 32 } unwrapped ? unwrapped : RandomNumberGenerator.GetBytes(32);
        if (!CryptographicOperations.FixedTimeEquals(Mac(fileKey, header.AsSpan(0, signedLength)), mac.AsSpan(0, macLength)))
            throw new CryptoException("failed to validate the document's signature");
        return new EncryptedDocument(fileKey, noncePrefix, cipher);
    }

    /// <summary>Encrypts the next segment: <see cref="SegmentSize"/> bytes, fewer only in the last.</summary>
    public byte[] Encrypt(ReadOnlySpan<byte> text, bool isLast)
    {
        var output = new byte[text.Length + TagSize];
        var nonce = NextNonce(isLast);
        if (_cipher == DocumentCipher.AesGcm)
        {
            using var aes = new AesGcm(_payloadKey, TagSize);
            aes.Encrypt(nonce, text, output.AsSpan(0, text.Length), output.AsSpan(text.Length));
        }
        else
        {
            using var chacha = new ChaCha20Poly1305(_payloadKey);
            chacha.Encrypt(nonce, text, output.AsSpan(0, text.Length), output.AsSpan(text.Length));
        }

        return output;
    }

    /// <summary>Decrypts the next segment.</summary>
    /// <exception cref="SegmentException">It is not what was encrypted, or not the one that follows.</exception>
    public byte[] Decrypt(ReadOnlySpan<byte> segment, bool isLast)
    {
        var number = _segment;
        if (segment.Length <= TagSize)
            throw new SegmentException(number);
        var output = new byte[segment.Length - TagSize];
        var nonce = NextNonce(isLast);
        try
        {
            if (_cipher == DocumentCipher.AesGcm)
            {
                using var aes = new AesGcm(_payloadKey, TagSize);
                aes.Decrypt(nonce, segment[..^TagSize], segment[^TagSize..], output);
            }
            else
            {
                using var chacha = new ChaCha20Poly1305(_payloadKey);
                chacha.Decrypt(nonce, segment[..^TagSize], segment[^TagSize..], output);
            }

            return output;
        }
        catch (CryptographicException)
        {
            throw new SegmentException(number);
        }
    }

    private static byte[] Mac(byte[] fileKey, ReadOnlySpan<byte> signed) => HMACSHA256.HashData(HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, 32, info: "header"u8.ToArray()), signed);

    private static (string Key, KeyWrap Algorithm, byte[] Wrapped, DocumentCipher Cipher, byte[] NoncePrefix) ReadManifest(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var manifest = document.RootElement;
            var key = manifest.TryGetProperty("k", out var name) ? name.GetString() ?? "" : "";
            var algorithm = (KeyWrap)manifest.GetProperty("kw").GetInt32();
            var cipher = (DocumentCipher)manifest.GetProperty("cph").GetInt32();
            var noncePrefix = manifest.GetProperty("np").GetBytesFromBase64();
            if (!Enum.IsDefined(algorithm) || !Enum.IsDefined(cipher) || noncePrefix.Length != NoncePrefixSize)
                throw new CryptoException("invalid header: invalid manifest");
            return (key, algorithm, manifest.GetProperty("wfk").GetBytesFromBase64(), cipher, noncePrefix);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new CryptoException($"invalid header: invalid manifest: {e.Message}", e);
        }
    }

    private byte[] NextNonce(bool isLast)
    {
        var nonce = new byte[12];
        _noncePrefix.CopyTo(nonce, 0);
        BinaryPrimitives.WriteUInt32BigEndian(nonce.AsSpan(NoncePrefixSize), _segment);
        nonce[11] = isLast ? (byte)1 : (byte)0;
        _segment = checked(_segment + 1);
        return nonce;
    }
}

/// <summary>A segment does not decrypt.</summary>
internal sealed class SegmentException(uint segment) : Exception($"error processing segment {segment}: failed to decrypt segment");
