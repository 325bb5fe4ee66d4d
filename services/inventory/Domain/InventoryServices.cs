using Dapr.Jobs.Extensions;
using DaprPlatform.Contracts.Events;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Events;

namespace DaprPlatform.Inventory.Domain;

internal static class InventoryServices
{
    public static IServiceCollection AddInventory(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(StockOptions.From(configuration));
        services.AddSingleton<StockMetrics>();
        services.AddScoped<CatalogStore>();
        services.AddScoped<ICatalog>(provider => provider.GetRequiredService<CatalogStore>());
        services.AddScoped<StockKeeper>();
        services.AddEventHandler<OrderCreated, OrderCreatedHandler>();
        services.AddSingleton<ReservationExpiry>();
        services.AddHostedService(provider => provider.GetRequiredService<ReservationExpiry>());
        services.AddDaprJobsClient();
        services.AddJobHandler<ReservationExpiry>(ReservationExpiry.JobPrefix, static (expiry, cancellationToken) => expiry.ExpireDueAsync(cancellationToken));
        return services;
    }
}
