using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Observability;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>One call of a method of an app, whichever way it came in.</summary>
/// <param name="AppId">Whom it is for, without namespace.</param>
/// <param name="Verb">HTTP verb; empty where a gRPC caller gave none.</param>
/// <param name="Method">Decoded and cleaned, without leading slash.</param>
/// <param name="Query">Verbatim, without <c>?</c>.</param>
/// <param name="Headers">End-to-end headers of the caller, its trace context and Content-Type left out.</param>
/// <param name="ContentType">Empty is none.</param>
/// <param name="TypeUrl">Type of a protobuf message in the body; empty otherwise.</param>
internal sealed record InvocationRequest(string AppId, string Verb, string Method, string Query, List<KeyValuePair<string, StringValues>> Headers, string ContentType, string TypeUrl, RequestBody Body)
{
    /// <summary>The sidecar that calls; null: the callee's own.</summary>
    public Caller? Caller { get; init; }

    public TraceHeaders Trace { get; init; }

    /// <summary>The caller spoke gRPC: headers came as metadata.</summary>
    public bool OverGrpc { get; init; }
}

/// <summary>Who calls from another sidecar.</summary>
internal sealed record Caller(string AppId, string Namespace);

/// <summary>Trace context of a call as it is to be passed on.</summary>
internal readonly record struct TraceHeaders(string TraceParent, string TraceState, string Baggage)
{
    /// <summary>That of a span.</summary>
    public static TraceHeaders Of(Span span) => new(span.TraceParent, span.Context.State, span.Baggage);

    public void AddTo(List<KeyValuePair<string, StringValues>> headers)
    {
        if (!string.IsNullOrEmpty(TraceParent))
            headers.Add(KeyValuePair.Create("traceparent", new StringValues(TraceParent)));
        if (!string.IsNullOrEmpty(TraceState))
            headers.Add(KeyValuePair.Create("tracestate", new StringValues(TraceState)));
        if (!string.IsNullOrEmpty(Baggage))
            headers.Add(KeyValuePair.Create("baggage", new StringValues(Baggage)));
    }
}

/// <summary>A call did not reach its app, or the app's sidecar refused it.</summary>
/// <param name="code">As gRPC's.</param>
internal sealed class InvocationException(Grpc.Core.StatusCode code, string message, Exception? inner = null) : Exception(message, inner)
{
    public Grpc.Core.StatusCode Code => code;

    /// <summary>The message as it looks after it crossed a border between sidecars of daprd.</summary>
    public string RemoteMessage => $"rpc error: code = {Name(code)} desc = {Message}";

    /// <summary>The call came from another sidecar.</summary>
    public bool Remote { get; init; }

    public static string Name(Grpc.Core.StatusCode code) => code == Grpc.Core.StatusCode.Cancelled ? "Canceled" : code.ToString();
}

/// <summary>The answer of an app: HTTP as it came, or the outcome of a gRPC app's OnInvoke.</summary>
internal abstract class InvocationResponse : IAsyncDisposable
{
    public abstract ValueTask DisposeAsync();
}

/// <summary>Status, headers and body of an HTTP app.</summary>
internal sealed class HttpInvocationResponse(UpstreamResponse response) : InvocationResponse
{
    public UpstreamResponse Http => response;

    public override ValueTask DisposeAsync() => response.DisposeAsync();
}

/// <summary>The outcome of a gRPC app's OnInvoke.</summary>
/// <param name="status">Its status.</param>
/// <param name="details">grpc-status-details-bin of a failure; null is none.</param>
/// <param name="headers">Its response headers.</param>
internal sealed class GrpcInvocationResponse(Grpc.Core.Status status, byte[]? details, Grpc.Core.Metadata headers, string contentType, string typeUrl, ReadOnlyMemory<byte> data) : InvocationResponse
{
    public Grpc.Core.Status Status => status;

    public byte[]? Details => details;

    public Grpc.Core.Metadata Headers => headers;

    public string ContentType => contentType;

    public string TypeUrl => typeUrl;

    public ReadOnlyMemory<byte> Data => data;

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
