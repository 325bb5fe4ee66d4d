using Dapr;
using Dapr.Client;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers <see cref="DaprClient"/>.</summary>
public static class DaprServiceCollectionExtensions
{
    /// <summary>Registers a client; does nothing if there is one.</summary>
    public static void AddDaprClient(this IServiceCollection services, Action<DaprClientBuilder>? configure = null, ServiceLifetime lifetime = ServiceLifetime.Singleton) =>
        services.AddDaprClient((_, builder) => configure?.Invoke(builder), lifetime);

    /// <summary>Registers a client whose options come from other services; does nothing if there is one.</summary>
    public static void AddDaprClient(this IServiceCollection services, Action<IServiceProvider, DaprClientBuilder> configure, ServiceLifetime lifetime = ServiceLifetime.Singleton)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.TryAdd(new ServiceDescriptor(typeof(DaprClient), Build, lifetime));

        DaprClient Build(IServiceProvider provider)
        {
            var configuration = provider.GetService<IConfiguration>();
            var builder = new DaprClientBuilder()
                .UseHttpEndpoint(DaprDefaults.GetDefaultHttpEndpoint(configuration))
                .UseGrpcEndpoint(DaprDefaults.GetDefaultGrpcEndpoint(configuration))
                .UseDaprApiToken(DaprDefaults.GetDefaultDaprApiToken(configuration));
            configure(provider, builder);
            return builder.Build();
        }
    }
}
