using System.Globalization;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// Invocation between sidecars of different processes: one HTTP/2 request to the callee's internal port, streaming both ways. Headers of the call and of its answer
/// travel as they are; what belongs to the invocation itself has names of its own. The answer is always 200 on the wire, so that statuses without a body,
/// such as 205, cross with theirs.
/// </summary>
internal static class InternalProtocol
{
    public const string InvokePath = "/invoke";

    private const string Prefix = "dapr-internal-";
    private const string Verb = Prefix + "verb";
    private const string Method = Prefix + "method";
    private const string Query = Prefix + "query";
    private const string CallerId = Prefix + "caller";
    private const string CallerNamespace = Prefix + "caller-namespace";
    private const string TypeUrl = Prefix + "type-url";
    private const string OverGrpc = Prefix + "grpc";
    private const string StatusOf = Prefix + "status";
    private const string LengthOf = Prefix + "length";
    private const string GrpcStatus = Prefix + "grpc-status";
    private const string GrpcMessage = Prefix + "grpc-message";
    private const string GrpcDetails = Prefix + "grpc-details";
    private const string ErrorCode = Prefix + "error";
    private const string ErrorMessage = Prefix + "error-message";

    /// <summary>Calls the sidecar at the other end.</summary>
    /// <exception cref="UpstreamException">It does not answer.</exception>
    /// <exception cref="InvocationException">It did not reach its app.</exception>
    public static async ValueTask<InvocationResponse> CallAsync(UpstreamTransport peer, InvocationRequest request, CancellationToken cancellationToken)
    {
        var headers = new List<KeyValuePair<string, StringValues>>(request.Headers.Count + 12);
        foreach (var header in request.Headers)
        {
            if (!header.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
                headers.Add(header);
        }

        Add(Verb, request.Verb);
        Add(Method, MethodPath.Encode(request.Method, ""));
        Add(Query, request.Query);
        Add(CallerId, Uri.EscapeDataString(request.Caller!.AppId));
        Add(CallerNamespace, Uri.EscapeDataString(request.Caller.Namespace));
        Add(TypeUrl, request.TypeUrl);
        if (request.OverGrpc)
            Add(OverGrpc, "1");
        if (request.ContentType.Length > 0)
            Add("Content-Type", request.ContentType);
        request.Trace.AddTo(headers);

        var response = await peer.SendAsync(new UpstreamRequest("POST", InvokePath, headers, request.Body), cancellationToken).ConfigureAwait(false);
        try
        {
            if (response.Header(ErrorCode) is { } error)
            {
                var code = (StatusCode)int.Parse(error, CultureInfo.InvariantCulture);
                var message = Uri.UnescapeDataString(response.Header(ErrorMessage) ?? "");
                await response.DisposeAsync().ConfigureAwait(false);
                throw new InvocationException(code, message) { Remote = true };
            }

            if (response.Header(GrpcStatus) is { } grpc)
            {
                var status = new Status((StatusCode)int.Parse(grpc, CultureInfo.InvariantCulture), Uri.UnescapeDataString(response.Header(GrpcMessage) ?? ""));
                var details = response.Header(GrpcDetails) is { } base64 ? Convert.FromBase64String(base64) : null;
                var metadata = new Metadata();
                foreach (var (name, value) in response.Headers)
                {
                    if (!name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && name is not ("Date" or "Server") && !name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
                        AppInvoker.AddMetadata(metadata, name, value);
                }

                var data = await response.ReadAllAsync(long.MaxValue, cancellationToken).ConfigureAwait(false);
                var answer = new GrpcInvocationResponse(status, details, metadata, response.Header("Content-Type") ?? "", response.Header(TypeUrl) ?? "", data);
                await response.DisposeAsync().ConfigureAwait(false);
                return answer;
            }

            return new HttpInvocationResponse(new RemoteResponse(response));
        }
        catch
        {
            await response.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        void Add(string name, string value)
        {
            if (value.Length > 0)
                headers.Add(KeyValuePair.Create(name, new StringValues(value)));
        }
    }

    /// <summary>Answers a call from another sidecar.</summary>
    public static async Task HandleAsync(SidecarRuntime runtime, AppInvoker app, HttpContext http)
    {
        var incoming = http.Request.Headers;
        var headers = new List<KeyValuePair<string, StringValues>>(incoming.Count);
        foreach (var header in incoming)
        {
            if (header.Key[0] != ':' && !header.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && !IsOwn(header.Key))
                headers.Add(header);
        }

        var hasBody = http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true && http.Request.ContentLength != 0;
        var request = new InvocationRequest(runtime.Options.AppId, incoming[Verb].ToString(), MethodPath.Decode(incoming[Method].ToString()), incoming[Query].ToString(), headers, http.Request.ContentType ?? "",
            incoming[TypeUrl].ToString(), hasBody ? new StreamedBody(http.Request.BodyReader, http.Request.ContentLength, keep: false, long.MaxValue) : RequestBody.Empty)
        {
            Caller = new Caller(Uri.UnescapeDataString(incoming[CallerId].ToString()), Uri.UnescapeDataString(incoming[CallerNamespace].ToString())),
            Trace = new TraceHeaders(incoming.TraceParent.ToString(), incoming.TraceState.ToString(), incoming.Baggage.ToString()),
            OverGrpc = incoming.ContainsKey(OverGrpc),
        };
        try
        {
            await using var response = await app.CallAsync(request, http.RequestAborted).ConfigureAwait(false);
            if (response is HttpInvocationResponse { Http: var answer })
                await WriteAsync(http, answer).ConfigureAwait(false);
            else
                await WriteAsync(http, (GrpcInvocationResponse)response).ConfigureAwait(false);
        }
        catch (InvocationException e) when (!http.Response.HasStarted)
        {
            http.Response.Headers[ErrorCode] = ((int)e.Code).ToString(CultureInfo.InvariantCulture);
            http.Response.Headers[ErrorMessage] = Uri.EscapeDataString(e.Message);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or RequestBodyException or System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            // One side left in the middle: the other must not take what there is for all.
            http.Abort();
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            http.Response.Headers.Clear();
            http.Response.Headers[ErrorCode] = ((int)StatusCode.Internal).ToString(CultureInfo.InvariantCulture);
            http.Response.Headers[ErrorMessage] = Uri.EscapeDataString(e.Message);
        }
    }

    private static bool IsOwn(string name) =>
        name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase) || name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) || name.Equals("Host", StringComparison.OrdinalIgnoreCase)
        || name.Equals("traceparent", StringComparison.OrdinalIgnoreCase) || name.Equals("tracestate", StringComparison.OrdinalIgnoreCase) || name.Equals("baggage", StringComparison.OrdinalIgnoreCase)
        || HopByHop.Contains(name);

    private static async Task WriteAsync(HttpContext http, UpstreamResponse answer)
    {
        var outgoing = http.Response.Headers;
        outgoing[StatusOf] = answer.Status.ToString(CultureInfo.InvariantCulture);
        foreach (var (name, value) in answer.Headers)
            outgoing.Append(name, value);
        if (answer.ContentLength is { } length)
            outgoing[LengthOf] = length.ToString(CultureInfo.InvariantCulture);
        await InvocationApi.CopyBodyAsync(http, answer, sniff: false).ConfigureAwait(false);
    }

    private static async Task WriteAsync(HttpContext http, GrpcInvocationResponse answer)
    {
        var outgoing = http.Response.Headers;
        foreach (var entry in answer.Headers)
            outgoing.Append(entry.Key, entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value);
        outgoing[GrpcStatus] = ((int)answer.Status.StatusCode).ToString(CultureInfo.InvariantCulture);
        if (answer.Status.Detail.Length > 0)
            outgoing[GrpcMessage] = Uri.EscapeDataString(answer.Status.Detail);
        if (answer.Details is { } details)
            outgoing[GrpcDetails] = Convert.ToBase64String(details);
        if (answer.TypeUrl.Length > 0)
            outgoing[TypeUrl] = answer.TypeUrl;
        if (answer.ContentType.Length > 0)
            outgoing.ContentType = answer.ContentType;
        http.Response.ContentLength = answer.Data.Length;
        await http.Response.BodyWriter.WriteAsync(answer.Data, http.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>What the app answered, out of what its sidecar sent.</summary>
    private sealed class RemoteResponse(UpstreamResponse inner) : UpstreamResponse
    {
        public override int Status { get; } = int.Parse(inner.Header(StatusOf) ?? throw new UpstreamException("the other sidecar answers without a status", connected: true), CultureInfo.InvariantCulture);

        public override IReadOnlyList<KeyValuePair<string, string>> Headers { get; } = [.. inner.Headers.Where(h => !h.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))];

        public override long? ContentLength { get; } = long.TryParse(inner.Header(LengthOf), CultureInfo.InvariantCulture, out var length) ? length : null;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => inner.ReadAsync(buffer, cancellationToken);

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
