using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Locking;

internal enum UnlockStatus
{
    Success,
    LockDoesNotExist,
    LockBelongsToOthers,
    InternalError,
}

/// <summary>A lock store: <c>lock.redis</c>. A lock is held until it is given back or its time is over; taking it again does not prolong it.</summary>
internal interface ILockStore : IComponent
{
    /// <summary>False when somebody holds it, the same owner included.</summary>
    ValueTask<bool> TryLockAsync(string resource, string owner, TimeSpan expiry, CancellationToken cancellationToken);

    ValueTask<UnlockStatus> UnlockAsync(string resource, string owner, CancellationToken cancellationToken);
}
