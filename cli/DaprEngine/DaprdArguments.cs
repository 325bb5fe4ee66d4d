using System.Globalization;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.DaprEngine;

/// <summary>The flags that <c>dapr run -f</c> gives to daprd, and addresses that keep it to this machine.</summary>
internal static class DaprdArguments
{
    private const string Loopback = "127.0.0.1";

    public static IReadOnlyList<string> Of(RunApp app, IReadOnlyList<string> resources, string placement, string scheduler)
    {
        var flags = new List<string>();
        void Add(string flag, object? value)
        {
            if (value is not null)
                flags.AddRange([$"--{flag}", Convert.ToString(value, CultureInfo.InvariantCulture)!]);
        }

        Add("app-id", app.AppId);
        Add("app-port", app.AppPort?.Number);
        Add("app-protocol", app.AppProtocol);
        Add("app-channel-address", app.AppChannelAddress is { Length: > 0 } channel ? channel : null);
        Add("app-max-concurrency", app.AppMaxConcurrency is { } limit and not 0 ? limit : -1);
        Add("dapr-http-port", app.DaprHttpPort.Number);
        Add("dapr-grpc-port", app.DaprGrpcPort.Number);
        Add("dapr-internal-grpc-port", app.DaprInternalGrpcPort?.Number ?? PortOwners.FindFree());
        Add("dapr-listen-addresses", app.ApiListenAddresses is { Length: > 0 } addresses ? addresses : Loopback);
        Add("dapr-internal-grpc-listen-address", Loopback);
        Add("placement-host-address", placement);
        Add("scheduler-host-address", scheduler);
        foreach (var folder in resources)
            Add("resources-path", folder);
        Add("config", app.ConfigPath);
        Add("log-level", app.LogLevel ?? "info");
        Add("metrics-port", app.MetricsPort?.Number);
        Add("metrics-listen-address", Loopback);
        if (app.MetricsPort is null)
            flags.Add("--enable-metrics=false");
        Add("unix-domain-socket", app.UnixDomainSocket);
        Add("max-body-size", app.MaxBodySize);
        Add("read-buffer-size", app.ReadBufferSize);
        if (app.EnableProfiling && app.ProfilePort is { } profile)
        {
            flags.Add("--enable-profiling");
            Add("profile-port", profile.Number);
        }

        if (app.EnableApiLogging is { } logging)
            flags.Add($"--enable-api-logging={(logging ? "true" : "false")}");
        if (app.EnableAppHealthCheck)
        {
            flags.Add("--enable-app-health-check");
            Add("app-health-check-path", app.AppHealthCheckPath);
            Add("app-health-probe-interval", app.AppHealthProbeInterval);
            Add("app-health-probe-timeout", app.AppHealthProbeTimeout);
            Add("app-health-threshold", app.AppHealthThreshold);
        }

        return flags;
    }
}
