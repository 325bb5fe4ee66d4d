using System.Security.Cryptography;
using System.Text;
using DaprPlatform.Sidecar.Hosting;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// The HTTP API of one sidecar: token, route, handler, errors in Dapr's shape. What no route takes goes to service invocation, as in daprd.
/// </summary>
internal sealed partial class HttpApi(SidecarRuntime runtime)
{
    private static readonly HashSet<string> PublicGroups = ["healthz", "metadata"];
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime.http");
    private readonly byte[]? _token = runtime.Options.ApiToken is { } token ? Encoding.UTF8.GetBytes(token) : null;

    public Task HandleAsync(HttpContext http)
    {
        var path = RawPath(http);
        if (_token is not null)
        {
            if (!IsHealthCheck(http, path) && !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(http.Request.Headers["dapr-api-token"].ToString()), _token))
                return PlainAsync(http, StatusCodes.Status401Unauthorized, "invalid api token");
            http.Request.Headers.Remove("dapr-api-token");
        }

        return RunAsync(http, path, runtime.Fallback);
    }

    /// <summary>The public port: metadata and health only, without token.</summary>
    public Task HandlePublicAsync(HttpContext http)
    {
        var path = RawPath(http);
        return runtime.Router.TryMatch(http.Request.Method, path, out var route, out _) && PublicGroups.Contains(route.Group) && http.Request.Method == "GET"
            ? RunAsync(http, path, null)
            : PlainAsync(http, StatusCodes.Status404NotFound, "404 page not found");
    }

    private async Task RunAsync(HttpContext http, string path, RequestDelegate? fallback)
    {
        try
        {
            if (runtime.Router.TryMatch(http.Request.Method, path, out var route, out var values))
                await route.Handler(new ApiContext(http, route, values)).ConfigureAwait(false);
            else if (fallback is not null)
                await fallback(http).ConfigureAwait(false);
            else
                await PlainAsync(http, StatusCodes.Status404NotFound, "404 page not found").ConfigureAwait(false);
        }
        catch (ApiException e) when (!http.Response.HasStarted)
        {
            await ErrorAsync(http, e).ConfigureAwait(false);
        }
        catch (BodyTooLargeException e) when (!http.Response.HasStarted)
        {
            await ErrorAsync(http, ApiException.BadRequest("ERR_BODY_READ", $"failed to read request body: {e.Message}")).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller has gone; nobody reads an answer.
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            LogFailure(http.Request.Method, path, e);
            await ErrorAsync(http, new ApiException(500, StatusCode.Internal, "ERROR", e.Message)).ConfigureAwait(false);
        }
    }

    private static Task ErrorAsync(HttpContext http, ApiException error)
    {
        var body = error.ToJson();
        http.Response.StatusCode = error.HttpStatus;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = body.Length;
        return http.Response.BodyWriter.WriteAsync(body, http.RequestAborted).AsTask();
    }

    private static Task PlainAsync(HttpContext http, int status, string text)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(text);
    }

    private static bool IsHealthCheck(HttpContext http, string path) => http.Request.Method == "GET" && path.TrimEnd('/') is "/v1.0/healthz" or "/v1.0/healthz/outbound";

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

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private partial void LogFailure(string method, string path, Exception error);
}
