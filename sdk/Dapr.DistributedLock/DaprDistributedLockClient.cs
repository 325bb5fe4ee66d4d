using System.Diagnostics.CodeAnalysis;
using Dapr.Common;
using Dapr.DistributedLock.Models;

namespace Dapr.DistributedLock;

/// <summary>Takes and frees locks.</summary>
[Experimental("DAPR_DISTRIBUTEDLOCK")]
public abstract class DaprDistributedLockClient : IDaprClient
{
    bool _disposed;

    /// <summary>Takes a lock if it is free; null if it is not.</summary>
    /// <param name="storeName">The lock store.</param>
    /// <param name="resourceId">What is locked.</param>
    /// <param name="lockOwner">Who locks; only the same owner can unlock.</param>
    /// <param name="expiryInSeconds">After so many seconds the lock is free again.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <exception cref="DaprException">The sidecar refused.</exception>
    public abstract Task<LockResponse?> TryLockAsync(string storeName, string resourceId, string lockOwner, int expiryInSeconds, CancellationToken cancellationToken = default);

    /// <summary>Frees a lock.</summary>
    /// <exception cref="DaprException">The sidecar refused.</exception>
    public abstract Task<UnlockResponse> TryUnlockAsync(string storeName, string resourceId, string lockOwner, CancellationToken cancellationToken = default);

    /// <inheritdoc />
    public void Dispose()
    {
        if (_disposed)
            return;
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
        _disposed = true;
    }

    /// <summary>Closes connections.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
