namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// Gives memory back after a burst of calls: nothing collects while nothing is allocated, and what the burst needed would stay. A timer runs only from the
/// burst until it is over. Thread-safe.
/// </summary>
internal sealed class IdleMemory : IDisposable
{
    // So many calls are a burst; so few in an interval are none any more: health checks never end.
    private const int Burst = 2000;
    private const int Calm = 100;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);
    private readonly Action _release;
    private readonly ITimer _timer;
    private int _calls;
    private int _watching;

    /// <param name="release">What gives the memory back.</param>
    public IdleMemory(TimeProvider time, Action release)
    {
        _release = release;
        _timer = time.CreateTimer(static state => ((IdleMemory)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>That of an engine and all its sidecars.</summary>
    public static IdleMemory Of(Engine engine) => engine.Shared("memory.idle", static e => new IdleMemory(e.Time, Workflow.MemoryRelease.Collect));

    /// <summary>A call was handled.</summary>
    public void Called()
    {
        if (Interlocked.Increment(ref _calls) < Burst || Volatile.Read(ref _watching) != 0 || Interlocked.Exchange(ref _watching, 1) != 0)
            return;
        Volatile.Write(ref _calls, 0);
        _timer.Change(Interval, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        if (Interlocked.Exchange(ref _calls, 0) > Calm)
        {
            _timer.Change(Interval, Timeout.InfiniteTimeSpan);
            return;
        }

        Volatile.Write(ref _watching, 0);
        _release();
    }
}
