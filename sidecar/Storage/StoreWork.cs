namespace DaprPlatform.Sidecar.Storage;

/// <summary>
/// One write of a group commit. All members are called on the store's writer thread: <see cref="Run"/> inside the transaction; after the commit
/// <see cref="Committed"/> for every work of the group in order, then <see cref="Complete"/>. A work that was not committed gets <see cref="Fail"/> only.
/// </summary>
internal abstract class StoreWork
{
    /// <summary>
    /// True: when <see cref="Run"/> throws, what it has written is taken back and the rest of the group stands. False saves two statements where <see cref="Run"/>
    /// refuses, if at all, before its first statement; a failure of a statement then fails the whole group.
    /// </summary>
    public virtual bool NeedsSavepoint => true;

    public abstract void Run(StoreConnection connection);

    /// <summary>Makes the change visible to readers outside the database, such as a map in memory.</summary>
    public virtual void Committed()
    {
    }

    /// <summary>Tells the caller that the write is durable.</summary>
    public abstract void Complete();

    /// <summary>May be called more than once.</summary>
    public abstract void Fail(Exception error);
}

/// <summary>A write given as a function.</summary>
internal sealed class StoreWork<T>(Func<StoreConnection, T> work) : StoreWork
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T _result = default!;

    public Task<T> Task => _done.Task;

    public override void Run(StoreConnection connection) => _result = work(connection);

    public override void Complete() => _done.TrySetResult(_result);

    public override void Fail(Exception error) => _done.TrySetException(error);
}
