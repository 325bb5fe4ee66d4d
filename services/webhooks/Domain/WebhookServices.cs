using Dapr.Jobs.Extensions;
using DaprPlatform.Contracts.Events;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.Webhooks.Data;

namespace DaprPlatform.Webhooks.Domain;

internal static class WebhookServices
{
    public static IServiceCollection AddWebhooks(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(WebhookOptions.From(configuration));
        services.AddSingleton<WebhookMetrics>();
        services.AddSingleton<IWebhookSender, HttpWebhookSender>();
        services.AddDaprJobsClient();
        services.AddSingleton<Courier>();
        services.AddHostedService(provider => provider.GetRequiredService<Courier>());
        services.AddJobHandler<Courier>(Courier.JobPrefix, static (courier, _) =>
        {
            courier.Wake();
            return Task.CompletedTask;
        });
        services.AddScoped<IWebhooks, WebhookBook>();
        return services
            .AddEventBatchHandler<OrderCreated, FanOut<OrderCreated>>()
            .AddEventBatchHandler<OrderStatusChanged, FanOut<OrderStatusChanged>>()
            .AddEventBatchHandler<PaymentProcessed, FanOut<PaymentProcessed>>()
            .AddEventBatchHandler<PaymentRefunded, FanOut<PaymentRefunded>>()
            .AddEventBatchHandler<CompensationFailed, FanOut<CompensationFailed>>();
    }
}
