using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resources;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// A line for each call of the API (https://docs.dapr.io/operations/observability/logging/logs/): --enable-api-logging, else Configuration's
/// <c>logging.apiLogging</c>.
/// </summary>
internal sealed class ApiLog
{
    private readonly TimeProvider _time;
    private readonly ILogger _http;
    private readonly ILogger _grpc;
    private readonly bool _obfuscate;
    private readonly bool _omitHealthChecks;

    public ApiLog(SidecarOptions options, JsonObject configuration, TimeProvider time, ILoggerFactory loggers)
    {
        var api = configuration.Object("logging")?.Object("apiLogging") ?? [];
        Enabled = options.EnableApiLogging ?? api.Flag("enabled") ?? false;
        _obfuscate = api.Flag("obfuscateURLs") == true;
        _omitHealthChecks = api.Flag("omitHealthChecks") == true;
        _time = time;
        _http = loggers.CreateLogger("dapr.runtime.http-info");
        _grpc = loggers.CreateLogger("dapr.runtime.grpc.api-info");
    }

    public bool Enabled { get; }

    public void Http(HttpContext http, string path, ApiCall call)
    {
        if (_omitHealthChecks && call.Route?.Group == "healthz")
            return;
        Write(_http, "HTTP API Called",
        [
            KeyValuePair.Create<string, object?>("code", http.Response.StatusCode),
            KeyValuePair.Create<string, object?>("duration", (long)_time.GetElapsedTime(call.Start).TotalMilliseconds),
            KeyValuePair.Create<string, object?>("method", _obfuscate ? EndpointNames.Of(http.Request.Method, call) : $"{http.Request.Method} {path}"),
            KeyValuePair.Create<string, object?>("size", http.Response.ContentLength ?? call.ResponseBytes),
            KeyValuePair.Create<string, object?>("useragent", http.Request.Headers.UserAgent.ToString()),
        ]);
    }

    public void Grpc(HttpContext http, string method, int code, long start) => Write(_grpc, "gRPC API Called",
    [
        KeyValuePair.Create<string, object?>("code", code),
        KeyValuePair.Create<string, object?>("duration", (long)_time.GetElapsedTime(start).TotalMilliseconds),
        KeyValuePair.Create<string, object?>("method", method),
        KeyValuePair.Create<string, object?>("useragent", http.Request.Headers.UserAgent.ToString()),
    ]);

    private static void Write(ILogger logger, string message, KeyValuePair<string, object?>[] fields)
    {
        if (fields[^1].Value is "")
            fields = fields[..^1];
        logger.Log(LogLevel.Information, default, new DaprLogFields(message, fields), null, static (state, _) => state.Message);
    }
}
