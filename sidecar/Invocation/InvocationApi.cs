using System.Buffers;
using System.Text;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resiliency;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// Service invocation (https://docs.dapr.io/reference/api/service_invocation_api/): every HTTP request that is no other API's and names an app, in the path, in the
/// header <c>dapr-app-id</c>, or as a user name; InvokeService; and gRPC calls of methods that the sidecar does not know.
/// </summary>
internal sealed class InvocationApi : IBuildingBlock
{
    private const string AppIdHeader = "dapr-app-id";
    private readonly SidecarRuntime _runtime;
    private readonly GrpcProxy _proxy;

    public InvocationApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        Invoker = new Invoker(runtime, new AppInvoker(runtime));
        _proxy = new GrpcProxy(runtime);
        runtime.Invocation = this;
    }

    public Invoker Invoker { get; }

    public void MapHttp(Router router)
    {
        _runtime.Fallback = HandleAsync;
        _runtime.GrpcFallback = _proxy.HandleAsync;
        _runtime.InternalHandler = HandleInternalAsync;
    }

    /// <summary>Passes a body on as it comes. Headers go out with its first part, or before it where that takes time.</summary>
    public static async ValueTask CopyBodyAsync(HttpContext http, UpstreamResponse answer, bool sniff)
    {
        var response = http.Response;
        var writer = response.BodyWriter;
        var first = ArrayPool<byte>.Shared.Rent(16 << 10);
        try
        {
            var reading = answer.ReadAsync(first, http.RequestAborted);
            var needsType = sniff && response.ContentType is null && !response.Headers.ContainsKey("Content-Encoding");
            if (!reading.IsCompleted && !needsType)
                await response.StartAsync(http.RequestAborted).ConfigureAwait(false);
            var read = await reading.ConfigureAwait(false);
            if (read == 0)
                return;
            if (needsType)
                response.ContentType = ContentSniffing.Detect(first.AsSpan(0, read));
            first.AsSpan(0, read).CopyTo(writer.GetSpan(read));
            writer.Advance(read);
            long total = read;
            if (read != answer.ContentLength)
            {
                await writer.FlushAsync(http.RequestAborted).ConfigureAwait(false);
                total += await answer.CopyToAsync(writer, http.RequestAborted).ConfigureAwait(false);
            }

            if (http.Features.Get<ApiCall>() is { } call)
                call.ResponseBytes = total;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(first);
        }
    }

    private Task HandleInternalAsync(HttpContext http)
    {
        if (http.Request.Path.Value == InternalProtocol.InvokePath)
            return InternalProtocol.HandleAsync(_runtime, Invoker.Own, http);
        if (_runtime.InternalRoutes.TryGetValue(http.Request.Path.Value ?? "", out var route))
            return route(http);
        return _proxy.HandleInternalAsync(http);
    }

    private async Task HandleAsync(HttpContext http)
    {
        if (!TryFindTarget(http, out var id, out var rawMethod))
            throw new ApiException(404, StatusCode.NotFound, "ERR_DIRECT_INVOKE", "failed getting app id either from the URL path or the header dapr-app-id");
        var call = http.Features.Get<ApiCall>();
        if (call is not null)
            call.InvokedApp = id;
        try
        {
            var request = Request(http, id, MethodPath.Decode(rawMethod), call?.Span);
            await using var response = await Invoker.InvokeAsync(id, request, http.RequestAborted).ConfigureAwait(false);
            if (response is HttpInvocationResponse { Http: var answer })
                await WriteAsync(http, answer).ConfigureAwait(false);
            else
                await GrpcAnswers.WriteAsync(http, (GrpcInvocationResponse)response).ConfigureAwait(false);
        }
        catch (Exception e) when (!http.Response.HasStarted && e is not (ApiException or OperationCanceledException or OutOfMemoryException))
        {
            var (status, code, text) = e switch
            {
                InvocationException { Code: StatusCode.PermissionDenied } denied => (403, denied.Code, denied.RemoteMessage),
                InvocationException { Remote: true } remote => (500, remote.Code, remote.RemoteMessage),
                InvocationException own => (500, own.Code, own.Message),
                MethodException method => (500, StatusCode.InvalidArgument, $"rpc error: code = InvalidArgument desc = {method.Message}"),
                _ => (500, StatusCode.Internal, e.Message),
            };
            if (e is RequestBodyException { InnerException: not BodyTooLargeException } && http.RequestAborted.IsCancellationRequested)
                return;
            throw new ApiException(status, code, "ERR_DIRECT_INVOKE", $"failed to invoke, id: {id}, err: {text}");
        }
        catch (Exception) when (http.Response.HasStarted)
        {
            // The answer broke off: the caller must not take what there is for all of it.
            http.Abort();
        }
    }

    private InvocationRequest Request(HttpContext http, string id, string method, Span? span)
    {
        var incoming = http.Request.Headers;
        var headers = new List<KeyValuePair<string, StringValues>>(incoming.Count);
        var connection = ClientConnection.NamesOf(http);
        foreach (var header in incoming)
        {
            if (header.Key[0] != ':' && !IsOwn(header.Key) && (connection.Count == 0 || !HopByHop.ListedIn(connection, header.Key)))
                headers.Add(header);
        }

        TraceHeaders trace;
        if (span is not null)
        {
            trace = TraceHeaders.Of(span);
            span.Name = $"CallLocal/{id}/{method}";
            if (span.IsRecording)
            {
                span.Set("rpc.service", "ServiceInvocation");
                span.Set("net.peer.name", id);
            }
        }
        else
        {
            trace = new TraceHeaders(incoming.TraceParent.ToString(), incoming.TraceState.ToString(), incoming.Baggage.ToString());
        }

        var length = http.Request.ContentLength;
        var limit = http.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? long.MaxValue;
        var body = RequestBody.Empty;
        if (length is not 0 && http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true)
            body = new StreamedBody(http.Request.BodyReader, length, keep: length is not null && Invoker.MayRetry(id), limit);
        return new InvocationRequest(id, http.Request.Method, method, HttpApi.RawQuery(http), headers, http.Request.ContentType ?? "", "", body) { Trace = trace };
    }

    // What is not the caller's to say, or is said anew.
    private static bool IsOwn(string name) => HopByHop.Contains(name) || name.Length switch
    {
        4 => name.Equals("Host", StringComparison.OrdinalIgnoreCase),
        6 => name.Equals("Expect", StringComparison.OrdinalIgnoreCase),
        7 => name.Equals("baggage", StringComparison.OrdinalIgnoreCase),
        10 => name.Equals("tracestate", StringComparison.OrdinalIgnoreCase),
        11 => name.Equals("traceparent", StringComparison.OrdinalIgnoreCase) || name.Equals(AppIdHeader, StringComparison.OrdinalIgnoreCase),
        12 => name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase),
        14 => name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    private static bool TryFindTarget(HttpContext http, out string id, out string rawMethod)
    {
        var path = HttpApi.RawPath(http);
        id = http.Request.Headers[AppIdHeader].ToString();
        rawMethod = path;
        if (id.Length > 0)
            return true;
        if (http.Request.Headers.Authorization.ToString() is { Length: > 6 } authorization && authorization.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase) && UserOf(authorization[6..]) is { } user)
        {
            id = user;
            http.Request.Headers.Remove("Authorization");
            return true;
        }

        const string Root = "/v1.0/invoke/";
        const string Method = "/method/";
        if (!path.StartsWith(Root, StringComparison.Ordinal))
            return false;
        var at = path.IndexOf(Method, Root.Length, StringComparison.Ordinal);
        if (at <= Root.Length)
            return false;
        id = Uri.UnescapeDataString(path[Root.Length..at]);
        rawMethod = path[(at + Method.Length)..];
        return id.Length > 0;
    }

    // http://dapr-app-id:ID@host/… in the form in which clients send it.
    private static string? UserOf(string credentials)
    {
        var bytes = new byte[credentials.Length];
        if (!Convert.TryFromBase64String(credentials.Trim(), bytes, out var length))
            return null;
        var text = Encoding.UTF8.GetString(bytes, 0, length);
        return text.StartsWith("dapr-app-id:", StringComparison.Ordinal) && text.Length > "dapr-app-id:".Length ? text["dapr-app-id:".Length..] : null;
    }

    private static async Task WriteAsync(HttpContext http, UpstreamResponse answer)
    {
        var response = http.Response;
        var status = answer.Status;
        response.StatusCode = status;
        if (status == 205 && http.Features.Get<ClientConnection>() is { } connection && http.Request.Method != "HEAD" && answer.ContentLength != 0)
        {
            connection.AllowBodyOf205();
            response.StatusCode = ClientConnection.StandsFor205;
            http.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = "Reset Content";
        }

        foreach (var (name, value) in answer.Headers)
        {
            if (name.Length is 7 or 10 or 11 && (name.Equals("traceparent", StringComparison.OrdinalIgnoreCase) || name.Equals("tracestate", StringComparison.OrdinalIgnoreCase) || name.Equals("baggage", StringComparison.OrdinalIgnoreCase)))
                response.Headers[name] = value;
            else if (status != 304 || !name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
                response.Headers.Append(name, value);
        }

        // A failure without a word about its type is taken for JSON.
        if (status >= 400 && response.ContentType is null)
            response.ContentType = "application/json";
        if (response.StatusCode is 204 or 205 or 304)
            return;
        if (answer.ContentLength is { } length)
            response.ContentLength = length;
        if (http.Request.Method == "HEAD")
            return;
        try
        {
            await CopyBodyAsync(http, answer, sniff: true).ConfigureAwait(false);
        }
        catch when (!response.HasStarted)
        {
            // It broke off before anything was passed on: what it said of itself is not true of the error that takes its place.
            foreach (var (name, _) in answer.Headers)
                response.Headers.Remove(name);
            response.ContentLength = null;
            throw;
        }
    }
}
