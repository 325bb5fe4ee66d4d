using System.Diagnostics.CodeAnalysis;
using Dapr.Common;
using Microsoft.Extensions.DependencyInjection;

namespace Dapr.DistributedLock.Extensions;

/// <summary>What <see cref="DaprDistributedLockServiceCollectionExtensions.AddDaprDistributedLock"/> returns.</summary>
[Experimental("DAPR_DISTRIBUTEDLOCK")]
public interface IDaprDistributedLockBuilder : IDaprServiceBuilder;

/// <summary>Registers <see cref="DaprDistributedLockClient"/>.</summary>
[Experimental("DAPR_DISTRIBUTEDLOCK")]
public static class DaprDistributedLockServiceCollectionExtensions
{
    /// <summary>Registers a client; does nothing if there is one.</summary>
    public static IDaprDistributedLockBuilder AddDaprDistributedLock(
        this IServiceCollection services, Action<IServiceProvider, DaprDistributedLockBuilder>? configure = null, ServiceLifetime lifetime = ServiceLifetime.Scoped)
    {
        services.AddDaprClientOf<DaprDistributedLockClient, DaprDistributedLockBuilder>(configuration => new DaprDistributedLockBuilder(configuration), configure, lifetime);
        return new Builder(services);
    }

    sealed record Builder(IServiceCollection Services) : IDaprDistributedLockBuilder;
}
