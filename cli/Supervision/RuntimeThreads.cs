namespace DaprPlatform.Cli.Supervision;

/// <summary>
/// Holds the workers of this process at half of the processors while it runs the sidecars: the apps need the others. The pool adds one whenever it began nothing for half
/// a second, as while everything starts, and would wake it for good; one that is blocked is still joined by another. Disposing it gives the pool its own size again.
/// </summary>
internal sealed class RuntimeThreads : IDisposable
{
    private static readonly Lock Gate = new();
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly int _least;
    private readonly ITimer _timer;

    public RuntimeThreads(TimeProvider time)
    {
        ThreadPool.GetMinThreads(out _least, out var ports);
        ThreadPool.SetMinThreads(Math.Max(1, Environment.ProcessorCount / 2), ports);
        _timer = time.CreateTimer(static _ => Settle(), null, Interval, Interval);
    }

    public void Dispose()
    {
        _timer.Dispose();
        ThreadPool.GetMinThreads(out _, out var ports);
        ThreadPool.SetMinThreads(_least, ports);
    }

    // A lower maximum ends workers as soon as they have nothing to do; a higher one does not bring them back. One at a time: another must not take the lower for the pool's own.
    private static void Settle()
    {
        lock (Gate)
        {
            ThreadPool.GetMinThreads(out var least, out _);
            ThreadPool.GetMaxThreads(out var most, out var ports);
            if (ThreadPool.SetMaxThreads(least, ports))
                ThreadPool.SetMaxThreads(most, ports);
        }
    }
}
