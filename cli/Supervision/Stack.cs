using System.Diagnostics;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.DeadLetters;
using DaprPlatform.Cli.Postgres;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Supervision;

/// <summary>
/// Everything of one run file: PostgreSQL, a sidecar per app in this process, the apps as processes. Started in that order, stopped in the
/// opposite one, with the first app (the door) closed before the others.
/// </summary>
internal sealed class Stack : IAsyncDisposable
{
    // Within ten seconds altogether: what does not stop in time is killed, and nothing acknowledged is lost by that.
    private static readonly TimeSpan DoorGrace = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan AppGrace = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan SidecarGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan DatabaseGrace = TimeSpan.FromSeconds(2.5);
    // With the back-off in between that is some six seconds: what a killed platform left behind has let go by then.
    private const int FailuresUntilSettled = 5;

    private readonly RunFile _file;
    private readonly DataFolder _data;
    private readonly TimeProvider _time;
    private readonly Repository _repository;
    private readonly RunState _state;
    private readonly ISidecarHost _host;
    private readonly List<AppUnit> _apps;
    private readonly ProcessSampler _usages = new();
    private readonly OwnProcessor _runtime = new();
    private readonly Stopwatch _uptime = Stopwatch.StartNew();
    private readonly TaskCompletionSource<bool> _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private PostgresServer? _server;
    private SupervisedUnit? _database;
    private double? _startSeconds;

    public Stack(Repository repository, RunFile file, DataFolder data, ISidecarHost host, TimeProvider time)
    {
        (_repository, _file, _data, _host, _time) = (repository, file, data, host, time);
        _state = new RunState(data.Path);
        Events = new StackEvents(time);
        _apps = [.. file.Apps.Select(app => new AppUnit(repository, app, data.LogOf(app.AppId), _state.ChildEnvironment, host, Backoff.Default, time, Changed))];
    }

    public StackEvents Events { get; }

    /// <summary>Null where the sidecars do not have their broker here.</summary>
    public DeadLetterBox? DeadLetters => _host.DeadLetters;

    /// <summary>Where the platform's own metrics are served; null: nowhere.</summary>
    public string? MetricsUrl { get; set; }

    /// <summary>Where the console is; null: nowhere.</summary>
    public string? ConsoleUrl { get; set; }

    /// <summary>The state of a unit or of an app's sidecar is another one. Called from where it happens: it must not wait.</summary>
    public event Action? StatusChanged;

    /// <summary>Where the sidecars run.</summary>
    public ISidecarHost Host => _host;

    /// <summary>Cancelled when everything begins to stop.</summary>
    public CancellationToken Stopping => _stopping.Token;

    public Task StopRequested => _stopRequested.Task;

    public void RequestStop() => _stopRequested.TrySetResult();

    /// <summary>Ends what an earlier platform left, and starts everything; the apps go on starting when this returns.</summary>
    /// <exception cref="CommandException">A port is taken, or PostgreSQL or a sidecar cannot start.</exception>
    public async Task StartAsync(CancellationToken cancel)
    {
        foreach (var (name, process) in await _state.EndLeftoversAsync(AppGrace, cancel))
            Events.Add(EventKind.Progress, $"ended {name} (pid {process.Pid}), left behind by a platform that was killed");
        var database = DatabaseSettings.From(_file);
        PortCheck.Verify(_file);
        var databaseReady = database is null ? Task.CompletedTask : StartDatabaseAsync(database, cancel);
        var sidecars = Task.WhenAll(_apps.Select(app => StartSidecarAsync(app, cancel)));
        await databaseReady;
        await sidecars;
        foreach (var app in _apps)
            await app.StartProgramAsync();
        _ = SettleAsync();
    }

    /// <summary>Returns true when everything serves, false when something has failed several times in a row; it is tried on all the same.</summary>
    public Task<bool> WaitSettledAsync(CancellationToken cancel) => _settled.Task.WaitAsync(cancel);

    public StackStatus Status()
    {
        var pids = _apps.ConvertAll(a => a.Pid);
        var database = _database?.Snapshot.Pid;
        var usages = _usages.Measure([.. pids.Append(database).OfType<int>()]);
        var apps = _apps.Zip(pids, (app, pid) => app.Status(pid is { } id ? usages[id] : null)).ToList();
        var runtime = ProcessTable.ResidentBytes(Environment.ProcessId);
        // The apps are children of this process; its own time is not theirs.
        var runtimeCpu = _runtime.CpuPercent();
        var postgres = DatabaseStatus(database is { } server ? usages[server] : null);
        return new StackStatus
        {
            Running = true,
            Healthy = apps.TrueForAll(a => a.State == UnitState.Healthy && a.SidecarHealthy) && postgres?.State is null or UnitState.Healthy,
            Pid = Environment.ProcessId,
            RunFile = _file.Path,
            DataDirectory = _data.Path,
            MetricsUrl = MetricsUrl,
            UptimeSeconds = Math.Round(_uptime.Elapsed.TotalSeconds, 1),
            StartSeconds = _startSeconds,
            ResidentBytes = runtime + apps.Sum(a => a.ResidentBytes) + (postgres?.ResidentBytes ?? 0),
            RuntimeResidentBytes = runtime,
            RuntimeCpuPercent = runtimeCpu,
            CpuPercent = runtimeCpu is { } own ? Math.Round(own + apps.Sum(a => a.CpuPercent ?? 0) + (postgres?.CpuPercent ?? 0), 1) : null,
            Machine = MachineFigures.Read(_data.Path),
            ConsoleUrl = ConsoleUrl,
            Apps = apps,
            Postgres = postgres,
            Components =
            [
                .. _apps.SelectMany(a => a.Components.Select(c => (Component: c, a.App.AppId)))
                    .GroupBy(c => (c.Component.Name, c.Component.Type, c.Component.StandsFor))
                    .OrderBy(g => g.Key.Name, StringComparer.Ordinal)
                    .Select(g => new ComponentStatus(g.Key.Name, g.Key.Type, g.Key.StandsFor, [.. g.Select(c => c.AppId)])),
            ],
        };
    }

    /// <exception cref="CommandException">There is no such app.</exception>
    public async Task StopAppAsync(string appId)
    {
        var app = Find(appId);
        await app.InTurnAsync(async () =>
        {
            await app.StopProgramAsync(AppGrace);
            await app.StopSidecarAsync(SidecarGrace);
        });
        Events.Add(EventKind.Progress, $"{appId} is stopped");
        StatusChanged?.Invoke();
    }

    /// <summary>Starts an app that is stopped; one that runs is left alone.</summary>
    /// <exception cref="CommandException">There is no such app, or its sidecar cannot start.</exception>
    public async Task StartAppAsync(string appId)
    {
        var app = Find(appId);
        await app.InTurnAsync(async () =>
        {
            await StartSidecarAsync(app, _stopping.Token);
            await app.StartProgramAsync();
        });
        Events.Add(EventKind.Progress, $"{appId} is started");
        StatusChanged?.Invoke();
    }

    /// <exception cref="CommandException">There is no such app.</exception>
    public async Task RestartAppAsync(string appId)
    {
        var app = Find(appId);
        await app.InTurnAsync(async () =>
        {
            await app.StopProgramAsync(AppGrace, toStartAgain: true);
            await StartSidecarAsync(app, _stopping.Token);
            await app.StartProgramAsync();
        });
        Events.Add(EventKind.Progress, $"{appId} is started");
        StatusChanged?.Invoke();
    }

    /// <summary>Stops everything in order.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        if (_apps.Count > 0)
            await _apps[0].StopProgramAsync(DoorGrace);
        await Task.WhenAll(_apps.Select(a => a.StopProgramAsync(AppGrace)));
        await Task.WhenAll(_apps.Select(StopSidecarAsync));
        await _host.DisposeAsync();
        if (_database is not null)
            await _database.StopAsync(DatabaseGrace);
        _state.Delete();
        _settled.TrySetResult(false);
        Events.Close();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var app in _apps)
            await app.DisposeAsync();
        if (_database is not null)
            await _database.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task StartDatabaseAsync(DatabaseSettings settings, CancellationToken cancel)
    {
        var binaries = await PostgresBinaries.LocateAsync(_repository, Report, cancel);
        _server = await PostgresServer.PrepareAsync(new PostgresOptions(_data.Path, settings.Port.Number, settings.User, settings.Password), binaries,
            _state.ChildEnvironment, Report, cancel);
        _database = new SupervisedUnit(_server, Backoff.Default, _time, Changed);
        await _database.StartAsync();
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        failed.CancelAfter(TimeSpan.FromSeconds(60));
        try
        {
            await _database.WaitHealthyAsync(failed.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new CommandException($"PostgreSQL does not start: {_database.Snapshot.Note}\nIts log: {_server.LogFile}");
        }
    }

    private void Report(string text) => Events.Add(EventKind.Progress, text);

    private async Task StartSidecarAsync(AppUnit app, CancellationToken cancel)
    {
        if (await app.StartSidecarAsync(cancel))
            _ = WatchSidecarAsync(app);
    }

    // Whatever one of them cannot close, the others and the database are stopped too.
    private async Task StopSidecarAsync(AppUnit app)
    {
        try
        {
            await app.StopSidecarAsync(SidecarGrace);
        }
        catch (Exception e)
        {
            Events.Add(EventKind.Problem, $"the sidecar of {app.App.AppId} did not stop as it should: {e}");
        }
    }

    // An app can ask its sidecar to shut down (POST /v1.0/shutdown); as under `dapr run`, both end then.
    private async Task WatchSidecarAsync(AppUnit app)
    {
        var why = "its sidecar was asked to shut down";
        try
        {
            await app.SidecarEnded.WaitAsync(_stopping.Token);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            why = $"its sidecar failed: {e.Message}";
        }

        Events.Add(EventKind.Problem, $"{app.App.AppId} is stopped: {why}");
        await StopAppAsync(app.App.AppId);
    }

    private async Task SettleAsync()
    {
        try
        {
            await Task.WhenAll(_apps.Select(a => a.WaitHealthyAsync(_stopping.Token)));
            _startSeconds = Math.Round(_uptime.Elapsed.TotalSeconds, 2);
            Events.Add(EventKind.Done, $"everything is healthy after {_startSeconds:F1} s");
            _settled.TrySetResult(true);
        }
        catch (OperationCanceledException)
        {
            _settled.TrySetResult(false);
        }
    }

    private void Changed(UnitSnapshot unit)
    {
        _state.Set(unit.Name, unit.Process);
        StatusChanged?.Invoke();
        switch (unit.State)
        {
            case UnitState.Healthy:
                Events.Add(EventKind.Done, $"{unit.Name} is healthy ({unit.HealthySeconds:F1} s)");
                break;
            case UnitState.Waiting:
                Events.Add(EventKind.Problem, $"{unit.Name} {unit.Note}; start number {unit.Restarts + 1} follows (log: {LogOf(unit.Name)})");
                if (unit.Restarts >= FailuresUntilSettled)
                    _settled.TrySetResult(false);
                break;
        }
    }

    private string LogOf(string name) =>
        Path.GetRelativePath(_file.Folder, name == PostgresServer.ProgramName && _server is not null ? _server.LogFile : _data.LogOf(name));

    private PostgresStatus? DatabaseStatus(ProcessUsage? usage)
    {
        if (_server is null || _database is null)
            return null;
        var snapshot = _database.Snapshot;
        return new PostgresStatus
        {
            State = snapshot.State,
            Pid = snapshot.Pid,
            Port = _server.Port,
            Version = _server.Version.ToString(),
            Restarts = snapshot.Restarts,
            Note = snapshot.Note,
            ResidentBytes = usage?.ResidentBytes ?? 0,
            CpuPercent = usage?.CpuPercent,
        };
    }

    private AppUnit Find(string appId) =>
        _apps.Find(a => a.App.AppId == appId)
        ?? throw new CommandException($"There is no app {appId}; there are {string.Join(", ", _apps.Select(a => a.App.AppId))}.");
}
