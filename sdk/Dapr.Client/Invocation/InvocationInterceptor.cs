using Dapr.Common;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Dapr.Client;

/// <summary>Sends gRPC calls to an app by way of the sidecar.</summary>
public class InvocationInterceptor : Interceptor
{
    readonly string _appId;
    readonly string? _apiToken;

    /// <summary>An interceptor for calls of the app.</summary>
    /// <param name="appId">The app.</param>
    /// <param name="daprApiToken">The token to send; empty for none.</param>
    public InvocationInterceptor(string appId, string? daprApiToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(appId);
        _appId = appId;
        _apiToken = daprApiToken;
    }

    /// <inheritdoc />
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, BlockingUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, Address(context));

    /// <inheritdoc />
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, Address(context));

    /// <inheritdoc />
    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, Address(context));

    /// <inheritdoc />
    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context, AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(Address(context));

    /// <inheritdoc />
    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context, AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(Address(context));

    // Headers of the caller are copied: he may use his own again.
    ClientInterceptorContext<TRequest, TResponse> Address<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context)
        where TRequest : class
        where TResponse : class
    {
        var headers = new Metadata();
        foreach (var entry in context.Options.Headers ?? Metadata.Empty)
            headers.Add(entry);
        headers.Add("dapr-app-id", _appId);
        if (!string.IsNullOrWhiteSpace(_apiToken))
            headers.Add(DaprHeaders.ApiToken, _apiToken);
        return new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, context.Options.WithHeaders(headers));
    }
}
