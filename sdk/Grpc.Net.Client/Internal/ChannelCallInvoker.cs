using Grpc.Core;

namespace Grpc.Net.Client.Internal;

internal sealed class ChannelCallInvoker(GrpcChannel channel) : CallInvoker
{
    static readonly Func<object, Task<Metadata>> Headers = static call => ((GrpcCall)call).GetResponseHeadersAsync();
    static readonly Func<object, Status> Status = static call => ((GrpcCall)call).GetStatus();
    static readonly Func<object, Metadata> Trailers = static call => ((GrpcCall)call).GetTrailers();
    static readonly Action<object> End = static call => ((GrpcCall)call).Dispose();

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        using var call = AsyncUnaryCall(method, host, options, request);
        return call.ResponseAsync.GetAwaiter().GetResult();
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = GrpcCall<TRequest, TResponse>.WithRequest(channel, method, host, options, request);
        return new AsyncUnaryCall<TResponse>(call.InvokeAsync(), Headers, Status, Trailers, End, call);
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = GrpcCall<TRequest, TResponse>.WithRequest(channel, method, host, options, request);
        call.Start();
        return new AsyncServerStreamingCall<TResponse>(call, Headers, Status, Trailers, End, call);
    }

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        var call = GrpcCall<TRequest, TResponse>.WithRequestStream(channel, method, host, options);
        var writer = call.CreateWriter();
        var response = call.InvokeAsync();
        writer.Course = response;
        return new AsyncClientStreamingCall<TRequest, TResponse>(writer, response, Headers, Status, Trailers, End, call);
    }

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        var call = GrpcCall<TRequest, TResponse>.WithRequestStream(channel, method, host, options);
        var writer = call.CreateWriter();
        call.Start();
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(writer, call, Headers, Status, Trailers, End, call);
    }
}
