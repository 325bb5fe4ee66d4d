using System.Collections.Concurrent;
using System.Globalization;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.DaprEngine;
using DaprPlatform.Cli.DeadLetters;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Introspection;
using DaprPlatform.Sidecar.Observability;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Cli.Supervision;

/// <summary>The embedded runtime: every sidecar of a stack in this process, on one engine.</summary>
internal sealed class EmbeddedRuntime : ISidecarHost
{
    private const string MachineFolder = "DAPR_PLATFORM_DIR";
    private static readonly TimeSpan ReconnectPatience = TimeSpan.FromSeconds(15);
    private readonly RuntimeThreads _threads = new(TimeProvider.System);
    private readonly Engine _engine;
    private readonly DataFolder _data;
    private readonly ConcurrentDictionary<string, DaprSidecar> _running = new(StringComparer.Ordinal);

    private EmbeddedRuntime(Engine engine, DataFolder data)
    {
        (_engine, _data) = (engine, data);
        View = new RuntimeView(engine, () => [.. _running.Values]);
        DeadLetters = new DeadLetterBox(engine, Path.Combine(data.Path, "dlq-replayed.json"), TimeProvider.System);
    }

    public static async Task<EmbeddedRuntime> OpenAsync(DataFolder data, CancellationToken cancel)
    {
        // Sidecars of one machine find each other by app id; two stacks on one machine have the same app ids and must not.
        Environment.SetEnvironmentVariable(MachineFolder, data.Runtime);
        return new EmbeddedRuntime(await Engine.OpenAsync(new EngineOptions { DataDirectory = data.Runtime }, cancel), data);
    }

    public async Task<IAppSidecar> StartAsync(RunApp app, CancellationToken cancel)
    {
        var options = Options(app) with { ResourcesPaths = Resources.Shifted(app, Path.Combine(_data.Path, "resources")) };
        var log = new StreamWriter(new FileStream(_data.LogOf(app.AppId + ".daprd"), FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete));
        var level = DaprLoggerProvider.ParseLevel(options.LogLevel);
        var loggers = LoggerFactory.Create(builder => builder.SetMinimumLevel(level).AddProvider(new DaprLoggerProvider(log, app.AppId, json: false, level, TimeProvider.System)));
        var sidecar = new EmbeddedSidecar(new DaprSidecar(_engine, options, loggers), loggers, log, _running, View!.Changes);
        try
        {
            await sidecar.StartAsync(cancel);
            return sidecar;
        }
        catch (SidecarException e)
        {
            await sidecar.StopAsync(TimeSpan.Zero);
            throw new CommandException($"The sidecar of {app.AppId} cannot start: {e.Message}", e);
        }
    }

    public RuntimeView? View { get; }

    public DeadLetterBox? DeadLetters { get; }

    public ValueTask DisposeAsync()
    {
        _threads.Dispose();
        return _engine.DisposeAsync();
    }

    // As `dapr run` would call daprd (spec: the CLI's defaults); sidecars on this machine answer this machine only unless the file says otherwise.
    internal static SidecarOptions Options(RunApp app)
    {
        var options = new SidecarOptions
        {
            AppId = app.AppId,
            AppPort = app.AppPort?.Number,
            AppProtocol = app.AppProtocol switch
            {
                "https" => AppProtocol.Https,
                "grpc" => AppProtocol.Grpc,
                "grpcs" => AppProtocol.Grpcs,
                "h2c" => AppProtocol.H2c,
                _ => AppProtocol.Http,
            },
            AppMaxConcurrency = app.AppMaxConcurrency is { } limit and not 0 ? limit : -1,
            HttpPort = app.DaprHttpPort.Number,
            GrpcPort = app.DaprGrpcPort.Number,
            InternalGrpcPort = app.DaprInternalGrpcPort?.Number ?? 0,
            EnableMetrics = app.MetricsPort is not null,
            MetricsPort = app.MetricsPort?.Number ?? 0,
            MetricsListenAddress = "127.0.0.1",
            EnableProfiling = app.EnableProfiling && app.ProfilePort is not null,
            ProfilePort = app.ProfilePort?.Number ?? 0,
            ListenAddresses = app.ApiListenAddresses is { Length: > 0 } addresses ? addresses.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : ["127.0.0.1"],
            InternalGrpcListenAddress = "127.0.0.1",
            UnixDomainSocket = app.UnixDomainSocket ?? "",
            ResourcesPaths = app.ResourcesPaths,
            ConfigPaths = app.ConfigPath is { } config ? [config] : [],
            PlacementHostAddress = app.PlacementHostAddress,
            SchedulerHostAddress = app.SchedulerHostAddress,
            EnableAppHealthCheck = app.EnableAppHealthCheck,
            EnableApiLogging = app.EnableApiLogging,
            LogLevel = app.LogLevel ?? "info",
            // The supervisor starts it again within a few seconds.
            AppReconnectPatience = ReconnectPatience,
            Environment = System.Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
                .Select(e => KeyValuePair.Create((string)e.Key, Convert.ToString(e.Value, CultureInfo.InvariantCulture) ?? ""))
                .Concat(app.SidecarTraceEnvironment)
                .DistinctBy(e => e.Key)
                .ToDictionary(),
        };
        return options with
        {
            AppChannelAddress = app.AppChannelAddress is { Length: > 0 } channel ? channel : options.AppChannelAddress,
            AppHealthCheckPath = app.AppHealthCheckPath ?? options.AppHealthCheckPath,
            AppHealthProbeInterval = app.AppHealthProbeInterval is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : options.AppHealthProbeInterval,
            AppHealthProbeTimeout = app.AppHealthProbeTimeout is > 0 and var milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : options.AppHealthProbeTimeout,
            AppHealthThreshold = app.AppHealthThreshold is > 0 and var threshold ? threshold : options.AppHealthThreshold,
            MaxBodySize = app.MaxBodySize ?? options.MaxBodySize,
            ReadBufferSize = app.ReadBufferSize ?? options.ReadBufferSize,
        };
    }

    private sealed class EmbeddedSidecar(DaprSidecar sidecar, ILoggerFactory loggers, StreamWriter log, ConcurrentDictionary<string, DaprSidecar> running, RuntimeChanges changes) : IAppSidecar
    {
        public bool IsHealthy => sidecar.IsHealthy;

        public IReadOnlyList<SidecarComponent> Components => [.. sidecar.Components.Select(c => new SidecarComponent(c.Name, c.Type, c.StandsFor))];

        public Task ShutdownRequested => sidecar.ShutdownRequested;

        public async Task StartAsync(CancellationToken cancel)
        {
            await sidecar.StartAsync(cancel);
            running[sidecar.Options.AppId] = sidecar;
            changes.Tell(RuntimeAreas.Sidecars);
        }

        public Task WaitUntilHealthyAsync(CancellationToken cancel) => sidecar.WaitUntilHealthyAsync(cancel);

        public async Task StopAsync(TimeSpan grace)
        {
            running.TryRemove(KeyValuePair.Create(sidecar.Options.AppId, sidecar));
            changes.Tell(RuntimeAreas.Sidecars);
            using var limit = new CancellationTokenSource(grace);
            await sidecar.StopAsync(limit.Token);
            await sidecar.DisposeAsync();
            loggers.Dispose();
            await log.DisposeAsync();
        }
    }
}
