namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// Gives memory back after a burst of work: what waits is in the store, and the heap that the burst needed would otherwise stay. One timer that runs only after work; the collection
/// happens when nothing has happened for a while, so that its pause meets nobody.
/// </summary>
internal sealed class MemoryRelease : IDisposable
{
    private const long WorthIt = 32L << 20;
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(3);
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Action _release;
    private readonly Action? _forget;
    private long _lastWork;
    private int _armed;

    /// <param name="release">What gives the memory back; by default a collection that returns what it frees to the system, and the page caches of the databases.</param>
    /// <param name="forget">Called before: lets go of what can be read again.</param>
    public MemoryRelease(TimeProvider time, Action? release = null, Action? forget = null)
    {
        _forget = forget;
        _time = time;
        _release = release ?? Collect;
        _timer = time.CreateTimer(static state => ((MemoryRelease)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Something was done.</summary>
    public void Worked()
    {
        Volatile.Write(ref _lastWork, _time.GetUtcNow().UtcTicks);
        if (Volatile.Read(ref _armed) == 0 && Interlocked.Exchange(ref _armed, 1) == 0)
            _timer.Change(Quiet, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        var quiet = TimeSpan.FromTicks(Math.Max(0, _time.GetUtcNow().UtcTicks - Volatile.Read(ref _lastWork)));
        if (quiet < Quiet)
        {
            _timer.Change(Quiet - quiet, Timeout.InfiniteTimeSpan);
            return;
        }

        Volatile.Write(ref _armed, 0);
        _forget?.Invoke();
        _release();
    }

    /// <summary>Collects and gives what that frees to the system, where it is worth the pause; and empties the page caches of the databases.</summary>
    public static void Collect() => _ = CollectAsync();

    private static async Task CollectAsync()
    {
        if (GC.GetGCMemoryInfo(GCKind.Any).TotalCommittedBytes > WorthIt)
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        await Storage.StoreMemory.ReleaseAsync().ConfigureAwait(false);
    }
}
