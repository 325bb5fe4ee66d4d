using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.Cli.DaprEngine;

/// <summary>A server or a sidecar that is kept running: it serves when <paramref name="ready"/> says so.</summary>
internal sealed class SupportProgram(string name, ChildStart start, Func<CancellationToken, Task<bool>> ready) : ISupervisedProgram
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    public string Name => name;

    /// <summary>Called with the exit code each time it has ended.</summary>
    public Action<int>? Ended { get; init; }

    public Task<IRunningProgram> StartAsync(CancellationToken cancel)
    {
        var running = ChildProcess.Start(start);
        if (Ended is not null)
            _ = running.Exited.ContinueWith(code => Ended(code.Result), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return Task.FromResult<IRunningProgram>(running);
    }

    // Another process' readiness can only be asked for.
    public async Task WaitReadyAsync(IRunningProgram running, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(Limit);
        using var interval = new PeriodicTimer(Interval);
        try
        {
            while (!await ready(deadline.Token))
                await interval.WaitForNextTickAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new CommandException($"not ready after {Limit.TotalSeconds:F0} s");
        }
    }
}

/// <summary>A <see cref="SupportProgram"/> under supervision, whose start fails when it has ended several times in a row.</summary>
internal sealed class SupportUnit : IAsyncDisposable
{
    private const int Enough = 3;
    private readonly SupervisedUnit _unit;
    private readonly string _logFile;
    private readonly TaskCompletionSource _hopeless = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SupportUnit(SupportProgram program, string logFile)
    {
        _logFile = logFile;
        _unit = new SupervisedUnit(program, Backoff.Default, TimeProvider.System, snapshot =>
        {
            if (snapshot is { State: UnitState.Waiting, Restarts: >= Enough })
                _hopeless.TrySetResult();
        });
    }

    /// <summary>Returns when it serves; it is started again whenever it ends from then on.</summary>
    /// <exception cref="CommandException">It does not come to serve; the message holds the end of its log.</exception>
    public async Task StartAsync(TimeSpan limit, CancellationToken cancel)
    {
        const int lines = 10;
        await _unit.StartAsync();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(limit);
        var healthy = _unit.WaitHealthyAsync(deadline.Token);
        await Task.WhenAny(healthy, _hopeless.Task);
        cancel.ThrowIfCancellationRequested();
        if (healthy.IsCompletedSuccessfully)
            return;
        var note = _unit.Snapshot.Note;
        await _unit.StopAsync(TimeSpan.Zero);
        throw new CommandException($"{_unit.Name} does not start: {note}. The end of its log:\n{string.Join('\n', File.Exists(_logFile) ? File.ReadLines(_logFile).TakeLast(lines) : [])}");
    }

    public async Task StopAsync(TimeSpan grace)
    {
        await _unit.StopAsync(grace);
        await _unit.DisposeAsync();
    }

    public async ValueTask DisposeAsync() => await _unit.DisposeAsync();
}
