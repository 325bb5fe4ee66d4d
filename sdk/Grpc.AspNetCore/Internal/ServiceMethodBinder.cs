using System.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>A method with its handler; <paramref name="Implementation"/> is the service's own method, for its attributes.</summary>
internal sealed record BoundMethod(IMethod Method, RequestDelegate Handler, MethodInfo? Implementation);

/// <summary>Collects a service's methods from its generated <c>BindService</c> and makes a request handler of each.</summary>
internal sealed class ServiceMethodBinder<TService> : ServiceBinderBase
    where TService : class
{
    readonly ServiceSource<TService> _source;
    readonly GrpcServiceOptions _options;
    readonly ILogger _logger;
    readonly InterceptorPipeline _interceptors;
    readonly List<BoundMethod> _methods = [];

    ServiceMethodBinder(ServiceSource<TService> source, GrpcServiceOptions options, ILoggerFactory? loggerFactory)
    {
        _source = source;
        _options = options;
        _logger = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger("Grpc.AspNetCore.Server.ServerCallHandler");
        _interceptors = new InterceptorPipeline(options.Interceptors);
    }

    public static IReadOnlyList<BoundMethod> Bind(ServiceSource<TService> source, GrpcServiceOptions options, ILoggerFactory? loggerFactory)
    {
        var binder = new ServiceMethodBinder<TService>(source, options, loggerFactory);
        // Without an object the generated method passes null for every handler, and they are found by their names.
        FindBindMethod().Invoke(null, BindingFlags.DoNotWrapExceptions, null, [binder, source.Service], null);
        return binder._methods;
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
    {
        var implementation = FindImplementation(method, typeof(TRequest), typeof(ServerCallContext));
        if (handler is null)
        {
            var open = implementation.CreateDelegate<Func<TService, TRequest, ServerCallContext, Task<TResponse>>>();
            var factory = _source.Factory!;
            handler = _source.Owned
                ? async (request, context) =>
                {
                    var service = factory(context.GetHttpContext());
                    try
                    {
                        return await open(service, request, context);
                    }
                    finally
                    {
                        await ServiceSource<TService>.DisposeAsync(service);
                    }
                }
                : (request, context) => open(factory(context.GetHttpContext()), request, context);
        }

        Add(method, implementation, new UnaryCallHandler<TRequest, TResponse>(method, Settings(method), _interceptors.Wrap(handler)).HandleAsync);
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var implementation = FindImplementation(method, typeof(IAsyncStreamReader<TRequest>), typeof(ServerCallContext));
        if (handler is null)
        {
            var open = implementation.CreateDelegate<Func<TService, IAsyncStreamReader<TRequest>, ServerCallContext, Task<TResponse>>>();
            handler = async (requests, context) =>
            {
                var service = _source.Factory!(context.GetHttpContext());
                try
                {
                    return await open(service, requests, context);
                }
                finally
                {
                    await ReleaseAsync(service);
                }
            };
        }

        Add(method, implementation, new ClientStreamingCallHandler<TRequest, TResponse>(method, Settings(method), _interceptors.Wrap(handler)).HandleAsync);
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var implementation = FindImplementation(method, typeof(TRequest), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
        if (handler is null)
        {
            var open = implementation.CreateDelegate<Func<TService, TRequest, IServerStreamWriter<TResponse>, ServerCallContext, Task>>();
            handler = async (request, responses, context) =>
            {
                var service = _source.Factory!(context.GetHttpContext());
                try
                {
                    await open(service, request, responses, context);
                }
                finally
                {
                    await ReleaseAsync(service);
                }
            };
        }

        Add(method, implementation, new ServerStreamingCallHandler<TRequest, TResponse>(method, Settings(method), _interceptors.Wrap(handler)).HandleAsync);
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var implementation = FindImplementation(method, typeof(IAsyncStreamReader<TRequest>), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
        if (handler is null)
        {
            var open = implementation.CreateDelegate<Func<TService, IAsyncStreamReader<TRequest>, IServerStreamWriter<TResponse>, ServerCallContext, Task>>();
            handler = async (requests, responses, context) =>
            {
                var service = _source.Factory!(context.GetHttpContext());
                try
                {
                    await open(service, requests, responses, context);
                }
                finally
                {
                    await ReleaseAsync(service);
                }
            };
        }

        Add(method, implementation, new DuplexStreamingCallHandler<TRequest, TResponse>(method, Settings(method), _interceptors.Wrap(handler)).HandleAsync);
    }

    ValueTask ReleaseAsync(TService service) => _source.Owned ? ServiceSource<TService>.DisposeAsync(service) : default;

    void Add(IMethod method, MethodInfo implementation, RequestDelegate handler) => _methods.Add(new BoundMethod(method, handler, implementation));

    MethodSettings Settings(IMethod method) => new(method, _options, _logger);

    static MethodInfo FindBindMethod()
    {
        for (var type = typeof(TService); type is not null; type = type.BaseType)
        {
            if (type.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false) is not { } attribute)
                continue;
            return attribute.BindType.GetMethod(attribute.BindMethodName, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static, [typeof(ServiceBinderBase), type])
                ?? throw new InvalidOperationException($"No static method {attribute.BindType}.{attribute.BindMethodName}({nameof(ServiceBinderBase)}, {type}) was found to bind {typeof(TService)}.");
        }

        throw new InvalidOperationException($"Error binding gRPC service '{typeof(TService).Name}': it derives from no generated service base class.");
    }

    static MethodInfo FindImplementation(IMethod method, params Type[] parameters)
    {
        for (var type = typeof(TService); type is not null; type = type.BaseType)
        {
            if (type.GetMethod(method.Name, BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly, parameters) is { } found)
                return found;
        }

        throw new InvalidOperationException($"Could not find '{method.Name}' on {typeof(TService)}.");
    }
}
