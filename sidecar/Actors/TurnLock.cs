namespace DaprPlatform.Sidecar.Actors;

/// <summary>How an attempt to enter a turn ended.</summary>
internal enum TurnEntry
{
    /// <summary>The turn is held; <see cref="TurnLock.Exit"/> ends it.</summary>
    Entered,

    /// <summary>The actor is being deactivated: a new instance has to be waited for.</summary>
    Closing,

    /// <summary>The chain of calls is as deep as it may be.</summary>
    TooDeep,
}

/// <summary>
/// The turns of one actor: one holder at a time, first come first served. Where reentrancy is on, calls with the holder's id enter beside it, up to a depth; those
/// that came with one id enter together. Thread-safe.
/// </summary>
/// <param name="maxDepth">Calls of one id that may be inside; 0: not reentrant.</param>
internal sealed class TurnLock(int maxDepth)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private string? _holder;
    private int _depth;
    private bool _closing;
    private TaskCompletionSource? _empty;

    /// <summary>Waits for the turn. A caller who leaves while it waits leaves no trace.</summary>
    /// <param name="id">Reentrancy id; null, and wherever reentrancy is off: nobody else's.</param>
    public ValueTask<TurnEntry> EnterAsync(string? id, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<TurnEntry>(cancellationToken);
        Waiter waiter;
        lock (_lock)
        {
            if (_depth > 0 && maxDepth > 0 && id is not null && id == _holder)
            {
                // A chain that is inside goes on while the actor waits for it to end.
                if (_depth >= maxDepth)
                    return ValueTask.FromResult(TurnEntry.TooDeep);
                _depth++;
                return ValueTask.FromResult(TurnEntry.Entered);
            }

            if (_closing)
                return ValueTask.FromResult(TurnEntry.Closing);
            if (_depth == 0)
            {
                (_holder, _depth) = (id, 1);
                return ValueTask.FromResult(TurnEntry.Entered);
            }

            waiter = new Waiter(this, id);
            waiter.Node = _waiting.AddLast(waiter);
        }

        return new ValueTask<TurnEntry>(waiter.WaitAsync(cancellationToken));
    }

    /// <summary>Ends a turn; the next in line gets it.</summary>
    public void Exit()
    {
        TaskCompletionSource? empty = null;
        lock (_lock)
        {
            if (--_depth > 0)
                return;
            _holder = null;
            if (_closing)
                empty = _empty;
            else
                Grant();
        }

        empty?.TrySetResult();
    }

    /// <summary>Lets nobody in any more, but for calls of the chain that is inside; who waits is sent away. Completes when nobody is inside.</summary>
    public Task CloseAsync()
    {
        List<Waiter>? turnedAway = null;
        Task task;
        lock (_lock)
        {
            if (!_closing)
            {
                _closing = true;
                _empty = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                if (_depth == 0)
                    _empty.TrySetResult();
                turnedAway = [.. _waiting];
                foreach (var waiter in turnedAway)
                    waiter.Node = null;
                _waiting.Clear();
            }

            task = _empty!.Task;
        }

        foreach (var waiter in turnedAway ?? [])
            waiter.TrySetResult(TurnEntry.Closing);
        return task;
    }

    private void Grant()
    {
        if (_waiting.First is not { } first)
            return;
        var id = first.Value.Id;
        (_holder, _depth) = (id, 0);
        for (var node = first; node is not null;)
        {
            var (waiter, next) = (node.Value, node.Next);
            if (node == first || (maxDepth > _depth && id is not null && waiter.Id == id))
            {
                _waiting.Remove(node);
                waiter.Node = null;
                _depth++;
                waiter.TrySetResult(TurnEntry.Entered);
            }

            if (maxDepth == 0 || id is null)
                return;
            node = next;
        }
    }

    private sealed class Waiter(TurnLock owner, string? id) : TaskCompletionSource<TurnEntry>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public string? Id => id;

        /// <summary>Null once it no longer waits.</summary>
        public LinkedListNode<Waiter>? Node { get; set; }

        public async Task<TurnEntry> WaitAsync(CancellationToken cancellationToken)
        {
            await using var left = cancellationToken.UnsafeRegister(static state => ((Waiter)state!).Leave(), this);
            try
            {
                return await Task.ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                throw new OperationCanceledException(cancellationToken);
            }
        }

        private void Leave()
        {
            lock (owner._lock)
            {
                if (Node is null)
                    return;
                owner._waiting.Remove(Node);
                Node = null;
            }

            TrySetCanceled();
        }
    }
}
