namespace DaprPlatform.Sidecar.Hosting;

/// <summary>How the sidecar speaks to its app (<c>--app-protocol</c>).</summary>
public enum AppProtocol
{
    /// <summary>HTTP/1.1 without TLS.</summary>
    Http,

    /// <summary>HTTP/1.1 with TLS; the app's certificate is not verified.</summary>
    Https,

    /// <summary>HTTP/2 without TLS, with prior knowledge.</summary>
    H2c,

    /// <summary>gRPC without TLS.</summary>
    Grpc,

    /// <summary>gRPC with TLS; the app's certificate is not verified.</summary>
    Grpcs,
}

/// <summary>
/// What a sidecar is started with: daprd's flags and the environment variables it reads, already parsed.
/// Defaults are daprd's (https://docs.dapr.io/reference/arguments-annotations-overview/).
/// </summary>
public sealed record SidecarOptions
{
    public required string AppId { get; init; }

    /// <summary>Port the app listens on; null when the sidecar has no app.</summary>
    public int? AppPort { get; init; }

    public AppProtocol AppProtocol { get; init; } = AppProtocol.Http;

    public string AppChannelAddress { get; init; } = "127.0.0.1";

    /// <summary>Calls to the app under way at a time; -1 is without limit.</summary>
    public int AppMaxConcurrency { get; init; } = -1;

    public int HttpPort { get; init; } = 3500;

    public int GrpcPort { get; init; } = 50001;

    /// <summary>Port for calls from other sidecars; 0 takes a free one.</summary>
    public int InternalGrpcPort { get; init; }

    public string InternalGrpcListenAddress { get; init; } = "";

    /// <summary>Port that serves metadata and health only; null is off.</summary>
    public int? PublicPort { get; init; }

    public string PublicListenAddress { get; init; } = "";

    public int MetricsPort { get; init; } = 9090;

    public string MetricsListenAddress { get; init; } = "0.0.0.0";

    public bool EnableMetrics { get; init; } = true;

    public int ProfilePort { get; init; } = 7777;

    public bool EnableProfiling { get; init; }

    /// <summary>Addresses the API listens on; empty is all.</summary>
    public IReadOnlyList<string> ListenAddresses { get; init; } = [];

    /// <summary>Folder for <c>dapr-&lt;appid&gt;-{http,grpc}.socket</c>; empty is off.</summary>
    public string UnixDomainSocket { get; init; } = "";

    public IReadOnlyList<string> ResourcesPaths { get; init; } = [];

    public IReadOnlyList<string> ConfigPaths { get; init; } = [];

    /// <summary>Any address turns actors on: placement is inside. Empty: actors and workflows are disabled, as in daprd.</summary>
    public string PlacementHostAddress { get; init; } = "";

    /// <summary>Any address turns jobs and reminders on: the scheduler is inside. Empty: they are disabled, as in daprd.</summary>
    public string SchedulerHostAddress { get; init; } = "";

    public bool EnableAppHealthCheck { get; init; }

    public string AppHealthCheckPath { get; init; } = "/healthz";

    public TimeSpan AppHealthProbeInterval { get; init; } = TimeSpan.FromSeconds(5);

    public TimeSpan AppHealthProbeTimeout { get; init; } = TimeSpan.FromMilliseconds(500);

    public int AppHealthThreshold { get; init; } = 3;

    /// <summary>
    /// How long calls wait for an app that refuses connections, from the first refusal. Zero, as in daprd: they fail at once. Where somebody starts apps again,
    /// a restart is a pause then and no failure.
    /// </summary>
    public TimeSpan AppReconnectPatience { get; init; }

    public TimeSpan AppBindingOptionsTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Of <c>config</c> and <c>subscribe</c>: what the app is not asked for at start.</summary>
    public IReadOnlySet<string> DisableInitEndpoints { get; init; } = new HashSet<string>();

    /// <summary>Bytes; applies to HTTP bodies and gRPC messages in both directions.</summary>
    public int MaxBodySize { get; init; } = 4 << 20;

    /// <summary>Bytes of request headers.</summary>
    public int ReadBufferSize { get; init; } = 4 << 10;

    /// <summary>CORS origins, comma separated; empty is off, <c>*</c> allows all.</summary>
    public string AllowedOrigins { get; init; } = "";

    /// <summary>Null leaves it to the Configuration's <c>logging.apiLogging</c>.</summary>
    public bool? EnableApiLogging { get; init; }

    public TimeSpan GracefulShutdown { get; init; } = TimeSpan.FromSeconds(5);

    public TimeSpan BlockShutdown { get; init; } = TimeSpan.Zero;

    public TimeSpan ActorsDisseminateTimeout { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan HotReloadReconcileInterval { get; init; } = TimeSpan.FromSeconds(60);

    public string ControlPlaneTrustDomain { get; init; } = "localhost";

    public string LogLevel { get; init; } = "info";

    /// <summary>The environment the sidecar sees: DAPR_API_TOKEN, APP_API_TOKEN, NAMESPACE, POD_NAME, DAPR_ENV_KEYS, OTEL_*, and envRef values.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Token callers must send as <c>dapr-api-token</c>; null is off.</summary>
    public string? ApiToken => Variable("DAPR_API_TOKEN");

    /// <summary>Token sent to the app as <c>dapr-api-token</c>; null is off.</summary>
    public string? AppApiToken => Variable("APP_API_TOKEN");

    /// <summary>Namespace for everything but state key prefixes.</summary>
    public string Namespace => Variable("NAMESPACE") ?? "default";

    /// <summary>The value of an environment variable, or null when it is unset or empty.</summary>
    public string? Variable(string name) => Environment.TryGetValue(name, out var value) && value.Length > 0 ? value : null;
}
