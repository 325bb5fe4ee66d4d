using Dapr;
using Dapr.Actors.AspNetCore;
using Dapr.Actors.Client;
using Dapr.Actors.Communication;
using Dapr.Actors.Runtime;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

public static class ActorsServiceCollectionExtensions
{
    /// <summary>Adds the actors of this app and an <see cref="IActorProxyFactory"/>.</summary>
    /// <param name="services">Where to add them.</param>
    /// <param name="configure">Registers the actors. Further calls add to the same runtime.</param>
    /// <param name="lifetime">Of the proxy factory.</param>
    public static void AddActors(this IServiceCollection? services, Action<ActorRuntimeOptions>? configure, ServiceLifetime lifetime = ServiceLifetime.Singleton)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddLogging();
        services.AddRouting();
        services.AddHealthChecks();
        if (configure is not null)
            services.Configure(configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(_ => new SidecarTransport(new SocketsHttpHandler()));
        services.TryAddSingleton<ActorActivator, ContainerActorActivator>();
        services.TryAdd(new ServiceDescriptor(typeof(IActorProxyFactory), provider => ProxyFactory(provider), lifetime));
        services.TryAddSingleton(provider =>
        {
            var options = provider.GetRequiredService<IOptions<ActorRuntimeOptions>>().Value;
            var (endpoint, token) = Address(provider, options);
            return new ActorRuntime(
                options,
                provider.GetRequiredService<ILoggerFactory>(),
                provider.GetRequiredService<ActorActivator>(),
                lifetime == ServiceLifetime.Singleton ? provider.GetRequiredService<IActorProxyFactory>() : ProxyFactory(provider),
                endpoint,
                token,
                provider.GetRequiredService<SidecarTransport>().Handler,
                provider.GetRequiredService<TimeProvider>());
        });
    }

    private static ActorProxyFactory ProxyFactory(IServiceProvider provider)
    {
        var options = provider.GetRequiredService<IOptions<ActorRuntimeOptions>>().Value;
        var (endpoint, token) = Address(provider, options);
        return new ActorProxyFactory(new ActorProxyOptions
        {
            HttpEndpoint = endpoint,
            DaprApiToken = token,
            JsonSerializerOptions = options.JsonSerializerOptions,
            UseJsonSerialization = options.UseJsonSerialization,
        }, provider.GetRequiredService<SidecarTransport>().Handler);
    }

    private static (string Endpoint, string? Token) Address(IServiceProvider provider, ActorRuntimeOptions options)
    {
        var configuration = provider.GetService<IConfiguration>();
        return (
            string.IsNullOrWhiteSpace(options.HttpEndpoint) ? DaprDefaults.GetDefaultHttpEndpoint(configuration) : options.HttpEndpoint,
            string.IsNullOrWhiteSpace(options.DaprApiToken) ? DaprDefaults.GetDefaultDaprApiToken(configuration) : options.DaprApiToken);
    }
}
