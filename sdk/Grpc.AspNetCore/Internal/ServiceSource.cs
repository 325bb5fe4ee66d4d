using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Where the object that serves a call comes from: always the same one, or one per call, which may have to be disposed after it.</summary>
internal sealed class ServiceSource<TService>
    where TService : class
{
    ServiceSource(TService? service, Func<HttpContext, TService>? factory, bool owned)
    {
        Service = service;
        Factory = factory;
        Owned = owned;
    }

    public TService? Service { get; }

    public Func<HttpContext, TService>? Factory { get; }

    /// <summary>Whether what the factory returns is disposed after the call.</summary>
    public bool Owned { get; }

    public static ServiceSource<TService> Instance(TService service) => new(service, null, false);

    public static ServiceSource<TService> PerCall(Func<HttpContext, TService> factory) => new(null, factory, false);

    /// <summary>From the request's services if the type is registered, otherwise made with them for each call.</summary>
    public static ServiceSource<TService> FromServices(IServiceProvider services)
    {
        if (services.GetService<IServiceProviderIsService>()?.IsService(typeof(TService)) == true)
            return new(null, static http => http.RequestServices.GetRequiredService<TService>(), false);
        var create = ActivatorUtilities.CreateFactory<TService>([]);
        return new(null, http => create(http.RequestServices, []), true);
    }

    public static ValueTask DisposeAsync(object service)
    {
        if (service is IAsyncDisposable asyncDisposable)
            return asyncDisposable.DisposeAsync();
        (service as IDisposable)?.Dispose();
        return ValueTask.CompletedTask;
    }
}
