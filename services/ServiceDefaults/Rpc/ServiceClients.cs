using Dapr.Client;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.ServiceDefaults.Rpc;

/// <summary>Typed gRPC clients of other services, through the sidecar.</summary>
public static class ServiceClients
{
    /// <summary>Registers a client that was generated from a <c>.proto</c>, addressed by app id.</summary>
    public static IServiceCollection AddServiceClient<TClient>(this IServiceCollection services, string appId, Func<CallInvoker, TClient> create)
        where TClient : class
    {
        services.AddHttpContextAccessor();
        return services.AddSingleton(provider =>
            create(Invokers.For(appId).Intercept(new CallDefaults(provider.GetRequiredService<IHttpContextAccessor>(), provider.GetRequiredService<TimeProvider>()))));
    }

    // One connection to the sidecar per app id, however many clients there are of it.
    private static class Invokers
    {
        private static readonly Dictionary<string, CallInvoker> ByApp = [];

        public static CallInvoker For(string appId)
        {
            lock (ByApp)
            {
                if (!ByApp.TryGetValue(appId, out var invoker))
                    ByApp[appId] = invoker = DaprClient.CreateInvocationInvoker(appId);
                return invoker;
            }
        }
    }
}

/// <summary>Passes on the bearer token of the request being served, and gives every call a deadline.</summary>
internal sealed class CallDefaults(IHttpContextAccessor accessor, TimeProvider time) : Interceptor
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        var options = context.Options;
        if (options.Deadline is null)
            options = options.WithDeadline(time.GetUtcNow().UtcDateTime + Deadline);
        if (accessor.HttpContext?.Request.Headers.Authorization.ToString() is { Length: > 0 } bearer)
        {
            // The given headers are the caller's object.
            var headers = new Metadata();
            foreach (var entry in options.Headers ?? [])
                headers.Add(entry);
            headers.Add("authorization", bearer);
            options = options.WithHeaders(headers);
        }
        return continuation(request, new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, options));
    }
}
