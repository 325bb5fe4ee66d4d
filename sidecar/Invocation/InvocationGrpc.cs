using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Invocation;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resiliency;
using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Hosting;

internal sealed partial class DaprGrpcService
{
    /// <summary>The gRPC face of service invocation, older than proxied calls and still in use.</summary>
    public override async Task<InvokeResponse> InvokeService(InvokeServiceRequest request, ServerCallContext context)
    {
        var span = Span.Current;
        try
        {
            if (request.Id.Length == 0)
                throw new InvocationException(StatusCode.Internal, "app id is empty");
            if (request.Message is not { } message)
                throw new InvocationException(StatusCode.InvalidArgument, "parsing InternalInvokeRequest error: request does not contain the required fields in the leading chunk") { Remote = true };
            var invocation = Invocation(request.Id, message, context, span);
            await using var response = await _runtime.Invocation.Invoker.InvokeAsync(request.Id, invocation, context.CancellationToken).ConfigureAwait(false);
            return response is HttpInvocationResponse { Http: var http }
                ? await AnswerAsync(http, context).ConfigureAwait(false)
                : await AnswerAsync((GrpcInvocationResponse)response, context).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (RpcException or OperationCanceledException or OutOfMemoryException))
        {
            _runtime.Metrics.ErrorCodes.Count("ERR_DIRECT_INVOKE");
            var text = e is InvocationException { Remote: true } remote ? remote.RemoteMessage : e.Message;
            throw new RpcException(new Status(StatusCode.Internal, $"failed to invoke, id: {request.Id}, err: {text}"));
        }
    }

    private static InvocationRequest Invocation(string id, InvokeRequest message, ServerCallContext context, Span? span)
    {
        var headers = new List<KeyValuePair<string, StringValues>>(context.RequestHeaders.Count);
        var (traceparent, baggage) = ("", "");
        foreach (var entry in context.RequestHeaders)
        {
            switch (entry.Key)
            {
                case "traceparent":
                    traceparent = entry.Value;
                    break;
                case "baggage":
                    baggage = entry.Value;
                    break;
                case "tracestate" or "grpc-trace-bin" or "content-type" or "dapr-api-token" or "te" or "host":
                    break;
                default:
                    headers.Add(KeyValuePair.Create(entry.Key, new StringValues(entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value)));
                    break;
            }
        }

        var method = MethodPath.Clean(message.Method);
        if (span is not null)
        {
            (traceparent, baggage) = (span.TraceParent, span.Baggage);
            span.Name = $"CallLocal/{id}/{method}";
            if (span.IsRecording)
            {
                span.Set("rpc.service", "ServiceInvocation");
                span.Set("net.peer.name", id);
            }
        }

        var verb = message.HttpExtension is null or { Verb: HTTPExtension.Types.Verb.None } ? "" : message.HttpExtension.Verb.ToString().ToUpperInvariant();
        return new InvocationRequest(id, verb, method, message.HttpExtension?.Querystring ?? "", headers, message.ContentType, message.Data?.TypeUrl ?? "", RequestBody.Of(message.Data?.Value.Memory ?? default))
        {
            OverGrpc = true,
            Trace = new TraceHeaders(traceparent, "", baggage),
        };
    }

    private static async Task<InvokeResponse> AnswerAsync(UpstreamResponse answer, ServerCallContext context)
    {
        var body = await answer.ReadAllAsync(long.MaxValue, context.CancellationToken).ConfigureAwait(false);
        var headers = new Metadata { { "dapr-http-status", answer.Status.ToString(System.Globalization.CultureInfo.InvariantCulture) } };
        foreach (var (name, value) in answer.Headers)
            AppInvoker.AddMetadata(headers, name, value);
        await context.WriteResponseHeadersAsync(headers).ConfigureAwait(false);
        if (GrpcAnswers.Failure(answer.Status, body) is { } failure)
            throw failure;
        return new InvokeResponse { ContentType = answer.Header("Content-Type") ?? "", Data = new Any { Value = UnsafeByteOperations.UnsafeWrap(body) } };
    }

    private static async Task<InvokeResponse> AnswerAsync(GrpcInvocationResponse answer, ServerCallContext context)
    {
        if (answer.Status.StatusCode != StatusCode.OK)
        {
            var trailers = new Metadata();
            if (answer.Details is { } details)
                trailers.Add("grpc-status-details-bin", details);
            throw new RpcException(answer.Status, trailers);
        }

        var headers = new Metadata();
        foreach (var entry in answer.Headers)
        {
            if (entry.Key is not ("content-type" or "date" or "server") && !entry.Key.StartsWith("grpc-", StringComparison.Ordinal))
                headers.Add(entry);
        }

        await context.WriteResponseHeadersAsync(headers).ConfigureAwait(false);
        return new InvokeResponse { ContentType = answer.ContentType, Data = new Any { TypeUrl = answer.TypeUrl, Value = UnsafeByteOperations.UnsafeWrap(answer.Data) } };
    }
}
