using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Dapr.Common;

/// <summary>Registers a client together with how it is built.</summary>
internal static class DaprServiceRegistration
{
    internal static void AddDaprClientOf<TClient, TBuilder>(
        this IServiceCollection services, Func<IConfiguration?, TBuilder> create, Action<IServiceProvider, TBuilder>? configure, ServiceLifetime lifetime)
        where TClient : class, IDaprClient
        where TBuilder : DaprGenericClientBuilder<TClient>
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddHttpClient();
        services.TryAdd(new ServiceDescriptor(typeof(TClient), Build, lifetime));

        TClient Build(IServiceProvider provider)
        {
            var builder = create(provider.GetService<IConfiguration>());
            builder.UseHttpClientFactory(provider.GetRequiredService<IHttpClientFactory>());
            configure?.Invoke(provider, builder);
            return builder.Build();
        }
    }
}
