using System.Security.Cryptography;
using System.Text;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Observability;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// The gRPC API of one sidecar: <c>dapr.proto.runtime.v1.Dapr</c> and the further services of the building blocks by one look-up of the path; every other
/// method is proxied to the app that the call names. In daprd's order: allowed APIs, token, tracing, metrics, API logging.
/// </summary>
internal sealed partial class GrpcApi
{
    private const string DaprService = "/dapr.proto.runtime.v1.Dapr/";
    private readonly SidecarRuntime _runtime;
    private readonly List<GrpcMethodTable> _tables = [];
    private readonly byte[]? _token;
    private readonly ILogger _logger;

    public GrpcApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _logger = runtime.Loggers.CreateLogger("dapr.runtime.grpc");
        _token = runtime.Options.ApiToken is { } token ? Encoding.UTF8.GetBytes(token) : null;
        _tables.Add(GrpcMethodTable.Create(new DaprGrpcService(runtime), Options()));
        foreach (var block in runtime.GrpcServices)
            _tables.Add(block(Options()));
    }

    public Task HandleAsync(HttpContext http)
    {
        LiftBodyLimit(http);
        var path = http.Request.Path.Value ?? "";
        if (path.StartsWith(DaprService, StringComparison.Ordinal))
        {
            var (group, version) = GrpcEndpoints.Of(path.AsSpan(DaprService.Length));
            if (!_runtime.Router.Access.AllowsGrpc(group, version))
                return RefuseAsync(http, StatusCode.Unimplemented, "Not Implemented", "501", "requested endpoint is not available");
        }

        if (_token is not null)
        {
            var given = http.Request.Headers["dapr-api-token"].ToString();
            if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), _token))
                return RefuseAsync(http, StatusCode.Unauthenticated, "Unauthorized", "401", given.Length == 0 ? "missing api token in request metadata" : "authentication error: api token mismatch");
            http.Request.Headers.Remove("dapr-api-token");
        }

        return ObservedAsync(http, path);
    }

    /// <summary>Calls from other sidecars.</summary>
    public async Task HandleInternalAsync(HttpContext http)
    {
        LiftBodyLimit(http);
        try
        {
            await _runtime.InternalHandler(http).ConfigureAwait(false);
        }
        catch (Exception e) when (!http.RequestAborted.IsCancellationRequested && GrpcProtocol.IsGrpcRequest(http.Request))
        {
            await FailAsync(http, http.Request.Path.Value ?? "", e).ConfigureAwait(false);
        }
    }

    // --max-body-size is about each message of a stream, and about what comes from clients, not what other sidecars pass on.
    private static void LiftBodyLimit(HttpContext http)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
    }

    // What no method translates itself: the caller is told what went wrong instead of losing its stream.
    private Task FailAsync(HttpContext http, string path, Exception failure)
    {
        LogFailure(path, failure);
        return GrpcProtocol.WriteStatus(http, failure is RpcException { Status: var status } ? status : new Status(StatusCode.Internal, failure.Message));
    }

    private async Task ObservedAsync(HttpContext http, string path)
    {
        var start = _runtime.Time.GetTimestamp();
        var span = _runtime.Tracing.IsOn ? GrpcSpans.Start(_runtime.Tracing, http, path) : null;
        Span.Current = span;
        var ending = IsEndless(path) ? CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _runtime.Stopping) : null;
        if (ending is not null)
            http.RequestAborted = ending.Token;
        try
        {
            if (span is not null && !HttpSpans.IsBaggage(span.Baggage))
                await GrpcProtocol.WriteStatus(http, new Status(StatusCode.InvalidArgument, "invalid request: malformed baggage header")).ConfigureAwait(false);
            else
                await DispatchAsync(http, path).ConfigureAwait(false);
        }
        catch (Exception e) when (!http.RequestAborted.IsCancellationRequested)
        {
            await FailAsync(http, path, e).ConfigureAwait(false);
        }
        finally
        {
            var (code, message) = Outcome(http);
            if (span is not null)
            {
                if (code != StatusCode.OK)
                    span.Fail(message);
                span.Dispose();
                Span.Current = null;
            }

            ending?.Dispose();
            // Calls that are passed on count where they are answered.
            if (path.StartsWith(DaprService, StringComparison.Ordinal))
            {
                _runtime.Metrics.Grpc.Served(path, Invocation.InvocationException.Name(code), _runtime.Time.GetElapsedTime(start).TotalMilliseconds, http.Request.ContentLength ?? 0, http.Response.ContentLength ?? 0);
                if (_runtime.ApiLog.Enabled)
                    _runtime.ApiLog.Grpc(http, path, (int)code, start);
            }
        }
    }

    private Task DispatchAsync(HttpContext http, string path)
    {
        foreach (var table in _tables)
        {
            if (table.TryGet(path, out var handler))
                return handler(http);
        }

        return _runtime.GrpcFallback(http);
    }

    // Streams that last as long as their client wants; a shutdown must not wait for them. Those of actors end by themselves, after the last deactivation.
    private static bool IsEndless(string path) => path is "/TaskHubSidecarService/GetWorkItems"
        || path.StartsWith(DaprService + "SubscribeConfiguration", StringComparison.Ordinal);

    private GrpcServiceOptions Options()
    {
        var options = new GrpcServiceOptions { MaxReceiveMessageSize = _runtime.Options.MaxBodySize, MaxSendMessageSize = null, EnableDetailedErrors = true };
        if (_runtime.Tracing.IsOn)
            options.Interceptors.Add<GrpcSpans.Describer>();
        return options;
    }

    private static (StatusCode Code, string Message) Outcome(HttpContext http)
    {
        var status = StringValues.Empty;
        var message = StringValues.Empty;
        if (http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers is { } trailers && trailers.TryGetValue("grpc-status", out status))
            trailers.TryGetValue("grpc-message", out message);
        else if (http.Response.Headers.TryGetValue("grpc-status", out status))
            http.Response.Headers.TryGetValue("grpc-message", out message);
        return int.TryParse(status.ToString(), System.Globalization.CultureInfo.InvariantCulture, out var code) ? ((StatusCode)code, GrpcProtocol.DecodeMessage(message.ToString())) : (StatusCode.Cancelled, "context canceled");
    }

    private static Task RefuseAsync(HttpContext http, StatusCode code, string reason, string httpCode, string message)
    {
        var info = ApiException.Info(reason, ("http.code", httpCode), ("http.error_message", message));
        var error = new ApiException(int.Parse(httpCode, System.Globalization.CultureInfo.InvariantCulture), code, reason, reason, info).ToRpcException();
        return GrpcProtocol.WriteStatus(http, error.Status, error.Trailers);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} failed")]
    private partial void LogFailure(string path, Exception error);
}
