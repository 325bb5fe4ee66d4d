namespace Dapr.Client;

/// <summary>What became of an unlock.</summary>
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

/// <summary>Whether a lock was taken. Disposing it frees the lock if it was.</summary>
public sealed class TryLockResponse : IAsyncDisposable
{
    /// <summary>Whether the lock was taken.</summary>
    public bool Success { get; init; }

    /// <summary>What is locked.</summary>
    public required string ResourceId { get; init; }

    /// <summary>Who locked.</summary>
    public required string LockOwner { get; init; }

    /// <summary>The lock store.</summary>
    public required string StoreName { get; init; }

    internal DaprClient? Client { get; init; }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (!Success)
            return;
        if (Client is not null)
        {
            await Client.Unlock(StoreName, ResourceId, LockOwner).ConfigureAwait(false);
            return;
        }

        using var client = new DaprClientBuilder().Build();
        await client.Unlock(StoreName, ResourceId, LockOwner).ConfigureAwait(false);
    }
}

/// <summary>What became of an unlock.</summary>
public class UnlockResponse
{
    /// <summary>An outcome.</summary>
    public UnlockResponse(LockStatus status) => this.status = status;

    /// <summary>The outcome.</summary>
    public LockStatus status { get; }
}
