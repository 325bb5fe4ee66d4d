namespace Grpc.Core;

/// <summary>Makes calls; the seam between generated clients and a transport or an interceptor.</summary>
public abstract class CallInvoker
{
    /// <summary>A unary call that blocks the thread until its response.</summary>
    /// <exception cref="RpcException">The call failed.</exception>
    public abstract TResponse BlockingUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
        where TRequest : class
        where TResponse : class;

    /// <summary>A unary call.</summary>
    public abstract AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
        where TRequest : class
        where TResponse : class;

    /// <summary>A server streaming call.</summary>
    public abstract AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
        where TRequest : class
        where TResponse : class;

    /// <summary>A client streaming call.</summary>
    public abstract AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options)
        where TRequest : class
        where TResponse : class;

    /// <summary>A duplex streaming call.</summary>
    public abstract AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options)
        where TRequest : class
        where TResponse : class;
}

/// <summary>A way to one address, shared by the clients of its services.</summary>
public abstract class ChannelBase
{
    readonly string _target;

    /// <summary>A channel to the target.</summary>
    protected ChannelBase(string target)
    {
        ArgumentNullException.ThrowIfNull(target);
        _target = target;
    }

    /// <summary>The address.</summary>
    public string Target => _target;

    /// <summary>An invoker that calls over this channel.</summary>
    public abstract CallInvoker CreateCallInvoker();

    /// <summary>Ends the channel; calls under way are cancelled.</summary>
    public Task ShutdownAsync() => ShutdownAsyncCore();

    /// <inheritdoc cref="ShutdownAsync"/>
    protected virtual Task ShutdownAsyncCore() => Task.CompletedTask;
}
