using DaprPlatform.Contracts.Webhooks;
using DaprPlatform.RestApi;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace DaprPlatform.Webhooks.Api;

/// <summary>The gRPC face of the webhooks.</summary>
internal sealed class WebhooksRpc(IWebhooks webhooks) : Contracts.Webhooks.Webhooks.WebhooksBase
{
    public override Task<CreateWebhookResponse> CreateWebhook(CreateWebhookRequest request, ServerCallContext context) =>
        webhooks.CreateWebhookAsync(request, context.CancellationToken);

    public override Task<ListWebhooksResponse> ListWebhooks(ListWebhooksRequest request, ServerCallContext context) =>
        webhooks.ListWebhooksAsync(request, context.CancellationToken);

    public override Task<Webhook> GetWebhook(GetWebhookRequest request, ServerCallContext context) => webhooks.GetWebhookAsync(request, context.CancellationToken);

    public override Task<Webhook> UpdateWebhook(UpdateWebhookRequest request, ServerCallContext context) =>
        webhooks.UpdateWebhookAsync(request, context.CancellationToken);

    public override Task<Empty> DeleteWebhook(DeleteWebhookRequest request, ServerCallContext context) => webhooks.DeleteWebhookAsync(request, context.CancellationToken);

    public override Task<RotateSecretResponse> RotateSecret(RotateSecretRequest request, ServerCallContext context) =>
        webhooks.RotateSecretAsync(request, context.CancellationToken);

    public override Task<Delivery> Ping(PingRequest request, ServerCallContext context) => webhooks.PingAsync(request, context.CancellationToken);

    public override Task<ListDeliveriesResponse> ListDeliveries(ListDeliveriesRequest request, ServerCallContext context) =>
        webhooks.ListDeliveriesAsync(request, context.CancellationToken);

    public override Task<Delivery> RetryDelivery(RetryDeliveryRequest request, ServerCallContext context) =>
        webhooks.RetryDeliveryAsync(request, context.CancellationToken);
}
