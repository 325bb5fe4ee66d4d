using DaprPlatform.Contracts.Events;
using DaprPlatform.Orders.Data;
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
        services.AddSingleton<OrderWaiters>();
        services.AddSingleton<OrderMetrics>();
        services.AddSingleton<WorkflowStarter>();
        services.AddHostedService(provider => provider.GetRequiredService<WorkflowStarter>());
        services.AddHostedService<StuckOrderSweep>();
        services.AddEventHandler<PaymentProcessed, PaymentProcessedHandler, OrdersDb>();
        services.AddScoped<OrderChain>();
        services.AddEventHandler<StockEvent, ReservationFailedHandler, OrdersDb>();
        services.AddEventHandler<PaymentRefunded, PaymentRefundedHandler, OrdersDb>();
        services.AddScoped<IOrderLedger, OrderLedger>();
        services.AddScoped<IOrderBook, OrderBook>();
        return services;
    }
}
