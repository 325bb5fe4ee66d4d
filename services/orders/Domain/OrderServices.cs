using DaprPlatform.Contracts.Events;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.History;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Settings;
using DaprPlatform.Workflows;

namespace DaprPlatform.Orders.Domain;

internal static class OrderServices
{
    public static IServiceCollection AddOrders(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(ApprovalOptions.From(configuration));
        services.AddLiveSetting<ApprovalThreshold>();
        services.AddLiveSetting<OrderMode>();
        services.AddSingleton<OrderFactsCache>();
        services.AddSingleton<RecentPrices>();
        services.AddSingleton<OrderWaiters>();
        services.AddSingleton<OrderMetrics>();
        services.AddSingleton<WorkflowStarter>();
        services.AddHostedService(provider => provider.GetRequiredService<WorkflowStarter>());
        services.AddHostedService<StuckOrderSweep>();
        services.AddEventBatchHandler<PaymentProcessed, PaymentProcessedHandler>();
        services.AddScoped<OrderChain>();
        services.AddEventHandler<StockEvent, ReservationFailedHandler, OrdersDb>();
        services.AddEventHandler<PaymentRefunded, PaymentRefundedHandler, OrdersDb>();
        services.AddOrderHistory();
        services.AddScoped<IOrderLedger, OrderLedger>();
        services.AddScoped<IOrderBook, OrderBook>();
        return services;
    }

    /// <summary>The read model, fed by what this service tells the world.</summary>
    internal static IServiceCollection AddOrderHistory(this IServiceCollection services)
    {
        services.AddScoped<SummaryStore>();
        services.AddScoped<SummaryBuilder>();
        services.AddSingleton<SummaryRebuild>();
        services.AddHostedService(provider => provider.GetRequiredService<SummaryRebuild>());
        services.AddEventBatchHandler<OrderCreated, OrderCreatedSummaries>();
        services.AddEventBatchHandler<OrderStatusChanged, OrderStatusSummaries>();
        return services.AddScoped<IOrderHistory, OrderHistory>();
    }
}
