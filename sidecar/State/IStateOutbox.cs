namespace DaprPlatform.Sidecar.State;

/// <summary>Publishes what transactions write (https://docs.dapr.io/developing-applications/building-blocks/state-management/howto-outbox/).</summary>
internal interface IStateOutbox
{
    /// <summary>Transactions of this store go through the outbox.</summary>
    bool Covers(string storeName);

    /// <summary>Runs a transaction of an app.</summary>
    /// <param name="storedKey">Gives a key the store's prefix.</param>
    /// <param name="commit">Commits the writes it is given, under the store's policy.</param>
    ValueTask TransactAsync(string storeName, IReadOnlyList<StateWrite> writes, Func<string, string> storedKey,
        Func<IReadOnlyList<StateWrite>, CancellationToken, ValueTask> commit, CancellationToken cancellationToken);
}
