using Dapr.Client;
using DaprPlatform.Contracts.Baskets;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Contracts.Webhooks;
using DaprPlatform.Contracts.Users;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Rpc;

namespace DaprPlatform.Gateway.Api;

/// <summary>The services behind the gateway, each through the sidecar.</summary>
internal static class RemoteServices
{
    public static IServiceCollection AddRemoteServices(this IServiceCollection services)
    {
        services.AddServiceClient("basket", invoker => new Baskets.BasketsClient(invoker));
        services.AddServiceClient("inventory", invoker => new Catalog.CatalogClient(invoker));
        services.AddServiceClient("orders", invoker => new Orders.OrdersClient(invoker));
        services.AddServiceClient("payments", invoker => new Payments.PaymentsClient(invoker));
        services.AddServiceClient("webhooks", invoker => new Webhooks.WebhooksClient(invoker));
        services.AddSingleton<IAccounts, RemoteAccounts>();
        services.AddSingleton<IBaskets, RemoteBaskets>();
        services.AddSingleton<ICatalog, RemoteCatalog>();
        services.AddSingleton<IOrderBook, RemoteOrderBook>();
        services.AddSingleton<IOrderHistory, RemoteOrderHistory>();
        services.AddSingleton<RemoteCashDesk>();
        services.AddSingleton<ICashDesk>(provider => provider.GetRequiredService<RemoteCashDesk>());
        services.AddSingleton<ICardVault>(provider => provider.GetRequiredService<RemoteCashDesk>());
        services.AddSingleton<IOrderPayments, RemoteOrderPayments>();
        services.AddSingleton<IWebhooks, RemoteWebhooks>();
        services.AddSingleton(provider => new NotificationsClient(provider.GetRequiredService<DaprClient>().CreateInvokableHttpClient("notifications")));
        return services;
    }
}
