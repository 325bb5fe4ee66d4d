namespace DaprPlatform.Cli.RunFiles;

/// <summary>Where a setting stands: <c>apps[2].appPort</c>, line 34.</summary>
internal readonly record struct Setting(string Field, int Line);

/// <summary>A port with the setting it comes from; null when it was chosen free.</summary>
internal readonly record struct ConfiguredPort(int Number, Setting? Setting);

/// <summary>A run file, resolved: what each app gets after <c>common</c>, defaults, paths and the port offset.</summary>
internal sealed record RunFile(string Path, string? Name, IReadOnlyList<RunApp> Apps)
{
    /// <summary>The database server of the apps is kept by somebody else: none is started.</summary>
    public bool ExternalDatabase { get; init; }

    public string Folder => System.IO.Path.GetDirectoryName(Path)!;

    /// <summary>Every port that something will listen on, with the app and the meaning.</summary>
    public IEnumerable<(RunApp App, string Use, ConfiguredPort Port)> Ports()
    {
        foreach (var app in Apps)
        {
            if (app.AppPort is { } appPort)
                yield return (app, "app", appPort);
            yield return (app, "Dapr HTTP", app.DaprHttpPort);
            yield return (app, "Dapr gRPC", app.DaprGrpcPort);
            if (app.DaprInternalGrpcPort is { } inner)
                yield return (app, "Dapr internal gRPC", inner);
            if (app.MetricsPort is { } metrics)
                yield return (app, "Dapr metrics", metrics);
            if (app.ProfilePort is { } profile)
                yield return (app, "Dapr profile", profile);
            if (app.OwnMetricsPort is { } own)
                yield return (app, "app metrics", own);
        }
    }
}

/// <summary>One app with its sidecar. Times and sizes are daprd's flags; null leaves daprd's default.</summary>
internal sealed record RunApp
{
    public required string AppId { get; init; }

    /// <summary>Absolute.</summary>
    public required string Folder { get; init; }

    public required ConfiguredPort? AppPort { get; init; }

    public required string AppProtocol { get; init; }

    public required ConfiguredPort DaprHttpPort { get; init; }

    public required ConfiguredPort DaprGrpcPort { get; init; }

    public required ConfiguredPort? DaprInternalGrpcPort { get; init; }

    public required ConfiguredPort? MetricsPort { get; init; }

    public required ConfiguredPort? ProfilePort { get; init; }

    /// <summary>The <c>METRICS_PORT</c> of the env section: where services of ours serve health, metrics and Swagger UI beside gRPC.</summary>
    public required ConfiguredPort? OwnMetricsPort { get; init; }

    /// <summary>The <c>KEEP_PORT</c> of the env section: the platform listens on the app's port for it, also while it is started again.</summary>
    public bool KeepsPort => AppPort is not null && Environment.GetValueOrDefault("KEEP_PORT") == "true";

    /// <summary>Empty: a sidecar without an app.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>The merged env sections.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Where each of them stands.</summary>
    public required IReadOnlyDictionary<string, Setting> EnvironmentSettings { get; init; }

    /// <summary>Absolute.</summary>
    public required IReadOnlyList<string> ResourcesPaths { get; init; }

    /// <summary>By which the ports of the file were shifted, and those that components name of the apps must be.</summary>
    public int PortOffset { get; init; }

    /// <summary>Absolute; null is none.</summary>
    public required string? ConfigPath { get; init; }

    public string? AppChannelAddress { get; init; }

    public string? ApiListenAddresses { get; init; }

    public int? AppMaxConcurrency { get; init; }

    public bool EnableAppHealthCheck { get; init; }

    public string? AppHealthCheckPath { get; init; }

    /// <summary>Seconds.</summary>
    public int? AppHealthProbeInterval { get; init; }

    /// <summary>Milliseconds.</summary>
    public int? AppHealthProbeTimeout { get; init; }

    public int? AppHealthThreshold { get; init; }

    public bool? EnableApiLogging { get; init; }

    public bool EnableProfiling { get; init; }

    public string? LogLevel { get; init; }

    public string? UnixDomainSocket { get; init; }

    /// <summary>Bytes.</summary>
    public int? MaxBodySize { get; init; }

    /// <summary>Bytes.</summary>
    public int? ReadBufferSize { get; init; }

    /// <summary>Empty turns actors and workflows off, as in daprd.</summary>
    public required string PlacementHostAddress { get; init; }

    /// <summary>Empty turns jobs and reminders off, as in daprd.</summary>
    public required string SchedulerHostAddress { get; init; }

    /// <summary>Where its spans and those of its sidecar go unless something else is said; null: nowhere.</summary>
    public OpsConsole.Traces.TraceCollector? Collector { get; init; }

    /// <summary>What a sidecar needs to send its spans to the same place, under a name of its own.</summary>
    public IEnumerable<KeyValuePair<string, string>> SidecarTraceEnvironment => Collector?.Variables(AppId + ".daprd", Environment) ?? [];

    /// <summary>What <c>dapr run</c> gives the app, then the env sections.</summary>
    public IReadOnlyDictionary<string, string> ProcessEnvironment()
    {
        var environment = new Dictionary<string, string>
        {
            ["APP_ID"] = AppId,
            ["APP_PROTOCOL"] = AppProtocol,
            ["APP_CHANNEL_ADDRESS"] = AppChannelAddress ?? "",
            ["DAPR_HTTP_PORT"] = Text(DaprHttpPort),
            ["DAPR_GRPC_PORT"] = Text(DaprGrpcPort),
        };
        if (AppPort is { } port)
            environment["APP_PORT"] = Text(port);
        if (MetricsPort is { } metrics)
            environment["DAPR_METRICS_PORT"] = Text(metrics);
        foreach (var (name, value) in Environment)
            environment[name] = value;
        foreach (var (name, value) in Collector?.Variables(AppId, Environment) ?? [])
            environment.TryAdd(name, value);
        return environment;

        static string Text(ConfiguredPort port) => port.Number.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }
}
