namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>
/// Things to do at a time, one timer of the clock for all of them. What is due is handed to the callback in the order of time, on a pool thread, one at a
/// time; the callback must not block. Thread-safe.
/// </summary>
internal sealed class TimerQueue<T> : IDisposable
{
    // The clock's timers take at most about 49 days; a far due time is looked at again before that.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(30);
    private readonly PriorityQueue<T, DateTimeOffset> _queue = new();
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly Action<T> _due;
    private readonly ITimer _timer;
    private DateTimeOffset _armed = DateTimeOffset.MaxValue;
    private bool _disposed;

    public TimerQueue(TimeProvider time, Action<T> due)
    {
        _time = time;
        _due = due;
        _timer = time.CreateTimer(static state => ((TimerQueue<T>)state!).Fire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Add(T item, DateTimeOffset due)
    {
        lock (_lock)
        {
            _queue.Enqueue(item, due);
            Arm();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _queue.Clear();
        }

        _timer.Dispose();
    }

    private void Arm()
    {
        if (_disposed || !_queue.TryPeek(out _, out var next) || next >= _armed)
            return;
        _armed = next;
        var wait = next - _time.GetUtcNow();
        // Rounded up: a timer of the clock may be early by a part of a millisecond, a due time never is.
        wait = wait <= TimeSpan.Zero ? TimeSpan.Zero : wait > Longest ? Longest : TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds));
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private void Fire()
    {
        while (true)
        {
            T item;
            lock (_lock)
            {
                if (_disposed || !_queue.TryPeek(out _, out var due) || due > _time.GetUtcNow())
                {
                    _armed = DateTimeOffset.MaxValue;
                    Arm();
                    return;
                }

                item = _queue.Dequeue();
            }

            _due(item);
        }
    }
}
