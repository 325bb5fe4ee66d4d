using System.Security.Cryptography;

namespace DaprPlatform.Cli.OpsConsole.Traces;

/// <summary>Where the spans of a stack go: to its own console, unless the run file or the environment names a collector.</summary>
internal sealed class TraceCollector
{
    public const string TokenHeader = "x-console-token";
    private const string EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    public string Token { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>Null: nobody collects here.</summary>
    public string? Endpoint { get; set; }

    /// <param name="service">The name that the spans carry.</param>
    /// <param name="given">The variables it has already; those that name a collector win.</param>
    public IEnumerable<KeyValuePair<string, string>> Variables(string service, IReadOnlyDictionary<string, string> given)
    {
        if (Endpoint is not { } endpoint || given.Keys.Any(IsCollector) || Environment.GetEnvironmentVariables().Keys.Cast<string>().Any(IsCollector))
            return [];
        return new Dictionary<string, string>
        {
            [EndpointVariable] = endpoint,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_EXPORTER_OTLP_HEADERS"] = $"{TokenHeader}={Token}",
            ["OTEL_SERVICE_NAME"] = service,
        };

        static bool IsCollector(string name) => name is EndpointVariable or "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    }
}
