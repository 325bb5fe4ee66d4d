using System.Runtime.CompilerServices;
using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Cryptography;
using DaprPlatform.Sidecar.Http;
using Google.Protobuf;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of cryptography: options come with the first message, pieces are numbered from 0 in both directions.</summary>
internal sealed partial class DaprGrpcService
{
    private CryptoApi Crypto => field ??= _runtime.Block<CryptoApi>();

    public override Task EncryptAlpha1(IAsyncStreamReader<EncryptRequest> requestStream, IServerStreamWriter<EncryptResponse> responseStream, ServerCallContext context) => CryptoCallAsync(async () =>
    {
        if (!await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false) || requestStream.Current.Options is not { } options)
            throw CryptoApi.BadRequest("first message does not contain the required options");
        if (options.ComponentName.Length == 0)
            throw CryptoApi.BadRequest("missing component name");
        if (options.KeyName.Length == 0)
            throw CryptoApi.BadRequest("missing property 'keyName' in the options message");
        if (options.KeyWrapAlgorithm.Length == 0)
            throw CryptoApi.BadRequest("missing property 'keyWrapAlgorithm' in the options message");
        var wanted = new EncryptionOptions(options.ComponentName, options.KeyName, options.KeyWrapAlgorithm, options.DataEncryptionCipher, options.OmitDecryptionKeyName, options.DecryptionKeyName);
        ulong sequence = 0;
        await foreach (var piece in Crypto.EncryptAsync(wanted, PiecesAsync(requestStream, r => r.Payload, r => r.Options is not null, context.CancellationToken), context.CancellationToken).ConfigureAwait(false))
            await responseStream.WriteAsync(new EncryptResponse { Payload = Payload(piece, sequence++) }).ConfigureAwait(false);
    });

    public override Task DecryptAlpha1(IAsyncStreamReader<DecryptRequest> requestStream, IServerStreamWriter<DecryptResponse> responseStream, ServerCallContext context) => CryptoCallAsync(async () =>
    {
        if (!await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false) || requestStream.Current.Options is not { } options)
            throw CryptoApi.BadRequest("first message does not contain the required options");
        if (options.ComponentName.Length == 0)
            throw CryptoApi.BadRequest("missing component name");
        ulong sequence = 0;
        await foreach (var piece in Crypto.DecryptAsync(options.ComponentName, options.KeyName, PiecesAsync(requestStream, r => r.Payload, r => r.Options is not null, context.CancellationToken), context.CancellationToken).ConfigureAwait(false))
            await responseStream.WriteAsync(new DecryptResponse { Payload = Payload(piece, sequence++) }).ConfigureAwait(false);
    });

    public override Task<SubtleGetKeyResponse> SubtleGetKeyAlpha1(SubtleGetKeyRequest request, ServerCallContext context) => throw CryptoApi.NotImplemented.ToRpcException();

    public override Task<SubtleEncryptResponse> SubtleEncryptAlpha1(SubtleEncryptRequest request, ServerCallContext context) => throw CryptoApi.NotImplemented.ToRpcException();

    public override Task<SubtleDecryptResponse> SubtleDecryptAlpha1(SubtleDecryptRequest request, ServerCallContext context) => throw CryptoApi.NotImplemented.ToRpcException();

    public override Task<SubtleWrapKeyResponse> SubtleWrapKeyAlpha1(SubtleWrapKeyRequest request, ServerCallContext context) => throw CryptoApi.NotImplemented.ToRpcException();

    public override Task<SubtleUnwrapKeyResponse> SubtleUnwrapKeyAlpha1(SubtleUnwrapKeyRequest request, ServerCallContext context) => throw CryptoApi.NotImplemented.ToRpcException();

    public override Task<SubtleSignResponse> SubtleSignAlpha1(SubtleSignRequest request, ServerCallContext context) => throw CryptoApi.NotImplemented.ToRpcException();

    public override Task<SubtleVerifyResponse> SubtleVerifyAlpha1(SubtleVerifyRequest request, ServerCallContext context) => throw CryptoApi.NotImplemented.ToRpcException();

    private async Task CryptoCallAsync(Func<Task> call)
    {
        try
        {
            await call().ConfigureAwait(false);
        }
        catch (Exception e) when (e is ApiException or SegmentException)
        {
            var error = e as ApiException ?? CryptoApi.Failure(e.Message);
            _runtime.Metrics.ErrorCodes.Count(error, overGrpc: true);
            throw error.ToRpcException();
        }
    }

    // From the message the stream stands on: the first may carry a piece beside its options.
    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> PiecesAsync<T>(IAsyncStreamReader<T> stream, Func<T, StreamPayload?> payload, Func<T, bool> hasOptions, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ulong expected = 0;
        for (var first = true; ; first = false)
        {
            if (!first)
            {
                if (!await stream.MoveNext(cancellationToken).ConfigureAwait(false))
                    yield break;
                if (hasOptions(stream.Current))
                    throw CryptoApi.BadRequest("options found in non-leading message");
            }

            if (payload(stream.Current) is not { } piece)
                continue;
            if (piece.Seq != expected)
                throw CryptoApi.Failure($"invalid sequence number received: {piece.Seq} (expected: {expected})");
            expected++;
            if (piece.Data.Length > 0)
                yield return piece.Data.Memory;
        }
    }

    private static StreamPayload Payload(byte[] piece, ulong sequence) => new() { Data = UnsafeByteOperations.UnsafeWrap(piece), Seq = sequence };
}
