using System.Security.Cryptography;
using System.Text;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Middleware;
using DaprPlatform.Sidecar.Observability;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// The HTTP API of one sidecar, in daprd's order: size of the head, tracing, metrics, CORS, token, httpPipeline, API logging, route, handler; errors in Dapr's
/// shape. What no route takes goes to service invocation.
/// </summary>
internal sealed partial class HttpApi
{
    private static readonly HashSet<string> PublicGroups = ["healthz", "metadata"];
    private readonly SidecarRuntime _runtime;
    private readonly ILogger _logger;
    private readonly byte[]? _token;
    private readonly CorsPolicy? _cors;
    private readonly ApiLog _log;
    private readonly int _maxHead;

    public HttpApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _logger = runtime.Loggers.CreateLogger("dapr.runtime.http");
        _token = runtime.Options.ApiToken is { } token ? Encoding.UTF8.GetBytes(token) : null;
        _cors = CorsPolicy.Create(runtime.Options.AllowedOrigins);
        _log = runtime.ApiLog;
        // Go's server allows 4 KiB on top of what it is told.
        _maxHead = runtime.Options.ReadBufferSize + (4 << 10);
    }

    public async Task HandleAsync(HttpContext http)
    {
        var path = RawPath(http);
        var call = new ApiCall(path, _runtime.Time.GetTimestamp());
        http.Features.Set(call);
        if (HeadSize(http) > _maxHead)
        {
            http.Response.Headers.Connection = "close";
            await PlainAsync(http, StatusCodes.Status431RequestHeaderFieldsTooLarge, "431 Request Header Fields Too Large").ConfigureAwait(false);
            return;
        }

        var span = _runtime.Tracing.IsOn && !path.Contains("/healthz", StringComparison.Ordinal) ? HttpSpans.Start(_runtime.Tracing, http, path) : null;
        call.Span = span;
        Span.Current = span;
        try
        {
            if (span is not null && !HttpSpans.IsBaggage(span.Baggage))
                await ErrorAsync(http, ApiException.BadRequest("ERR_BAD_REQUEST", "invalid request: malformed baggage header")).ConfigureAwait(false);
            else if (_cors is null || !_cors.Answer(http))
                await AuthorizedAsync(http, path).ConfigureAwait(false);
        }
        finally
        {
            var status = http.Response.StatusCode;
            var elapsed = _runtime.Time.GetElapsedTime(call.Start).TotalMilliseconds;
            if (span is not null)
            {
                HttpSpans.Describe(span, http, path, status);
                span.Dispose();
                Span.Current = null;
            }

            _runtime.Metrics.Http.Served(http.Request.Method, path, status, elapsed, http.Request.ContentLength ?? -1, http.Response.ContentLength ?? call.ResponseBytes);
        }
    }

    /// <summary>The public port: metadata and health only, without token, middleware and CORS.</summary>
    public Task HandlePublicAsync(HttpContext http)
    {
        var path = RawPath(http);
        http.Features.Set(new ApiCall(path, _runtime.Time.GetTimestamp()));
        return http.Request.Method == "GET" && _runtime.Router.TryMatch("GET", path, out var route, out _) && PublicGroups.Contains(route.Group)
            ? RunAsync(http, path, null)
            : NotFoundAsync(http);
    }

    private Task AuthorizedAsync(HttpContext http, string path)
    {
        if (_token is not null)
        {
            if (!IsHealthCheck(http, path) && !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(http.Request.Headers["dapr-api-token"].ToString()), _token))
                return PlainAsync(http, StatusCodes.Status401Unauthorized, "invalid api token\n");
            http.Request.Headers.Remove("dapr-api-token");
        }

        return _runtime.HttpPipeline.IsEmpty ? LoggedAsync(http, path) : ThroughPipelineAsync(http);
    }

    private async Task ThroughPipelineAsync(HttpContext http)
    {
        MiddlewareRefusal? refusal;
        try
        {
            refusal = await _runtime.HttpPipeline.RunAsync(new ApiMiddlewareRequest(http), http.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            await FailAsync(http, RawPath(http), e).ConfigureAwait(false);
            return;
        }

        if (refusal is not null)
            await PlainAsync(http, refusal.Status, refusal.Text).ConfigureAwait(false);
        else
            await LoggedAsync(http, RawPath(http)).ConfigureAwait(false);
    }

    private async Task LoggedAsync(HttpContext http, string path)
    {
        await RunAsync(http, path, _runtime.Fallback).ConfigureAwait(false);
        if (_log.Enabled)
            _log.Http(http, path, http.Features.Get<ApiCall>()!);
    }

    private async Task RunAsync(HttpContext http, string path, RequestDelegate? fallback)
    {
        try
        {
            if (_runtime.Router.TryMatch(http.Request.Method, path, out var route, out var values))
            {
                http.Features.Get<ApiCall>()!.Route = route;
                await route.Handler(new ApiContext(http, route, values)).ConfigureAwait(false);
            }
            else if (fallback is not null && _runtime.Router.Access.AllowsHttp("invoke", "v1.0"))
            {
                await fallback(http).ConfigureAwait(false);
            }
            else
            {
                await NotFoundAsync(http).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            await FailAsync(http, path, e).ConfigureAwait(false);
        }
    }

    // Whatever went wrong, the caller gets Dapr's error body.
    private Task FailAsync(HttpContext http, string path, Exception failure)
    {
        switch (failure)
        {
            case ApiException error:
                _runtime.Metrics.ErrorCodes.Count(error, overGrpc: false);
                return ErrorAsync(http, error);
            case BodyTooLargeException or BadHttpRequestException:
                _runtime.Metrics.ErrorCodes.Count("ERR_BODY_READ");
                return ErrorAsync(http, ApiException.BadRequest("ERR_BODY_READ", $"failed to read request body: {failure.Message}"));
            case OperationCanceledException when http.RequestAborted.IsCancellationRequested:
                // The caller has gone; nobody reads an answer.
                return Task.CompletedTask;
            default:
                LogFailure(http.Request.Method, path, failure);
                return ErrorAsync(http, new ApiException(500, StatusCode.Internal, "ERROR", failure.Message));
        }
    }

    private static async Task ErrorAsync(HttpContext http, ApiException error)
    {
        var body = error.ToJson();
        http.Response.StatusCode = error.HttpStatus;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = body.Length;
        await http.Response.BodyWriter.WriteAsync(body, http.RequestAborted).ConfigureAwait(false);
    }

    private static Task NotFoundAsync(HttpContext http)
    {
        http.Response.Headers.XContentTypeOptions = "nosniff";
        return PlainAsync(http, StatusCodes.Status404NotFound, "404 page not found\n");
    }

    private static async Task PlainAsync(HttpContext http, int status, string text)
    {
        var body = Encoding.UTF8.GetBytes(text);
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        http.Response.ContentLength = body.Length;
        await http.Response.BodyWriter.WriteAsync(body, http.RequestAborted).ConfigureAwait(false);
    }

    private static bool IsHealthCheck(HttpContext http, string path) => http.Request.Method == "GET" && path.TrimEnd('/') is "/v1.0/healthz" or "/v1.0/healthz/outbound";

    private static long HeadSize(HttpContext http)
    {
        long size = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Length;
        foreach (var (name, values) in http.Request.Headers)
        {
            foreach (var value in values)
                size += name.Length + (value?.Length ?? 0) + 4;
        }

        return size;
    }

    /// <summary>The path as it came, still percent-encoded, without query.</summary>
    public static string RawPath(HttpContext http)
    {
        var target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var query = target.IndexOf('?', StringComparison.Ordinal);
        if (query >= 0)
            target = target[..query];
        if (target is ['/', ..])
            return target;
        return Uri.TryCreate(target, UriKind.Absolute, out var uri) ? uri.AbsolutePath : target;
    }

    /// <summary>The query as it came, without <c>?</c>; empty is none.</summary>
    public static string RawQuery(HttpContext http)
    {
        var target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var query = target.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? "" : target[(query + 1)..];
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private partial void LogFailure(string method, string path, Exception error);

    private sealed class ApiMiddlewareRequest(HttpContext http) : MiddlewareRequest
    {
        public override string Method => http.Request.Method;

        public override string Path => RawPath(http);

        public override string Query => RawQuery(http);

        public override string RemoteAddress => http.Connection.RemoteIpAddress?.ToString() ?? "";

        public override string? Header(string name) => http.Request.Headers.TryGetValue(name, out StringValues values) ? values.ToString() : null;

        public override void Redirect(string path, string query)
        {
            var request = http.Features.GetRequiredFeature<IHttpRequestFeature>();
            request.RawTarget = query.Length == 0 ? path : $"{path}?{query}";
            request.Path = Uri.UnescapeDataString(path);
            request.QueryString = query.Length == 0 ? "" : "?" + query;
        }

        public override async ValueTask ReplaceBodyAsync(Func<ReadOnlyMemory<byte>, byte[]> change, CancellationToken cancellationToken)
        {
            using var all = new MemoryStream();
            try
            {
                await http.Request.Body.CopyToAsync(all, cancellationToken).ConfigureAwait(false);
            }
            catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
            {
                // Each API has its own answer to that, and meets it when it reads.
                return;
            }

            var changed = change(all.GetBuffer().AsMemory(0, (int)all.Length));
            http.Request.Body = new MemoryStream(changed);
            if (http.Request.ContentLength is not null)
                http.Request.ContentLength = changed.Length;
        }
    }
}

/// <summary>What is known of a request to the HTTP API while it is handled; a feature of its context.</summary>
internal sealed class ApiCall(string path, long start)
{
    /// <summary>As it came, without query.</summary>
    public string Path => path;

    public long Start => start;

    /// <summary>Null where tracing is off, and for health checks.</summary>
    public Span? Span { get; set; }

    /// <summary>Null where no route took the request.</summary>
    public Router.Route? Route { get; set; }

    /// <summary>Whom an invocation is for.</summary>
    public string? InvokedApp { get; set; }

    /// <summary>Bytes of a body that was passed on without a known length.</summary>
    public long ResponseBytes { get; set; }
}
