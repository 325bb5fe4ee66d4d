using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Locking;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of locks.</summary>
internal sealed partial class DaprGrpcService
{
    private LockApi Locks => field ??= _runtime.Block<LockApi>();

    public override async Task<TryLockResponse> TryLockAlpha1(TryLockRequest request, ServerCallContext context) =>
        new() { Success = await Translated(Locks.TryLockAsync(request, context.CancellationToken)).ConfigureAwait(false) };

    public override async Task<UnlockResponse> UnlockAlpha1(UnlockRequest request, ServerCallContext context) =>
        new() { Status = (UnlockResponse.Types.Status)await Translated(Locks.UnlockAsync(request, context.CancellationToken)).ConfigureAwait(false) };
}
