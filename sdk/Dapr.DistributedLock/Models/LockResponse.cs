using System.Diagnostics.CodeAnalysis;

namespace Dapr.DistributedLock.Models;

/// <summary>A lock that was taken. Disposing it frees the lock.</summary>
[Experimental("DAPR_DISTRIBUTEDLOCK")]
public sealed class LockResponse : IAsyncDisposable
{
    readonly DaprDistributedLockClient _client;
    int _disposed;

    internal LockResponse(DaprDistributedLockClient client, string storeName, string resourceId, string lockOwner)
    {
        _client = client;
        StoreName = storeName;
        ResourceId = resourceId;
        LockOwner = lockOwner;
    }

    /// <summary>The lock store.</summary>
    public string StoreName { get; }

    /// <summary>What is locked.</summary>
    public string ResourceId { get; }

    /// <summary>Who locked.</summary>
    public string LockOwner { get; }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            await _client.TryUnlockAsync(StoreName, ResourceId, LockOwner).ConfigureAwait(false);
    }
}

/// <summary>What became of an unlock.</summary>
/// <param name="Status">The outcome.</param>
[Experimental("DAPR_DISTRIBUTEDLOCK")]
public sealed record UnlockResponse(LockStatus Status);

/// <summary>What became of an unlock.</summary>
[Experimental("DAPR_DISTRIBUTEDLOCK")]
public enum LockStatus
{
    /// <summary>The lock is free.</summary>
    Success,

    /// <summary>There was no lock: never taken, or expired.</summary>
    LockDoesNotExist,

    /// <summary>Another owner holds it.</summary>
    LockBelongsToOthers,

    /// <summary>The store failed.</summary>
    InternalError,
}
