using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Supervision;

/// <summary>One app of the run file with its sidecar.</summary>
internal sealed class AppUnit : IAsyncDisposable
{
    private readonly ISidecarHost _host;
    private readonly AppHealth _health;
    private readonly AppProgram? _app;
    private readonly SupervisedUnit? _program;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private IAppSidecar? _sidecar;
    private string? _swagger;

    public AppUnit(Repository repository, RunApp app, string logFile, IReadOnlyDictionary<string, string> mark, ISidecarHost host, Backoff backoff, TimeProvider time, Action<UnitSnapshot> changed)
    {
        App = app;
        _host = host;
        _health = new AppHealth(app);
        if (app.Command.Count == 0)
            return;
        _app = new AppProgram(repository, app, logFile, mark, _health, () => _sidecar);
        _program = new SupervisedUnit(_app, backoff, time, changed);
    }

    public RunApp App { get; }

    public IReadOnlyList<SidecarComponent> Components => _sidecar?.Components ?? [];

    public int Restarts => _program?.Snapshot.Restarts ?? 0;

    public bool IsHealthy => _program is null ? _sidecar is not null : _program.Snapshot.State == UnitState.Healthy;

    /// <summary>Completes when the sidecar was asked to end.</summary>
    public Task SidecarEnded => _sidecar?.ShutdownRequested ?? Task.CompletedTask;

    /// <summary>One after the other: starts and stops of this app by different people.</summary>
    public async Task InTurnAsync(Func<Task> act)
    {
        await _turn.WaitAsync();
        try
        {
            await act();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <returns>False when it runs already.</returns>
    public async Task<bool> StartSidecarAsync(CancellationToken cancel)
    {
        if (_sidecar is not null)
            return false;
        _sidecar = await _host.StartAsync(App, cancel);
        return true;
    }

    public Task StartProgramAsync() => _program?.StartAsync() ?? Task.CompletedTask;

    public async Task WaitHealthyAsync(CancellationToken cancel)
    {
        if (_program is not null)
            await _program.WaitHealthyAsync(cancel);
        _swagger ??= await _health.FindSwaggerAsync(cancel);
    }

    /// <param name="grace">After which it is killed.</param>
    /// <param name="toStartAgain">Whoever connects waits for the next start, where the app's port is kept.</param>
    public async Task StopProgramAsync(TimeSpan grace, bool toStartAgain = false)
    {
        if (_program is not null)
            await _program.StopAsync(grace);
        if (!toStartAgain)
            _app?.ReleasePort();
    }

    public async Task StopSidecarAsync(TimeSpan grace)
    {
        if (_sidecar is { } sidecar)
        {
            _sidecar = null;
            await sidecar.StopAsync(grace);
        }
    }

    /// <summary>The app's process, while there is one.</summary>
    public int? Pid => _program?.Snapshot.Pid;

    /// <param name="usage">Of its processes.</param>
    public AppStatus Status(ProcessUsage? usage)
    {
        var snapshot = _program?.Snapshot;
        return new AppStatus
        {
            App = App.AppId,
            State = snapshot?.State ?? (_sidecar is null ? UnitState.Stopped : UnitState.Healthy),
            Pid = snapshot?.Pid,
            Url = _health.Url,
            SwaggerUrl = _swagger,
            DaprHttpPort = App.DaprHttpPort.Number,
            DaprGrpcPort = App.DaprGrpcPort.Number,
            SidecarHealthy = _sidecar?.IsHealthy == true,
            Restarts = snapshot?.Restarts ?? 0,
            Note = snapshot?.Note,
            HealthySeconds = snapshot?.HealthySeconds,
            ResidentBytes = usage?.ResidentBytes ?? 0,
            CpuPercent = usage?.CpuPercent,
            Instances = usage?.Instances ?? 0,
            StartedAt = snapshot?.StartedAt,
            HealthUrl = _health.HealthUrl,
            MetricsUrl = _health.MetricsUrl,
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (_program is not null)
            await _program.DisposeAsync();
        _app?.Dispose();
        _health.Dispose();
    }
}
