namespace Grpc.AspNetCore.Server.Internal;

/// <summary>
/// Who may touch the response: one write at a time, and after the end nobody. The end is made by the handler's return or,
/// while that is still running, by the deadline.
/// </summary>
internal sealed class ResponseGate
{
    const int Free = 0;
    const int Writing = 1;
    const int Over = 2;
    const int Expired = 3;

    int _state;
    TaskCompletionSource? _freed;

    /// <summary>Whether the end is made, by whomever.</summary>
    public bool HasEnded => Volatile.Read(ref _state) >= Over;

    /// <summary>Whether it was the deadline that made the end.</summary>
    public bool HasExpired => Volatile.Read(ref _state) == Expired;

    /// <exception cref="InvalidOperationException">Another write is under way.</exception>
    public bool TryEnter() => Interlocked.CompareExchange(ref _state, Writing, Free) switch
    {
        Free => true,
        Writing => throw new InvalidOperationException("Can't write the message because the previous write is in progress."),
        _ => false,
    };

    public void Leave()
    {
        lock (this)
        {
            Volatile.Write(ref _state, Free);
            _freed?.TrySetResult();
        }
    }

    /// <summary>False if there is a write under way or the end is made.</summary>
    public bool TryEnd() => Interlocked.CompareExchange(ref _state, Over, Free) == Free;

    /// <summary>The deadline's <see cref="TryEnd"/>.</summary>
    public bool TryExpire() => Interlocked.CompareExchange(ref _state, Expired, Free) == Free;

    /// <summary>Ends when no write is under way.</summary>
    public Task FreeAsync()
    {
        lock (this)
        {
            if (Volatile.Read(ref _state) != Writing)
                return Task.CompletedTask;
            _freed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _freed.Task;
        }
    }

    /// <summary>Runs the action while a write is under way and cannot end; false if there is none.</summary>
    public bool DuringWrite(Action action)
    {
        lock (this)
        {
            if (Volatile.Read(ref _state) != Writing)
                return false;
            action();
            return true;
        }
    }
}
