using DaprPlatform.Contracts.Webhooks;
using DaprPlatform.RestApi;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Gateway.Api;

internal sealed class RemoteWebhooks(Webhooks.WebhooksClient webhooks) : IWebhooks
{
    public Task<CreateWebhookResponse> CreateWebhookAsync(CreateWebhookRequest request, CancellationToken cancellationToken) =>
        webhooks.CreateWebhookAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<ListWebhooksResponse> ListWebhooksAsync(ListWebhooksRequest request, CancellationToken cancellationToken) =>
        webhooks.ListWebhooksAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Webhook> GetWebhookAsync(GetWebhookRequest request, CancellationToken cancellationToken) =>
        webhooks.GetWebhookAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Webhook> UpdateWebhookAsync(UpdateWebhookRequest request, CancellationToken cancellationToken) =>
        webhooks.UpdateWebhookAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Empty> DeleteWebhookAsync(DeleteWebhookRequest request, CancellationToken cancellationToken) =>
        webhooks.DeleteWebhookAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<RotateSecretResponse> RotateSecretAsync(RotateSecretRequest request, CancellationToken cancellationToken) =>
        webhooks.RotateSecretAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Delivery> PingAsync(PingRequest request, CancellationToken cancellationToken) =>
        webhooks.PingAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<ListDeliveriesResponse> ListDeliveriesAsync(ListDeliveriesRequest request, CancellationToken cancellationToken) =>
        webhooks.ListDeliveriesAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Delivery> RetryDeliveryAsync(RetryDeliveryRequest request, CancellationToken cancellationToken) =>
        webhooks.RetryDeliveryAsync(request, cancellationToken: cancellationToken).ResponseAsync;
}
