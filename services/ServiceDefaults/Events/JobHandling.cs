using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.ServiceDefaults.Events;

/// <summary>Who takes the due jobs whose names start so.</summary>
internal sealed record JobRoute(string Prefix, Func<IServiceProvider, CancellationToken, Task> Handle);

public static class JobHandling
{
    /// <summary>Hands due jobs of the sidecar to a service. What it throws lets the sidecar try again; a job may come more than once.</summary>
    /// <param name="services">The app's.</param>
    /// <param name="prefix">Of the names of the jobs.</param>
    /// <param name="handle">Returns when its effect is durable.</param>
    public static IServiceCollection AddJobHandler<TService>(this IServiceCollection services, string prefix, Func<TService, CancellationToken, Task> handle)
        where TService : notnull =>
        services.AddSingleton(new JobRoute(prefix, (provider, cancellationToken) => handle(provider.GetRequiredService<TService>(), cancellationToken)));
}
