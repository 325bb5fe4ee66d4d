using Dapr.Workflow;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.FaultFlags;
using DaprPlatform.ServiceDefaults.Rpc;
using DaprPlatform.Workflows.Refunds;

namespace DaprPlatform.Payments.Domain;

internal static class PaymentServices
{
    public static IServiceCollection AddPayments(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddFaultFlag<PaymentFaults>(configuration);
        services.AddSingleton<ICardProcessor>(provider => new FailingProcessor(new TestCardProcessor(), provider.GetRequiredService<PaymentFaults>()));
        services.AddSingleton<PaymentMetrics>();
        services.AddScoped<CashDesk>();
        services.AddScoped<ICashDesk>(provider => provider.GetRequiredService<CashDesk>());
        services.AddScoped<Cashier>();
        services.AddScoped<IRefundLedger, RefundLedger>();
        services.AddSingleton<RefundRunner>();
        services.AddSingleton<IRefundRunner>(provider => provider.GetRequiredService<RefundRunner>());
        services.AddHostedService(provider => provider.GetRequiredService<RefundRunner>());
        services.AddDaprWorkflow(RefundWorkflows.Register);
        services.AddServiceClient("orders", invoker => new Settlement.SettlementClient(invoker));
        services.AddEventHandler<StockReserved, StockReservedHandler>();
        return services;
    }
}
