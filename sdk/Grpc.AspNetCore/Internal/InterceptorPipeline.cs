using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Puts interceptors around a handler. Each is made, or taken from the request's services, when a call gets to it.</summary>
internal sealed class InterceptorPipeline(IEnumerable<InterceptorRegistration> registrations)
{
    readonly InterceptorRegistration[] _innermostFirst = [.. registrations.Reverse()];

    public UnaryServerMethod<TRequest, TResponse> Wrap<TRequest, TResponse>(UnaryServerMethod<TRequest, TResponse> handler)
        where TRequest : class
        where TResponse : class
    {
        foreach (var registration in _innermostFirst)
        {
            var next = handler;
            handler = (request, context) => RunAsync(registration, context, (request, next), static (interceptor, call, context) => interceptor.UnaryServerHandler(call.request, context, call.next));
        }

        return handler;
    }

    public ClientStreamingServerMethod<TRequest, TResponse> Wrap<TRequest, TResponse>(ClientStreamingServerMethod<TRequest, TResponse> handler)
        where TRequest : class
        where TResponse : class
    {
        foreach (var registration in _innermostFirst)
        {
            var next = handler;
            handler = (requests, context) => RunAsync(registration, context, (requests, next), static (interceptor, call, context) => interceptor.ClientStreamingServerHandler(call.requests, context, call.next));
        }

        return handler;
    }

    public ServerStreamingServerMethod<TRequest, TResponse> Wrap<TRequest, TResponse>(ServerStreamingServerMethod<TRequest, TResponse> handler)
        where TRequest : class
        where TResponse : class
    {
        foreach (var registration in _innermostFirst)
        {
            var next = handler;
            handler = (request, responses, context) => RunAsync(registration, context, (request, responses, next), static async (interceptor, call, context) =>
            {
                await interceptor.ServerStreamingServerHandler(call.request, call.responses, context, call.next);
                return true;
            });
        }

        return handler;
    }

    public DuplexStreamingServerMethod<TRequest, TResponse> Wrap<TRequest, TResponse>(DuplexStreamingServerMethod<TRequest, TResponse> handler)
        where TRequest : class
        where TResponse : class
    {
        foreach (var registration in _innermostFirst)
        {
            var next = handler;
            handler = (requests, responses, context) => RunAsync(registration, context, (requests, responses, next), static async (interceptor, call, context) =>
            {
                await interceptor.DuplexStreamingServerHandler(call.requests, call.responses, context, call.next);
                return true;
            });
        }

        return handler;
    }

    static async Task<TResult> RunAsync<TCall, TResult>(InterceptorRegistration registration, ServerCallContext context, TCall call, Func<Interceptor, TCall, ServerCallContext, Task<TResult>> run)
    {
        var (interceptor, owned) = registration.Get(context.GetHttpContext().RequestServices ?? NoServices.Instance);
        try
        {
            return await run(interceptor, call, context);
        }
        finally
        {
            if (owned)
                await ServiceSource<Interceptor>.DisposeAsync(interceptor);
        }
    }

    /// <summary>For servers without services, whose interceptors have all their arguments in the registration.</summary>
    sealed class NoServices : IServiceProvider
    {
        public static readonly NoServices Instance = new();

        public object? GetService(Type serviceType) => null;
    }
}
