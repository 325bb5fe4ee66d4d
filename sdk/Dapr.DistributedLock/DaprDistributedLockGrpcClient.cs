using Dapr.Common;
using Dapr.DistributedLock.Models;
using Grpc.Core;
using Grpc.Net.Client;
using Wire = Dapr.Proto.Runtime.V1;

namespace Dapr.DistributedLock;

internal sealed class DaprDistributedLockGrpcClient(GrpcChannel channel, string apiToken) : DaprDistributedLockClient
{
    readonly Wire.Dapr.DaprClient _client = new(channel);

    public override async Task<LockResponse?> TryLockAsync(string storeName, string resourceId, string lockOwner, int expiryInSeconds, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(resourceId);
        ArgumentException.ThrowIfNullOrEmpty(lockOwner);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(expiryInSeconds);
        var request = new Wire.TryLockRequest { StoreName = storeName, ResourceId = resourceId, LockOwner = lockOwner, ExpiryInSeconds = expiryInSeconds };
        var response = await _client.TryLockAlpha1Async(request, Options(cancellationToken)).Unwrap("Lock").ConfigureAwait(false);
        return response.Success ? new LockResponse(this, storeName, resourceId, lockOwner) : null;
    }

    public override async Task<UnlockResponse> TryUnlockAsync(string storeName, string resourceId, string lockOwner, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        ArgumentException.ThrowIfNullOrEmpty(resourceId);
        ArgumentException.ThrowIfNullOrEmpty(lockOwner);
        var request = new Wire.UnlockRequest { StoreName = storeName, ResourceId = resourceId, LockOwner = lockOwner };
        var response = await _client.UnlockAlpha1Async(request, Options(cancellationToken)).Unwrap("Unlock").ConfigureAwait(false);
        return new UnlockResponse(response.Status switch
        {
            Wire.UnlockResponse.Types.Status.Success => LockStatus.Success,
            Wire.UnlockResponse.Types.Status.LockDoesNotExist => LockStatus.LockDoesNotExist,
            Wire.UnlockResponse.Types.Status.LockBelongsToOthers => LockStatus.LockBelongsToOthers,
            _ => LockStatus.InternalError,
        });
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            channel.Dispose();
    }

    CallOptions Options(CancellationToken cancellationToken) => DaprHeaders.CallOptions(apiToken, cancellationToken);
}
