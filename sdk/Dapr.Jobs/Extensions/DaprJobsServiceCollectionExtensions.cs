using Dapr.Common;
using Microsoft.Extensions.DependencyInjection;

namespace Dapr.Jobs.Extensions;

/// <summary>What <see cref="DaprJobsServiceCollectionExtensions.AddDaprJobsClient"/> returns.</summary>
public interface IDaprJobsBuilder : IDaprServiceBuilder;

/// <summary>Registers <see cref="DaprJobsClient"/>.</summary>
public static class DaprJobsServiceCollectionExtensions
{
    /// <summary>Registers a client; does nothing if there is one.</summary>
    public static IDaprJobsBuilder AddDaprJobsClient(
        this IServiceCollection services, Action<IServiceProvider, DaprJobsClientBuilder>? configure = null, ServiceLifetime lifetime = ServiceLifetime.Singleton)
    {
        services.AddDaprClientOf<DaprJobsClient, DaprJobsClientBuilder>(configuration => new DaprJobsClientBuilder(configuration), configure, lifetime);
        return new Builder(services);
    }

    sealed record Builder(IServiceCollection Services) : IDaprJobsBuilder;
}
