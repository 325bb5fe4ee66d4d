using System.Collections.Frozen;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resources;
using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>The last part of an invocation: from a sidecar to its own app, over HTTP or as OnInvoke.</summary>
internal sealed class AppInvoker
{
    // Names that HTTP reserves; as gRPC metadata they would be taken for the call's own.
    private static readonly FrozenSet<string> Reserved = new[]
    {
        "accept", "accept-charset", "accept-language", "accept-ranges", "cache-control", "content-type", "cookie", "date", "expect", "from", "host", "if-match",
        "if-modified-since", "if-none-match", "if-schedule-tag-match", "if-unmodified-since", "max-forwards", "origin", "pragma", "referer", "user-agent", "via", "warning",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private readonly SidecarRuntime _runtime;
    private readonly string _address;

    /// <exception cref="ResourceException">The access control of the Configuration is incomplete.</exception>
    public AppInvoker(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _address = runtime.Options.Variable("DAPR_HOST_IP") ?? "127.0.0.1";
        Access = new AccessControl(runtime.Configuration.Spec, runtime.Metrics.Invocation);
    }

    /// <summary>Who may call this app from another sidecar.</summary>
    public AccessControl Access { get; }

    /// <exception cref="InvocationException">The call does not reach the app.</exception>
    /// <exception cref="RequestBodyException">The caller's body cannot be read.</exception>
    public async ValueTask<InvocationResponse> CallAsync(InvocationRequest request, CancellationToken cancellationToken)
    {
        if (request.Caller is null)
            return await SendAsync(request, cancellationToken).ConfigureAwait(false);

        // Callers have no identity without mTLS, so that only the default action of access control applies, as in daprd.
        if (!Access.Allows())
            throw new InvocationException(StatusCode.PermissionDenied, $"access control policy has denied access to id:  operation: {request.Method} verb: {request.Verb}") { Remote = true };
        var metrics = _runtime.Metrics.Invocation;
        metrics.RequestReceived(request.Caller.AppId);
        var span = StartSpan(request);
        try
        {
            var response = await SendAsync(span is null ? request : request with { Trace = TraceHeaders.Of(span) }, cancellationToken).ConfigureAwait(false);
            metrics.ResponseSent(request.Caller.AppId, response is HttpInvocationResponse http ? http.Http.Status : (int)((GrpcInvocationResponse)response).Status.StatusCode);
            return response;
        }
        catch (InvocationException e)
        {
            span?.Fail(e.Message);
            throw;
        }
        finally
        {
            span?.Dispose();
        }
    }

    /// <summary>The name of a header as gRPC metadata.</summary>
    public static string MetadataName(string header) => Reserved.Contains(header) ? "dapr-" + header.ToLowerInvariant() : header.ToLowerInvariant();

    /// <summary>Adds a header as metadata; what gRPC cannot carry is left out.</summary>
    public static void AddMetadata(Metadata metadata, string name, StringValues values)
    {
        name = MetadataName(name);
        if (name.AsSpan().ContainsAnyExcept(MetadataNames) || name.StartsWith("grpc-", StringComparison.Ordinal) || name is "content-length" or "te")
            return;
        foreach (var value in values)
        {
            if (name.EndsWith("-bin", StringComparison.Ordinal))
            {
                var bytes = new byte[(value ?? "").Length];
                if (Convert.TryFromBase64String(Padded(value ?? ""), bytes, out var length))
                    metadata.Add(name, bytes[..length]);
            }
            else if (!(value ?? "").AsSpan().ContainsAnyExceptInRange(' ', '~'))
            {
                metadata.Add(name, value ?? "");
            }
        }
    }

    private static readonly System.Buffers.SearchValues<char> MetadataNames = System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-_.");

    private static string Padded(string base64) => base64.PadRight((base64.Length + 3) / 4 * 4, '=');

    private async ValueTask<InvocationResponse> SendAsync(InvocationRequest request, CancellationToken cancellationToken)
    {
        var app = _runtime.App;
        if (!app.IsConfigured)
            throw new InvocationException(StatusCode.Internal, "cannot invoke local endpoint: app channel not initialized");
        if (!app.IsHealthy)
            throw new InvocationException(StatusCode.Internal, "app is not in a healthy state") { Remote = true };
        if (app.IsGrpc)
            return await OnInvokeAsync(request, cancellationToken).ConfigureAwait(false);
        if (request.Verb.Length == 0)
            throw new InvocationException(StatusCode.Internal, "error invoking app channel: rpc error: code = InvalidArgument desc = missing HTTP extension field") { Remote = true };

        var headers = new List<KeyValuePair<string, StringValues>>(request.Headers.Count + 8);
        headers.AddRange(request.Headers);
        if (request.ContentType.Length > 0)
            headers.Add(KeyValuePair.Create("Content-Type", new StringValues(request.ContentType)));
        request.Trace.AddTo(headers);
        if (request.Caller is { } caller)
            AddCaller(caller, (name, value) => headers.Add(KeyValuePair.Create(name, new StringValues(value))));
        try
        {
            return new HttpInvocationResponse(await app.CallAsync(new UpstreamRequest(request.Verb, MethodPath.Encode(request.Method, request.Query), headers, request.Body), cancellationToken).ConfigureAwait(false));
        }
        catch (UpstreamException e)
        {
            throw request.Caller is null ? new InvocationException(StatusCode.Internal, e.Message, e) : new InvocationException(StatusCode.Internal, "error invoking app channel: " + e.Message, e) { Remote = true };
        }
    }

    private async ValueTask<InvocationResponse> OnInvokeAsync(InvocationRequest request, CancellationToken cancellationToken)
    {
        var message = new InvokeRequest
        {
            Method = request.Method,
            ContentType = request.ContentType,
            Data = new Any { TypeUrl = request.TypeUrl, Value = UnsafeByteOperations.UnsafeWrap(await request.Body.ReadAllAsync(cancellationToken).ConfigureAwait(false)) },
        };
        if (request.Verb.Length > 0)
        {
            System.Enum.TryParse<HTTPExtension.Types.Verb>(request.Verb, ignoreCase: true, out var verb);
            message.HttpExtension = new HTTPExtension { Verb = verb, Querystring = request.Query };
        }

        var metadata = new Metadata();
        foreach (var (name, values) in request.Headers)
            AddMetadata(metadata, name, values);
        if (!string.IsNullOrEmpty(request.Trace.TraceParent))
        {
            metadata.Add("traceparent", request.Trace.TraceParent);
            if (TraceContext.TryParse(request.Trace.TraceParent, null, out var context))
                metadata.Add("grpc-trace-bin", context.ToBinary());
            if (!string.IsNullOrEmpty(request.Trace.TraceState))
                metadata.Add("tracestate", request.Trace.TraceState);
        }

        if (!string.IsNullOrEmpty(request.Trace.Baggage))
            metadata.Add("baggage", request.Trace.Baggage);
        if (request.Caller is { } caller)
            AddCaller(caller, (name, value) => metadata.Add(name, value));

        using var call = new AppCallback.AppCallbackClient(_runtime.App.Grpc).OnInvokeAsync(message, new CallOptions(metadata, cancellationToken: cancellationToken));
        try
        {
            var answer = await call.ResponseAsync.ConfigureAwait(false);
            var headers = await call.ResponseHeadersAsync.ConfigureAwait(false);
            return new GrpcInvocationResponse(Status.DefaultSuccess, null, headers, answer.ContentType, answer.Data?.TypeUrl ?? "", answer.Data?.Value.Memory ?? default);
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            return new GrpcInvocationResponse(e.Status, e.Trailers.GetValueBytes("grpc-status-details-bin"), [], "", "", default);
        }
    }

    private void AddCaller(Caller caller, Action<string, string> add)
    {
        add("dapr-caller-app-id", caller.AppId);
        add("dapr-caller-namespace", caller.Namespace);
        add("dapr-callee-app-id", _runtime.Options.AppId);
        add("x-forwarded-for", _address);
        add("x-forwarded-host", Environment.MachineName);
        add("forwarded", $"for={_address};by={_address};host={Environment.MachineName}");
    }

    private Span? StartSpan(InvocationRequest request)
    {
        if (!_runtime.Tracing.IsOn)
            return null;
        TraceContext.TryParse(request.Trace.TraceParent, request.Trace.TraceState, out var parent);
        var span = _runtime.Tracing.StartSpan($"CallLocal/{_runtime.Options.AppId}/{request.Method}", SpanKind.Server, parent, request.Trace.Baggage ?? "");
        if (span is { IsRecording: true })
        {
            span.Set("dapr.api", "/dapr.proto.internals.v1.ServiceInvocation/CallLocalStream");
            span.Set("dapr.invoke_method", request.Method);
            span.Set("dapr.protocol", "grpc");
            span.Set("rpc.service", "ServiceInvocation");
        }

        return span;
    }
}
