using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.Cli.DaprEngine;

/// <summary>
/// Real Dapr without its CLI and without Docker: a daprd for each app, with placement, scheduler and those of the servers that are on this machine and do not run yet.
/// Nothing is started before everything that is needed is known to be there.
/// </summary>
internal sealed class DaprRuntime : ISidecarHost
{
    private static readonly TimeSpan ServerGrace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(3);

    private readonly RunFile _file;
    private readonly DataFolder _data;
    private readonly DaprPrograms _programs;
    private readonly Action<string> _report;
    private readonly IReadOnlyDictionary<string, string> _mark;
    private readonly IReadOnlyList<NeededServer> _servers;
    private readonly List<SupportUnit> _support = [];
    private readonly Lock _lock = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };
    private Task<(string Placement, string Scheduler)>? _control;

    private DaprRuntime(RunFile file, DataFolder data, DaprPrograms programs, IReadOnlyList<NeededServer> servers, Action<string> report)
    {
        (_file, _data, _programs, _servers, _report) = (file, data, programs, servers, report);
        // A platform that was killed leaves them behind; the next one finds them by this.
        _mark = new RunState(data.Path).ChildEnvironment;
    }

    /// <exception cref="CommandException">There is no daprd, or the components' servers are not named well.</exception>
    public static DaprRuntime Open(RunFile file, DataFolder data, Action<string> report)
    {
        var programs = DaprPrograms.Find() ?? throw new CommandException(DaprPrograms.Hint);
        return new DaprRuntime(file, data, programs, NeededServer.Of(file, Environment.GetEnvironmentVariable), report);
    }

    public async Task<IAppSidecar> StartAsync(RunApp app, CancellationToken cancel)
    {
        var (placement, scheduler) = await ControlAsync(cancel).WaitAsync(cancel);
        var given = _servers.Where(s => s.Given).ToList();
        var resources = app.ResourcesPaths.Select((folder, i) =>
        {
            if (given.Count == 0 && app.PortOffset == 0)
                return folder;
            var copy = Path.Combine(_data.Path, "dapr", "resources", $"{app.AppId}-{i}");
            Resources.Copy(folder, copy, given, app.PortOffset);
            return copy;
        }).ToList();
        var log = _data.LogOf(app.AppId + ".daprd");
        File.Delete(log);
        var start = new ChildStart(_programs.Daprd, DaprdArguments.Of(app, resources, placement, scheduler), _file.Folder, log)
        {
            Environment = _mark.Concat(app.SidecarTraceEnvironment).ToDictionary(),
        };
        var sidecar = new DaprdSidecar(app, start, _http);
        await sidecar.StartAsync(StartLimit, cancel);
        return sidecar;
    }

    public async ValueTask DisposeAsync()
    {
        // Who started first stops last.
        for (var i = _support.Count - 1; i >= 0; i--)
        {
            await _support[i].StopAsync(ServerGrace);
        }

        _http.Dispose();
    }

    /// <summary>Servers, placement and scheduler, once, for the first sidecar; when that fails it fails for all.</summary>
    private Task<(string Placement, string Scheduler)> ControlAsync(CancellationToken cancel)
    {
        lock (_lock)
            return _control ??= Task.Run(() => PrepareAsync(cancel), cancel);
    }

    private async Task<(string Placement, string Scheduler)> PrepareAsync(CancellationToken cancel)
    {
        var (placement, scheduler) = (Wanted(a => a.PlacementHostAddress), Wanted(a => a.SchedulerHostAddress));
        foreach (var (name, start, ready) in await PlanAsync(placement, scheduler, cancel))
        {
            var unit = new SupportUnit(new SupportProgram(name, start, ready), start.LogFile);
            _support.Add(unit);
            await unit.StartAsync(StartLimit, cancel);
            _report($"{name} is started ({start.FileName})");
        }

        return (placement, scheduler);
    }

    // Empty turns it off, as in daprd; apps of one run file share one.
    private string Wanted(Func<RunApp, string> address) => _file.Apps.Select(address).FirstOrDefault(a => a.Length > 0) ?? "";

    /// <exception cref="CommandException">Something is neither there nor can be started; the message names all of it.</exception>
    private async Task<List<(string Name, ChildStart Start, Func<CancellationToken, Task<bool>> Ready)>> PlanAsync(string placement, string scheduler, CancellationToken cancel)
    {
        var starts = new List<(string, ChildStart, Func<CancellationToken, Task<bool>>)>();
        var missing = new List<string>();
        foreach (var server in _servers)
        {
            if (await server.AnswersAsync(cancel))
                _report($"{server.Kind.Name} is at {server.Address}");
            else if (server.Start(_data.Path) is { } start)
            {
                Directory.CreateDirectory(Path.Combine(_data.Path, server.Kind.Program!));
                starts.Add((server.Kind.Program!, Child(start.Program, start.Arguments, server.Kind.Program!), server.AnswersAsync));
            }
            else
                missing.Add(server.Missing);
        }

        await AddAsync("placement", placement, _programs.Placement, (port, health) =>
        [
            "--id", "p1", "--port", port, "--listen-address", "127.0.0.1", "--healthz-port", health, "--healthz-listen-address", "127.0.0.1", "--metrics-port", Free(), "--metrics-listen-address", "127.0.0.1",
            "--initial-cluster", $"p1=127.0.0.1:{Free()}", "--tls-enabled=false",
        ]);
        await AddAsync("scheduler", scheduler, _programs.Scheduler, (port, health) =>
        [
            "--id", "s1", "--port", port, "--listen-address", "127.0.0.1", "--healthz-port", health, "--metrics-port", Free(),
            "--etcd-data-dir", Path.Combine(_data.Path, "scheduler"), "--etcd-client-port", Free(), "--etcd-initial-cluster", $"s1=http://127.0.0.1:{Free()}",
        ]);
        return missing.Count == 0 ? starts : throw new CommandException($"What real Dapr needs is not all here:\n{string.Join('\n', missing)}");

        static string Free() => PortOwners.FindFree().ToString(CultureInfo.InvariantCulture);

        async Task AddAsync(string name, string address, string? program, Func<string, string, string[]> arguments)
        {
            if (address.Length == 0)
                return;
            var place = new NeededServer(new ServerKind(name, name.ToUpperInvariant(), "", "", null, null), address, false);
            if (await place.AnswersAsync(cancel))
                return;
            if (program is null || !place.OnThisMachine)
            {
                missing.Add($"{name}: nothing answers at {address}, and {name.ToUpperInvariant()} names no executable to start.");
                return;
            }

            var health = Free();
            starts.Add((name, Child(program, arguments(place.First.Port.ToString(CultureInfo.InvariantCulture), health), name), c => HealthyAsync($"http://127.0.0.1:{health}/healthz", c)));
        }
    }

    private ChildStart Child(string program, IReadOnlyList<string> arguments, string name) => new(program, arguments, _data.Path, _data.LogOf(name)) { Environment = _mark };

    private async Task<bool> HealthyAsync(string url, CancellationToken cancel)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(url), cancel);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return false;
        }
    }

    /// <summary>One daprd. When it crashes it is started again; when it was asked to end, so it says.</summary>
    private sealed class DaprdSidecar : IAppSidecar
    {
        private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
        private readonly RunApp _app;
        private readonly HttpClient _http;
        private readonly SupportUnit _unit;
        private readonly TaskCompletionSource _shutdown = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationTokenSource _stopping = new();
        private Task _watching = Task.CompletedTask;
        private volatile bool _healthy;

        public DaprdSidecar(RunApp app, ChildStart start, HttpClient http)
        {
            (_app, _http) = (app, http);
            var program = new SupportProgram($"{app.AppId}.daprd", start, c => AnswersAsync("v1.0/healthz/outbound", c))
            {
                Ended = code =>
                {
                    // By POST /v1.0/shutdown, as under `dapr run`: its app ends with it.
                    if (code == 0 && !_stopping.IsCancellationRequested)
                        _shutdown.TrySetResult();
                },
            };
            _unit = new SupportUnit(program, start.LogFile);
        }

        public bool IsHealthy => _healthy;

        public IReadOnlyList<SidecarComponent> Components { get; private set; } = [];

        public Task ShutdownRequested => _shutdown.Task;

        public async Task StartAsync(TimeSpan limit, CancellationToken cancel)
        {
            await _unit.StartAsync(limit, cancel);
            var metadata = await _http.GetFromJsonAsync<JsonObject>(Url("v1.0/metadata"), cancel);
            Components = [.. ((JsonArray?)metadata?["components"] ?? []).Select(c => new SidecarComponent((string?)c?["name"] ?? "", (string?)c?["type"] ?? "", null))];
            _watching = WatchAsync();
        }

        public async Task WaitUntilHealthyAsync(CancellationToken cancel)
        {
            using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            while (!(_healthy = await AnswersAsync("v1.0/healthz", cancel)))
                await interval.WaitForNextTickAsync(cancel);
        }

        public async Task StopAsync(TimeSpan grace)
        {
            await _stopping.CancelAsync();
            await _watching;
            await _unit.StopAsync(grace);
        }

        private Uri Url(string path) => new($"http://127.0.0.1:{_app.DaprHttpPort.Number}/{path}");

        private async Task WatchAsync()
        {
            using var interval = new PeriodicTimer(Look);
            try
            {
                do
                    _healthy = await AnswersAsync("v1.0/healthz", _stopping.Token);
                while (await interval.WaitForNextTickAsync(_stopping.Token));
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                _healthy = false;
            }
        }

        private async Task<bool> AnswersAsync(string path, CancellationToken cancel)
        {
            try
            {
                using var answer = await _http.GetAsync(Url(path), cancel);
                return answer.IsSuccessStatusCode;
            }
            catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
            {
                return false;
            }
        }
    }
}
