using Dapr.Common;
using Microsoft.Extensions.DependencyInjection;

namespace Dapr.Messaging.PublishSubscribe.Extensions;

/// <summary>What <see cref="PublishSubscribeServiceCollectionExtensions.AddDaprPubSubClient"/> returns.</summary>
public interface IDaprPubSubBuilder : IDaprServiceBuilder;

/// <summary>Registers <see cref="DaprPublishSubscribeClient"/>.</summary>
public static class PublishSubscribeServiceCollectionExtensions
{
    /// <summary>Registers a client; does nothing if there is one.</summary>
    public static IDaprPubSubBuilder AddDaprPubSubClient(
        this IServiceCollection services, Action<IServiceProvider, DaprPublishSubscribeClientBuilder>? configure = null, ServiceLifetime lifetime = ServiceLifetime.Singleton)
    {
        services.AddDaprClientOf<DaprPublishSubscribeClient, DaprPublishSubscribeClientBuilder>(configuration => new DaprPublishSubscribeClientBuilder(configuration), configure, lifetime);
        return new Builder(services);
    }

    sealed record Builder(IServiceCollection Services) : IDaprPubSubBuilder;
}
