using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Supervision;

/// <summary>An app of the run file as a program to supervise. It serves when it answers and its sidecar has seen it.</summary>
internal sealed class AppProgram(Repository repository, RunApp app, string logFile, IReadOnlyDictionary<string, string> mark, AppHealth health, Func<IAppSidecar?> sidecar) : ISupervisedProgram, IDisposable
{
    private const long LogLimitBytes = 20 << 20;
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private KeptPort? _port;

    public string Name => app.AppId;

    public Task<IRunningProgram> StartAsync(CancellationToken cancel)
    {
        var log = new FileInfo(logFile);
        if (log.Exists && log.Length > LogLimitBytes)
            log.MoveTo(logFile + ".1", overwrite: true);
        var launch = AppLauncher.Resolve(repository, app);
        var environment = new Dictionary<string, string>(mark);
        foreach (var (name, value) in launch.Environment.Concat(app.ProcessEnvironment()))
            environment[name] = value;
        if (app is { KeepsPort: true, AppPort: { } port } && !OperatingSystem.IsWindows())
            _port ??= new KeptPort(port.Number);
        return Task.FromResult<IRunningProgram>(ChildProcess.Start(new ChildStart(launch.FileName, launch.Arguments, app.Folder, logFile) { Environment = environment, Port = _port }));
    }

    /// <summary>From here on nobody waits for the program: connections to its port are refused.</summary>
    public void ReleasePort()
    {
        _port?.Dispose();
        _port = null;
    }

    public void Dispose() => ReleasePort();

    // Another process' readiness can only be asked for.
    public async Task WaitReadyAsync(IRunningProgram running, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(StartLimit);
        using var interval = new PeriodicTimer(Interval);
        string? said = null;
        try
        {
            while ((said = await health.ProbeAsync(deadline.Token)) is not null)
                await interval.WaitForNextTickAsync(deadline.Token);
            said = "its sidecar does not become healthy";
            if (sidecar() is { } own)
                await own.WaitUntilHealthyAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new CommandException($"not ready after {StartLimit.TotalSeconds:F0} s: {said}");
        }
    }
}
