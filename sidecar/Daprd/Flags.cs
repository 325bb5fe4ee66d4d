using System.Collections;
using System.Globalization;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Daprd;

/// <summary>
/// daprd's command line (https://docs.dapr.io/reference/arguments-annotations-overview/): <c>--flag value</c>, <c>--flag=value</c>, one dash or two;
/// booleans stand alone or take <c>=true</c>/<c>=false</c>.
/// </summary>
internal sealed class Flags
{
    private static readonly HashSet<string> Booleans =
    [
        "app-ssl", "enable-profiling", "enable-metrics", "log-as-json", "enable-app-health-check", "enable-api-logging", "enable-mtls",
        "disable-builtin-k8s-secret-store", "version", "build-info", "wait",
    ];

    private static readonly HashSet<string> Values =
    [
        "app-id", "mode", "app-port", "app-protocol", "app-channel-address", "app-max-concurrency", "dapr-http-port", "dapr-grpc-port", "dapr-internal-grpc-port",
        "dapr-internal-grpc-listen-address", "dapr-public-port", "dapr-public-listen-address", "dapr-listen-addresses", "profile-port", "metrics-port",
        "metrics-listen-address", "resources-path", "components-path", "config", "log-level", "log-file", "placement-host-address", "scheduler-host-address",
        "scheduler-job-streams", "actors-disseminate-timeout", "actors-service", "reminders-service", "hot-reload-reconcile-interval", "app-health-check-path",
        "app-health-probe-interval", "app-health-probe-timeout", "app-health-threshold", "app-binding-options-timeout", "disable-init-endpoints", "max-body-size",
        "dapr-http-max-request-size", "read-buffer-size", "dapr-http-read-buffer-size", "unix-domain-socket", "allowed-origins", "dapr-graceful-shutdown-seconds",
        "dapr-block-shutdown-duration", "control-plane-address", "sentry-address", "control-plane-trust-domain", "control-plane-namespace",
        "sentry-request-jwt-audiences", "kubeconfig",
    ];

    private readonly Dictionary<string, List<string>> _given = [];

    /// <exception cref="FlagException">A flag is unknown, lacks its value, or is neither true nor false.</exception>
    public static Flags Parse(IReadOnlyList<string> args)
    {
        var flags = new Flags();
        for (var i = 0; i < args.Count; i++)
        {
            var argument = args[i];
            if (!argument.StartsWith('-') || argument is "-" or "--")
                throw new FlagException($"unexpected argument: {argument}");
            var name = argument.TrimStart('-');
            string? value = null;
            if (name.IndexOf('=', StringComparison.Ordinal) is var equals and >= 0)
                (name, value) = (name[..equals], name[(equals + 1)..]);
            if (Booleans.Contains(name))
                value ??= "true";
            else if (!Values.Contains(name))
                throw new FlagException($"unknown flag: --{name}");
            else
                value ??= ++i < args.Count ? args[i] : throw new FlagException($"flag needs an argument: --{name}");
            if (!flags._given.TryGetValue(name, out var values))
                flags._given[name] = values = [];
            if (Booleans.Contains(name) && value is not ("1" or "t" or "T" or "true" or "TRUE" or "True" or "0" or "f" or "F" or "false" or "FALSE" or "False"))
                throw new FlagException($"invalid argument \"{value}\" for \"--{name}\" flag");
            values.Add(value);
        }

        return flags;
    }

    /// <summary>A boolean flag is given and not false.</summary>
    public bool Has(string name) => Flag(name) == true;

    public string Text(string name, string unset = "") => _given.TryGetValue(name, out var values) ? values[^1] : unset;

    /// <exception cref="FlagException">A value has the wrong form, or --app-id is missing.</exception>
    public SidecarOptions ToOptions()
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "");
        var mode = Text("mode", "standalone");
        if (mode is not ("standalone" or "kubernetes"))
            throw new FlagException($"invalid mode: {mode}");
        if (mode == "kubernetes")
            throw new FlagException("mode kubernetes is real Dapr's; this runtime serves one machine");
        var appId = Text("app-id");
        if (appId.Length == 0)
            throw new FlagException("parameter app-id cannot be empty");
        if (appId.Contains('.', StringComparison.Ordinal))
            throw new FlagException("parameter app-id cannot contain dots");
        var appPort = Port("app-port", 0);
        var (http, grpc) = (Port("dapr-http-port", 3500), Port("dapr-grpc-port", 50001));
        if (appPort != 0 && (appPort == http || appPort == grpc))
            throw new FlagException($"the 'dapr-http-port' or 'dapr-grpc-port' argument value {appPort} conflicts with 'app-port'");
        var (interval, timeout) = (Positive(Number("app-health-probe-interval", 5), 5, TimeSpan.FromSeconds), Positive(Number("app-health-probe-timeout", 500), 500, TimeSpan.FromMilliseconds));
        if (Has("enable-app-health-check") && timeout > interval)
            throw new FlagException($"invalid value for 'app-health-probe-timeout': {Durations.FormatGo(timeout)} is longer than 'app-health-probe-interval' {Durations.FormatGo(interval)}");
        return new SidecarOptions
        {
            AppId = appId,
            AppPort = appPort == 0 ? null : appPort,
            AppProtocol = Text("app-protocol", "http").ToLowerInvariant() switch
            {
                "http" or "" => Has("app-ssl") ? AppProtocol.Https : AppProtocol.Http,
                "https" => AppProtocol.Https,
                "h2c" => AppProtocol.H2c,
                "grpc" => Has("app-ssl") ? AppProtocol.Grpcs : AppProtocol.Grpc,
                "grpcs" => AppProtocol.Grpcs,
                var other => throw new FlagException($"invalid value for 'app-protocol': {other}"),
            },
            AppChannelAddress = Text("app-channel-address", "127.0.0.1"),
            AppMaxConcurrency = Number("app-max-concurrency", -1),
            HttpPort = http,
            GrpcPort = grpc,
            InternalGrpcPort = Port("dapr-internal-grpc-port", 0) is var given and not 0 ? given : DaprSidecar.FreePort(),
            InternalGrpcListenAddress = Text("dapr-internal-grpc-listen-address"),
            PublicPort = Port("dapr-public-port", 0) is var port and not 0 ? port : null,
            PublicListenAddress = Text("dapr-public-listen-address"),
            MetricsPort = Port("metrics-port", 9090),
            MetricsListenAddress = Text("metrics-listen-address", "0.0.0.0"),
            EnableMetrics = Flag("enable-metrics") ?? true,
            ProfilePort = Port("profile-port", 7777),
            EnableProfiling = Has("enable-profiling"),
            ListenAddresses = List("dapr-listen-addresses"),
            UnixDomainSocket = Text("unix-domain-socket"),
            ResourcesPaths = [.. List("resources-path"), .. List("components-path")],
            ConfigPaths = List("config"),
            PlacementHostAddress = Text("placement-host-address"),
            SchedulerHostAddress = Text("scheduler-host-address"),
            EnableAppHealthCheck = Has("enable-app-health-check"),
            AppHealthCheckPath = Text("app-health-check-path", "/healthz"),
            AppHealthProbeInterval = interval,
            AppHealthProbeTimeout = timeout,
            AppHealthThreshold = Number("app-health-threshold", 3) is var threshold and > 0 ? threshold : 3,
            AppBindingOptionsTimeout = Time("app-binding-options-timeout", TimeSpan.FromSeconds(3)),
            DisableInitEndpoints = List("disable-init-endpoints").ToHashSet(),
            MaxBodySize = Size(Text("max-body-size", Text("dapr-http-max-request-size") is { Length: > 0 } mega ? mega + "Mi" : "4Mi"), "max-body-size"),
            ReadBufferSize = Size(Text("read-buffer-size", Text("dapr-http-read-buffer-size") is { Length: > 0 } kilo ? kilo + "Ki" : "4Ki"), "read-buffer-size"),
            AllowedOrigins = Text("allowed-origins"),
            EnableApiLogging = Flag("enable-api-logging"),
            GracefulShutdown = TimeSpan.FromSeconds(Number("dapr-graceful-shutdown-seconds", 5) is var seconds and >= 0 ? seconds : 5),
            BlockShutdown = Time("dapr-block-shutdown-duration", TimeSpan.Zero),
            ActorsDisseminateTimeout = Time("actors-disseminate-timeout", TimeSpan.FromSeconds(30)),
            HotReloadReconcileInterval = Time("hot-reload-reconcile-interval", TimeSpan.Zero) is var reconcile && reconcile > TimeSpan.Zero ? reconcile : TimeSpan.FromSeconds(60),
            ControlPlaneTrustDomain = Text("control-plane-trust-domain", "localhost"),
            LogLevel = Text("log-level", "info"),
            Environment = environment,
        };
    }

    private static TimeSpan Positive(int value, int unset, Func<double, TimeSpan> unit) => unit(value > 0 ? value : unset);

    // 4Mi, 512Ki, 1M, plain bytes; Kubernetes' quantities.
    private static int Size(string text, string flag)
    {
        var size = Bytes();
        return size >= 0 ? size : throw new FlagException($"invalid value for '{flag}' option: {text} is less than nothing") { Prefix = "Failed to parse flags: " };

        int Bytes()
        {
            ReadOnlySpan<(string Suffix, double Scale)> units = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("k", 1e3), ("K", 1e3), ("M", 1e6), ("G", 1e9)];
            foreach (var (suffix, scale) in units)
            {
                if (text.EndsWith(suffix, StringComparison.Ordinal) && double.TryParse(text[..^suffix.Length], CultureInfo.InvariantCulture, out var number))
                    return (int)Math.Min(number * scale, int.MaxValue);
            }

            return int.TryParse(text, CultureInfo.InvariantCulture, out var bytes) ? bytes : throw new FlagException($"invalid value for '{flag}' option: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'") { Prefix = "Failed to parse flags: " };
        }
    }

    private bool? Flag(string name) => _given.TryGetValue(name, out var values) ? values[^1].ToLowerInvariant() is "true" or "t" or "1" : null;

    private List<string> List(string name) =>
        _given.TryGetValue(name, out var values) ? [.. values.SelectMany(v => v.Split(',')).Select(v => v.Trim()).Where(v => v.Length > 0)] : [];

    private int Number(string name, int unset) => Text(name) switch
    {
        "" => unset,
        var text => int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : throw new FlagException($"invalid argument \"{text}\" for \"--{name}\" flag") { Prefix = null },
    };

    // 0 is any that is free; the Dapr CLI says -1 where it gives none.
    private int Port(string name, int unset) => Number(name, unset) switch
    {
        -1 => unset,
        var port and >= 0 and <= ushort.MaxValue => port,
        var other => throw new FlagException($"invalid value for '{name}': {other} is no port"),
    };

    private TimeSpan Time(string name, TimeSpan unset) => Text(name) switch
    {
        "" => unset,
        var text => Durations.TryParseGo(text, out var time) ? time : throw new FlagException($"invalid argument \"{text}\" for \"--{name}\" flag") { Prefix = null },
    };
}

/// <summary>The command line cannot be understood; the message says which part.</summary>
internal sealed class FlagException(string message) : Exception(message)
{
    /// <summary>Begin of the log line; null: it goes to the standard error, like a flag that is unknown.</summary>
    public string? Prefix { get; init; } = "Fatal error from runtime: ";
}
