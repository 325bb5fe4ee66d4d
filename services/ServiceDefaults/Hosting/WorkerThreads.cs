using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace DaprPlatform.ServiceDefaults;

/// <summary>
/// Holds the thread pool at its least number of workers: <c>WORKER_THREADS</c>, or one for each processor. The pool adds a worker whenever it began nothing for half a
/// second, which on a machine that many processes share happens to each of them while it starts, and keeps it for good (nothing here blocks, so that its hill climbing is
/// off). Each one too many is woken for work that the others come to anyway; with a single one, what a request leads to runs when the request waits, without a switch of
/// threads. One that really is blocked is still joined by another.
/// </summary>
internal sealed class WorkerThreads(TimeProvider time) : BackgroundService
{
    private static readonly Lock Gate = new();
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <exception cref="InvalidOperationException"><c>WORKER_THREADS</c> is less than 1 or more than the pool can have (32,767).</exception>
    public static void AddTo(IServiceCollection services, IConfiguration configuration)
    {
        if (configuration.GetValue<int?>("WORKER_THREADS") is { } workers)
        {
            ThreadPool.GetMinThreads(out _, out var ports);
            if (workers < 1 || !ThreadPool.SetMinThreads(workers, ports))
                throw new InvalidOperationException($"WORKER_THREADS is {workers}; it is at least 1 and at most what the pool can have.");
        }

        services.AddHostedService<WorkerThreads>();
    }

    // A lower maximum ends workers as soon as they have nothing to do; a higher one does not bring them back. One host at a time: another must not take the lower for the pool's own.
    internal static void Settle()
    {
        lock (Gate)
        {
            ThreadPool.GetMinThreads(out var least, out _);
            ThreadPool.GetMaxThreads(out var most, out var ports);
            if (ThreadPool.SetMaxThreads(least, ports))
                ThreadPool.SetMaxThreads(most, ports);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            Settle();
    }
}
