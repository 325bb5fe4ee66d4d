using System.Runtime.CompilerServices;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resiliency;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Cryptography;

/// <param name="KeyName">Key that wraps the document's own.</param>
/// <param name="DecryptionKeyName">Written into the document instead of <paramref name="KeyName"/>; empty is the same.</param>
internal sealed record EncryptionOptions(string Component, string KeyName, string Algorithm, string Cipher, bool OmitKeyName, string DecryptionKeyName);

/// <summary>Encrypts and decrypts streams for apps (https://docs.dapr.io/reference/api/cryptography_api/). What comes in is never held as a whole here.</summary>
internal sealed class CryptoApi(SidecarRuntime runtime) : IBuildingBlock
{
    private static readonly string[] Subtle = ["getkey", "encrypt", "decrypt", "wrapkey", "unwrapkey", "sign", "verify"];

    /// <summary>The subtle API is not part of released runtimes.</summary>
    public static ApiException NotImplemented => new(501, StatusCode.Unimplemented, "ERR_API_UNIMPLEMENTED", "this API is currently not implemented");

    public void MapHttp(Router router)
    {
        router.Map("crypto", "v1.0-alpha1", "PUT", "crypto/{component}/encrypt", EncryptAsync);
        router.Map("crypto", "v1.0-alpha1", "PUT", "crypto/{component}/decrypt", DecryptAsync);
        foreach (var operation in Subtle)
            router.Map("subtlecrypto", "v1.0-alpha1", "POST", $"subtlecrypto/{{component}}/{operation}", static _ => throw NotImplemented);
    }

    /// <summary>The document of a text, in pieces.</summary>
    /// <exception cref="ApiException">An option is wrong, or the key cannot be used.</exception>
    public async IAsyncEnumerable<byte[]> EncryptAsync(EncryptionOptions options, IAsyncEnumerable<ReadOnlyMemory<byte>> text, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (document, header) = await BeginAsync(options, cancellationToken).ConfigureAwait(false);
        yield return header;
        await foreach (var (segment, isLast) in SegmentsAsync(text, EncryptedDocument.SegmentSize, cancellationToken).ConfigureAwait(false))
            yield return document.Encrypt(segment.Span, isLast);
    }

    /// <summary>The text of a document, in pieces; each is genuine, but only the end tells that all is.</summary>
    /// <param name="keyName">Instead of the name in the document; empty is none.</param>
    /// <exception cref="ApiException">It is no document, or the key is not the right one.</exception>
    /// <exception cref="SegmentException">A piece is not genuine.</exception>
    public async IAsyncEnumerable<byte[]> DecryptAsync(string component, string keyName, IAsyncEnumerable<ReadOnlyMemory<byte>> bytes, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var provider = Provider(component);
        await using var source = bytes.GetAsyncEnumerator(cancellationToken);
        var (header, rest) = await HeaderAsync(source).ConfigureAwait(false);
        var document = await GuardedAsync(component, "decrypt", token => EncryptedDocument.OpenAsync(header, keyName, name => KeyAsync(provider, name, token)), cancellationToken).ConfigureAwait(false);
        await foreach (var (segment, isLast) in SegmentsAsync(FollowAsync(rest, source), EncryptedDocument.SegmentSize + EncryptedDocument.TagSize, cancellationToken).ConfigureAwait(false))
            yield return document.Decrypt(segment.Span, isLast);
    }

    private async Task EncryptAsync(ApiContext context)
    {
        _ = Provider(context["component"]);
        var options = new EncryptionOptions(context["component"], Required("dapr-key-name"), Required("dapr-key-wrap-algorithm"), context.Header("dapr-data-encryption-cipher") ?? "",
            bool.TryParse(context.Header("dapr-omit-decryption-key-name"), out var omit) && omit, context.Header("dapr-decryption-key-name") ?? "");
        await AnswerAsync(context, EncryptAsync(options, BodyAsync(context), context.Cancelled)).ConfigureAwait(false);

        string Required(string header) => context.Header(header) is { Length: > 0 } value ? value : throw BadRequest($"missing header '{header}'");
    }

    private Task DecryptAsync(ApiContext context) =>
        AnswerAsync(context, DecryptAsync(context["component"], context.Header("dapr-key-name") ?? "", BodyAsync(context), context.Cancelled));

    // All is read before anything is answered: a caller over HTTP could not be told of a bad segment later.
    private static async Task AnswerAsync(ApiContext context, IAsyncEnumerable<byte[]> pieces)
    {
        using var all = new MemoryStream();
        await foreach (var piece in pieces.ConfigureAwait(false))
            all.Write(piece);
        await context.Bytes(all.GetBuffer().AsMemory(0, (int)all.Length), "application/octet-stream").ConfigureAwait(false);
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> BodyAsync(ApiContext context)
    {
        yield return await context.BodyAsync().ConfigureAwait(false);
    }

    private async ValueTask<(EncryptedDocument Document, byte[] Header)> BeginAsync(EncryptionOptions options, CancellationToken cancellationToken)
    {
        var provider = Provider(options.Component);
        return await GuardedAsync(options.Component, "encrypt", async token =>
        {
            var algorithm = options.Algorithm.ToUpperInvariant() switch
            {
                "A256KW" or "AES" => KeyWrap.A256Kw,
                "RSA-OAEP-256" or "RSA" => KeyWrap.RsaOaep256,
                "A128CBC-NOPAD" or "A192CBC-NOPAD" or "A256CBC-NOPAD" => throw new CryptoException("failed to wrap the file key: failed to encrypt data: unsupported algorithm"),
                var other => throw new CryptoException($"option Algorithm is not valid: algorithm {other} is not supported"),
            };
            var cipher = options.Cipher.ToUpperInvariant() switch
            {
                "" or "AES-GCM" => DocumentCipher.AesGcm,
                "CHACHA20-POLY1305" => DocumentCipher.ChaCha20Poly1305,
                var other => throw new CryptoException($"option Cipher is not valid: cipher {other} is not supported"),
            };
            var name = options.OmitKeyName ? null : options.DecryptionKeyName.Length > 0 ? options.DecryptionKeyName : options.KeyName;
            try
            {
                var key = await KeyAsync(provider, options.KeyName, token).ConfigureAwait(false);
                return EncryptedDocument.Create(key, algorithm, cipher, name);
            }
            catch (CryptoException e)
            {
                throw new CryptoException($"failed to wrap the file key: {e.Message}", e);
            }
        }, cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask<CryptoKey> KeyAsync(ICryptoProvider provider, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await provider.KeyAsync(name, cancellationToken).ConfigureAwait(false);
        }
        catch (CryptoException e)
        {
            throw new CryptoException($"failed to retrieve the key encryption key: {e.Message}", e);
        }
    }

    private async ValueTask<T> GuardedAsync<T>(string component, string operation, Func<CancellationToken, ValueTask<T>> run, CancellationToken cancellationToken)
    {
        try
        {
            return await runtime.Metrics.MeasureAsync("crypto", component, operation,
                () => runtime.Resiliency.ForComponent(component, "Crypto", ComponentDirection.Outbound).RunAsync(run, cancellationToken)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (OperationCanceledException or ApiException))
        {
            throw Failure(e.Message);
        }
    }

    private static async ValueTask<(byte[] Header, ReadOnlyMemory<byte> Following)> HeaderAsync(IAsyncEnumerator<ReadOnlyMemory<byte>> source)
    {
        try
        {
            var read = Array.Empty<byte>();
            while (true)
            {
                var more = await source.MoveNextAsync().ConfigureAwait(false);
                if (more)
                    read = [.. read, .. source.Current.Span];
                if (EncryptedDocument.HeaderLength(read, isAll: !more) is { } length)
                    return (read[..length], read.AsMemory(length));
            }
        }
        catch (CryptoException e)
        {
            throw Failure(e.Message);
        }
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> FollowAsync(ReadOnlyMemory<byte> first, IAsyncEnumerator<ReadOnlyMemory<byte>> rest)
    {
        yield return first;
        while (await rest.MoveNextAsync().ConfigureAwait(false))
            yield return rest.Current;
    }

    // Cuts a stream into pieces of one size; the last is known as such because the next one is looked for before it is handed on.
    private static async IAsyncEnumerable<(ReadOnlyMemory<byte> Segment, bool IsLast)> SegmentsAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> source, int size, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new byte[size];
        var filled = 0;
        await foreach (var chunk in source.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            for (var rest = chunk; !rest.IsEmpty;)
            {
                if (filled == size)
                {
                    yield return (buffer, false);
                    filled = 0;
                }

                var take = Math.Min(size - filled, rest.Length);
                rest[..take].CopyTo(buffer.AsMemory(filled));
                filled += take;
                rest = rest[take..];
            }
        }

        if (filled > 0)
            yield return (buffer.AsMemory(0, filled), true);
    }

    /// <exception cref="ApiException">There is none of this name.</exception>
    private ICryptoProvider Provider(string name)
    {
        if (runtime.Components.TryGet<ICryptoProvider>(name, out var provider))
            return provider;
        throw runtime.Components.All<ICryptoProvider>().Any()
            ? ApiException.BadRequest("ERR_CRYPTO_PROVIDER_NOT_FOUND", $"crypto provider {name} not found")
            : new ApiException(500, StatusCode.Internal, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", "crypto providers not configured");
    }

    public static ApiException Failure(string message) => ApiException.Internal("ERR_CRYPTO", $"failed to perform operation: {message}");

    public static ApiException BadRequest(string message) => ApiException.BadRequest("ERR_BAD_REQUEST", $"invalid request: {message}");
}
