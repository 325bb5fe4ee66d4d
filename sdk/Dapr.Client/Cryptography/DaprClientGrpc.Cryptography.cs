using System.Buffers;
using System.Runtime.CompilerServices;
using Dapr.Common;
using Google.Protobuf;
using Grpc.Core;
using Wire = Dapr.Proto.Runtime.V1;
using WireStream = Dapr.Proto.Common.V1;

namespace Dapr.Client;

internal sealed partial class DaprClientGrpc
{
    public override Task<ReadOnlyMemory<byte>> EncryptAsync(
        string vaultResourceName, ReadOnlyMemory<byte> plaintextBytes, string keyName, EncryptionOptions encryptionOptions, CancellationToken cancellationToken = default) =>
        Collect(EncryptAsync(vaultResourceName, new MemoryStream(plaintextBytes.ToArray(), writable: false), keyName, encryptionOptions, cancellationToken));

    public override IAsyncEnumerable<ReadOnlyMemory<byte>> EncryptAsync(
        string vaultResourceName, Stream plaintextStream, string keyName, EncryptionOptions encryptionOptions, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(vaultResourceName);
        ArgumentException.ThrowIfNullOrEmpty(keyName);
        ArgumentNullException.ThrowIfNull(plaintextStream);
        ArgumentNullException.ThrowIfNull(encryptionOptions);
        var options = new Wire.EncryptRequestOptions
        {
            ComponentName = vaultResourceName,
            KeyName = keyName,
            KeyWrapAlgorithm = Name(encryptionOptions.KeyWrapAlgorithm),
            DataEncryptionCipher = encryptionOptions.EncryptionCipher == DataEncryptionCipher.ChaCha20Poly1305 ? "chacha20-poly1305" : "aes-gcm",
            OmitDecryptionKeyName = string.IsNullOrEmpty(encryptionOptions.DecryptionKeyName),
            DecryptionKeyName = encryptionOptions.DecryptionKeyName ?? "",
        };
        return Transform(
            plaintextStream,
            encryptionOptions.StreamingBlockSizeInBytes,
            _client.EncryptAlpha1,
            payload => new Wire.EncryptRequest { Options = payload.Seq == 0 ? options : null, Payload = payload },
            response => response.Payload,
            cancellationToken);
    }

    public override Task<ReadOnlyMemory<byte>> DecryptAsync(
        string vaultResourceName, ReadOnlyMemory<byte> ciphertextBytes, string keyName, DecryptionOptions options, CancellationToken cancellationToken = default) =>
        Collect(DecryptAsync(vaultResourceName, new MemoryStream(ciphertextBytes.ToArray(), writable: false), keyName, options, cancellationToken));

    public override Task<ReadOnlyMemory<byte>> DecryptAsync(string vaultResourceName, ReadOnlyMemory<byte> ciphertextBytes, string keyName, CancellationToken cancellationToken = default) =>
        DecryptAsync(vaultResourceName, ciphertextBytes, keyName, new DecryptionOptions(), cancellationToken);

    public override IAsyncEnumerable<ReadOnlyMemory<byte>> DecryptAsync(string vaultResourceName, Stream ciphertextStream, string keyName, CancellationToken cancellationToken = default) =>
        DecryptAsync(vaultResourceName, ciphertextStream, keyName, new DecryptionOptions(), cancellationToken);

    public override IAsyncEnumerable<ReadOnlyMemory<byte>> DecryptAsync(
        string vaultResourceName, Stream ciphertextStream, string keyName, DecryptionOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(vaultResourceName);
        ArgumentException.ThrowIfNullOrEmpty(keyName);
        ArgumentNullException.ThrowIfNull(ciphertextStream);
        ArgumentNullException.ThrowIfNull(options);
        var first = new Wire.DecryptRequestOptions { ComponentName = vaultResourceName, KeyName = keyName };
        return Transform(
            ciphertextStream,
            options.StreamingBlockSizeInBytes,
            _client.DecryptAlpha1,
            payload => new Wire.DecryptRequest { Options = payload.Seq == 0 ? first : null, Payload = payload },
            response => response.Payload,
            cancellationToken);
    }

    // Sends while it receives: the sidecar answers before it has everything, and stops reading if its answers are not taken.
    async IAsyncEnumerable<ReadOnlyMemory<byte>> Transform<TRequest, TResponse>(
        Stream input,
        int blockSize,
        Func<CallOptions, AsyncDuplexStreamingCall<TRequest, TResponse>> start,
        Func<WireStream.StreamPayload, TRequest> request,
        Func<TResponse, WireStream.StreamPayload?> payload,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var call = start(Options(stop.Token));
        var sending = Send(input, blockSize, call.RequestStream, request, stop);
        try
        {
            while (await Next(call.ResponseStream, sending, stop.Token).ConfigureAwait(false))
            {
                if (payload(call.ResponseStream.Current) is { Data.IsEmpty: false } piece)
                    yield return piece.Data.Memory;
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    static async Task Send<TRequest>(Stream input, int blockSize, IClientStreamWriter<TRequest> to, Func<WireStream.StreamPayload, TRequest> request, CancellationTokenSource stop)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(blockSize);
        try
        {
            for (ulong seq = 0; ; seq++)
            {
                var count = await input.ReadAtLeastAsync(buffer.AsMemory(0, blockSize), blockSize, throwOnEndOfStream: false, stop.Token).ConfigureAwait(false);
                if (count > 0 || seq == 0)
                    await to.WriteAsync(request(new WireStream.StreamPayload { Data = ByteString.CopyFrom(buffer, 0, count), Seq = seq }), stop.Token).ConfigureAwait(false);
                if (count < blockSize)
                    break;
            }

            await to.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not RpcException and not OperationCanceledException)
        {
            // The input failed: nothing will come any more.
            await stop.CancelAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    static async Task<bool> Next<TResponse>(IAsyncStreamReader<TResponse> responses, Task sending, CancellationToken cancellationToken)
    {
        try
        {
            return await responses.MoveNext(cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e)
        {
            throw GrpcCalls.Failed("Cryptography", e);
        }
        catch (OperationCanceledException) when (sending.IsFaulted)
        {
            await sending.ConfigureAwait(false);
            throw;
        }
    }

    static async Task<ReadOnlyMemory<byte>> Collect(IAsyncEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var all = new ArrayBufferWriter<byte>();
        await foreach (var piece in pieces.ConfigureAwait(false))
            all.Write(piece.Span);
        return all.WrittenMemory;
    }

    static string Name(KeyWrapAlgorithm algorithm) => algorithm switch
    {
        KeyWrapAlgorithm.Aes => "AES",
        KeyWrapAlgorithm.A256kw => "A256KW",
        KeyWrapAlgorithm.A128cbc => "A128CBC",
        KeyWrapAlgorithm.A192cbc => "A192CBC",
        KeyWrapAlgorithm.A256cbc => "A256CBC",
        KeyWrapAlgorithm.RsaOaep256 => "RSA-OAEP-256",
        KeyWrapAlgorithm.Rsa => "RSA",
        _ => throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, "Not a key wrap algorithm."),
    };
}
