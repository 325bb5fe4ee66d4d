using System.ComponentModel;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Supervision;

/// <summary>Keeps one program running: starts it, waits until it serves, and starts it again with back-off when it ends by itself.</summary>
internal sealed class SupervisedUnit(ISupervisedProgram program, Backoff backoff, TimeProvider time, Action<UnitSnapshot> changed) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private CancellationTokenSource? _stop;
    private Task _loop = Task.CompletedTask;
    private TaskCompletionSource _firstHealthy = NewSignal();
    private UnitSnapshot _snapshot = new(program.Name, UnitState.Stopped, null, 0, null, null);
    private TimeSpan _grace = TimeSpan.FromSeconds(5);

    public string Name => program.Name;

    public UnitSnapshot Snapshot
    {
        get
        {
            lock (_lock)
                return _snapshot;
        }
    }

    /// <summary>Starts supervision; does nothing when it is on.</summary>
    public async Task StartAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (_stop is not null)
                return;
            _stop = new CancellationTokenSource();
            _firstHealthy = NewSignal();
            _loop = RunAsync(_firstHealthy, _stop.Token);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Returns when the program serves for the first time since <see cref="StartAsync"/>.</summary>
    /// <exception cref="OperationCanceledException">Also when the unit was stopped before.</exception>
    public Task WaitHealthyAsync(CancellationToken cancel) => _firstHealthy.Task.WaitAsync(cancel);

    /// <summary>Ends supervision and the program.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        await _turn.WaitAsync();
        try
        {
            if (_stop is null)
                return;
            _grace = grace;
            await _stop.CancelAsync();
            await _loop;
            _stop.Dispose();
            _stop = null;
            Set(s => s with { State = UnitState.Stopped, Process = null, StartedAt = null });
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task RestartAsync(TimeSpan grace)
    {
        await StopAsync(grace);
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _turn.Dispose();
    }

    private async Task RunAsync(TaskCompletionSource firstHealthy, CancellationToken stop)
    {
        await Task.Yield();
        var failures = 0;
        while (!stop.IsCancellationRequested)
        {
            var (note, served) = await RunOnceAsync(firstHealthy, stop);
            if (stop.IsCancellationRequested)
                break;
            failures = served >= backoff.Forgiven ? 1 : failures + 1;
            var delay = backoff.DelayAfter(failures);
            Set(s => s with { State = UnitState.Waiting, Process = null, StartedAt = null, Restarts = s.Restarts + 1, Note = note });
            await Task.Delay(delay, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        firstHealthy.TrySetCanceled(stop);
    }

    /// <returns>Why it ended, and for how long it had served.</returns>
    private async Task<(string Note, TimeSpan Served)> RunOnceAsync(TaskCompletionSource firstHealthy, CancellationToken stop)
    {
        Set(s => s with { State = UnitState.Starting, Process = null, StartedAt = null, HealthySeconds = null });
        var started = time.GetTimestamp();
        IRunningProgram running;
        try
        {
            running = await program.StartAsync(stop);
        }
        catch (Exception e) when (e is CommandException or Win32Exception or IOException or UnauthorizedAccessException)
        {
            return ($"cannot be started: {e.Message}", TimeSpan.Zero);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return ("", TimeSpan.Zero);
        }

        var at = time.GetUtcNow();
        Set(s => s with { Process = running.Identity, StartedAt = at });
        long? healthy = null;
        string? problem = null;
        using (var ended = CancellationTokenSource.CreateLinkedTokenSource(stop))
        {
            var exit = running.Exited.ContinueWith(_ => ended.CancelAsync(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).Unwrap();
            try
            {
                await program.WaitReadyAsync(running, ended.Token);
                healthy = time.GetTimestamp();
                Set(s => s with { State = UnitState.Healthy, HealthySeconds = time.GetElapsedTime(started).TotalSeconds });
                firstHealthy.TrySetResult();
                await running.Exited.WaitAsync(ended.Token);
            }
            catch (OperationCanceledException) when (ended.IsCancellationRequested)
            {
                problem = null;
            }
            catch (CommandException e)
            {
                problem = e.Message;
            }

            if (stop.IsCancellationRequested)
                Set(s => s with { State = UnitState.Stopping });
            // Also when it ended by itself: what it left behind holds its ports.
            await running.StopAsync(_grace, time);
            await exit;
        }

        if (running is IDisposable disposable)
            disposable.Dispose();
        var code = await running.Exited;
        return (problem ?? Describe(code, healthy is not null), healthy is { } since ? time.GetElapsedTime(since) : TimeSpan.Zero);
    }

    private static string Describe(int exitCode, bool served)
    {
        const int signalled = 128;
        var how = exitCode switch
        {
            signalled + 9 => "was killed (SIGKILL)",
            signalled + 6 => "crashed (SIGABRT)",
            signalled + 11 => "crashed (SIGSEGV)",
            > signalled and < signalled + 32 => $"ended by signal {exitCode - signalled}",
            _ => $"ended with exit code {exitCode}",
        };
        return served ? how : how + " while it started";
    }

    private void Set(Func<UnitSnapshot, UnitSnapshot> change)
    {
        UnitSnapshot next;
        lock (_lock)
            next = _snapshot = change(_snapshot);
        changed(next);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
