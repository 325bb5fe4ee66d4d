using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Supervision;

/// <summary>One app of the run file with its sidecar.</summary>
internal sealed class AppUnit : IAsyncDisposable
{
    private readonly ISidecarHost _host;
    private readonly AppHealth _health;
    private readonly SupervisedUnit? _program;
    private IAppSidecar? _sidecar;
    private string? _swagger;

    public AppUnit(Repository repository, RunApp app, string logFile, IReadOnlyDictionary<string, string> mark, ISidecarHost host, Backoff backoff, TimeProvider time, Action<UnitSnapshot> changed)
    {
        App = app;
        _host = host;
        _health = new AppHealth(app);
        if (app.Command.Count > 0)
            _program = new SupervisedUnit(new AppProgram(repository, app, logFile, mark, _health, () => _sidecar), backoff, time, changed);
    }

    public RunApp App { get; }

    public IReadOnlyList<SidecarComponent> Components => _sidecar?.Components ?? [];

    public int Restarts => _program?.Snapshot.Restarts ?? 0;

    public bool IsHealthy => _program is null ? _sidecar is not null : _program.Snapshot.State == UnitState.Healthy;

    /// <summary>Completes when the sidecar was asked to end.</summary>
    public Task SidecarEnded => _sidecar?.ShutdownRequested ?? Task.CompletedTask;

    public async Task StartSidecarAsync(CancellationToken cancel) => _sidecar ??= await _host.StartAsync(App, cancel);

    public Task StartProgramAsync() => _program?.StartAsync() ?? Task.CompletedTask;

    public async Task WaitHealthyAsync(CancellationToken cancel)
    {
        if (_program is not null)
            await _program.WaitHealthyAsync(cancel);
        _swagger ??= await _health.FindSwaggerAsync(cancel);
    }

    public Task StopProgramAsync(TimeSpan grace) => _program?.StopAsync(grace) ?? Task.CompletedTask;

    public async Task StopSidecarAsync(TimeSpan grace)
    {
        if (_sidecar is { } sidecar)
        {
            _sidecar = null;
            await sidecar.StopAsync(grace);
        }
    }

    public AppStatus Status()
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
            ResidentBytes = snapshot?.Pid is { } pid ? ProcessTable.Tree(pid).Sum(ProcessTable.ResidentBytes) : 0,
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (_program is not null)
            await _program.DisposeAsync();
        _health.Dispose();
    }
}
