using DaprPlatform.Contracts.Webhooks;
using DaprPlatform.ServiceDefaults.Auth;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.RestApi;

/// <summary>Addresses that are told of the signed-in user's orders and payments.</summary>
public static class WebhooksApi
{
    public static IEndpointRouteBuilder MapWebhooksApi(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/v1/webhooks").WithTags("webhooks").RequireAuthorization(Policies.User).ProducesProblem(StatusCodes.Status401Unauthorized);
        group.MapPost("", CreateAsync).WithName("CreateWebhook").WithSummary("Register an address; the answer tells its secret once")
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status403Forbidden).ProducesProblem(StatusCodes.Status409Conflict);
        group.MapGet("", ListAsync).WithName("ListWebhooks").WithSummary("The user's webhooks, newest first; an operator sees all");
        var one = group.MapGroup("/{id}").ProducesProblem(StatusCodes.Status404NotFound);
        one.MapGet("", GetAsync).WithName("GetWebhook").WithSummary("One webhook");
        one.MapPut("", UpdateAsync).WithName("UpdateWebhook").WithSummary("Change address and events, switch off and on").ProducesProblem(StatusCodes.Status400BadRequest);
        one.MapDelete("", DeleteAsync).WithName("DeleteWebhook").WithSummary("Remove a webhook with its log; an operator may remove any");
        one.MapPost("/secret", RotateAsync).WithName("RotateWebhookSecret").WithSummary("A new secret; the one before is good for another day");
        one.MapPost("/ping", PingAsync).WithName("PingWebhook").WithSummary("Send a signed test event").ProducesProblem(StatusCodes.Status409Conflict);
        one.MapGet("/deliveries", ListDeliveriesAsync).WithName("ListWebhookDeliveries").WithSummary("What was sent and what became of it, newest first; status filters")
            .ProducesProblem(StatusCodes.Status400BadRequest);
        one.MapPost("/deliveries/{deliveryId}/retry", RetryAsync).WithName("RetryWebhookDelivery").WithSummary("Attempt a delivery that was given up again")
            .ProducesProblem(StatusCodes.Status409Conflict);
        return app;
    }

    private static async Task<Created<Envelope<NewWebhookView>>> CreateAsync(WebhookBody body, IWebhooks webhooks, CancellationToken cancellationToken)
    {
        var request = new CreateWebhookRequest { Url = body.Url ?? "", AllUsers = body.AllUsers };
        request.Events.AddRange((body.Events ?? []).Select(e => e ?? ""));
        var response = await webhooks.CreateWebhookAsync(request, cancellationToken);
        return TypedResults.Created($"/api/v1/webhooks/{response.Webhook.Id}", Envelope.Of(new NewWebhookView(WebhookView.From(response.Webhook), response.Secret)));
    }

    private static async Task<Ok<ListEnvelope<WebhookView>>> ListAsync(
        int? page, int? limit, string? cursor, HttpContext context, IWebhooks webhooks, CancellationToken cancellationToken)
    {
        var response = await webhooks.ListWebhooksAsync(new ListWebhooksRequest { Page = Envelope.Page(page, limit, cursor) }, cancellationToken);
        return TypedResults.Ok(Envelope.Page(context, response.Webhooks, WebhookView.From, response.Page));
    }

    private static async Task<Ok<Envelope<WebhookView>>> GetAsync(string id, IWebhooks webhooks, CancellationToken cancellationToken) =>
        TypedResults.Ok(Envelope.Of(WebhookView.From(await webhooks.GetWebhookAsync(new GetWebhookRequest { WebhookId = id }, cancellationToken))));

    private static async Task<Ok<Envelope<WebhookView>>> UpdateAsync(string id, WebhookChangeBody body, IWebhooks webhooks, CancellationToken cancellationToken)
    {
        var request = new UpdateWebhookRequest { WebhookId = id, Url = body.Url ?? "", Active = body.Active };
        request.Events.AddRange((body.Events ?? []).Select(e => e ?? ""));
        return TypedResults.Ok(Envelope.Of(WebhookView.From(await webhooks.UpdateWebhookAsync(request, cancellationToken))));
    }

    private static async Task<NoContent> DeleteAsync(string id, IWebhooks webhooks, CancellationToken cancellationToken)
    {
        await webhooks.DeleteWebhookAsync(new DeleteWebhookRequest { WebhookId = id }, cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<Ok<Envelope<SecretView>>> RotateAsync(string id, IWebhooks webhooks, CancellationToken cancellationToken)
    {
        var response = await webhooks.RotateSecretAsync(new RotateSecretRequest { WebhookId = id }, cancellationToken);
        return TypedResults.Ok(Envelope.Of(new SecretView(response.Secret, response.PreviousValidUntil.ToDateTimeOffset())));
    }

    private static async Task<Accepted<Envelope<DeliveryView>>> PingAsync(string id, IWebhooks webhooks, CancellationToken cancellationToken) =>
        TypedResults.Accepted($"/api/v1/webhooks/{id}/deliveries", Envelope.Of(DeliveryView.From(await webhooks.PingAsync(new PingRequest { WebhookId = id }, cancellationToken))));

    private static async Task<Ok<ListEnvelope<DeliveryView>>> ListDeliveriesAsync(
        string id, string? status, int? page, int? limit, string? cursor, HttpContext context, IWebhooks webhooks, CancellationToken cancellationToken)
    {
        var response = await webhooks.ListDeliveriesAsync(
            new ListDeliveriesRequest { WebhookId = id, Status = status ?? "", Page = Envelope.Page(page, limit, cursor) }, cancellationToken);
        return TypedResults.Ok(Envelope.Page(context, response.Deliveries, DeliveryView.From, response.Page));
    }

    private static async Task<Accepted<Envelope<DeliveryView>>> RetryAsync(string id, string deliveryId, IWebhooks webhooks, CancellationToken cancellationToken) =>
        TypedResults.Accepted(
            $"/api/v1/webhooks/{id}/deliveries",
            Envelope.Of(DeliveryView.From(await webhooks.RetryDeliveryAsync(new RetryDeliveryRequest { WebhookId = id, DeliveryId = deliveryId }, cancellationToken))));
}

/// <param name="Url">https, and not into a private network.</param>
/// <param name="Events">CloudEvent types such as <c>orders.v1.confirmed</c>; absent or empty: all.</param>
/// <param name="AllUsers">Events of every user; operators only.</param>
public sealed record WebhookBody(string? Url, IReadOnlyList<string?>? Events, bool AllUsers = false);

public sealed record WebhookChangeBody(string? Url, IReadOnlyList<string?>? Events, bool Active = true);

public sealed record WebhookView(string Id, string Url, IReadOnlyList<string> Events, bool AllUsers, bool Active, DateTimeOffset CreatedAt)
{
    internal static WebhookView From(Webhook webhook) =>
        new(webhook.Id, webhook.Url, webhook.Events, webhook.AllUsers, webhook.Active, webhook.CreatedAt.ToDateTimeOffset());
}

/// <param name="Secret">Of the signatures, base64 behind <c>whsec_</c>. It is not told again.</param>
public sealed record NewWebhookView(WebhookView Webhook, string Secret)
{
    // A secret must not get into a log by being printed.
    public override string ToString() => "webhook";
}

/// <param name="PreviousValidUntil">Until then deliveries carry a signature of the secret before, too.</param>
public sealed record SecretView(string Secret, DateTimeOffset PreviousValidUntil)
{
    public override string ToString() => "secret";
}

/// <param name="Status">PENDING, DELIVERED or FAILED.</param>
/// <param name="ResponseStatus">Of the last answer; absent when there was none.</param>
/// <param name="Error">Why the last attempt failed.</param>
public sealed record DeliveryView(
    string Id,
    string EventId,
    string EventType,
    string Status,
    int Attempts,
    int? ResponseStatus,
    string? Error,
    DateTimeOffset CreatedAt,
    DateTimeOffset? NextAttemptAt,
    DateTimeOffset? DeliveredAt)
{
    internal static DeliveryView From(Delivery delivery) =>
        new(
            delivery.Id,
            delivery.EventId,
            delivery.EventType,
            delivery.Status,
            delivery.Attempts,
            delivery.ResponseStatus == 0 ? null : delivery.ResponseStatus,
            Envelope.NullIfEmpty(delivery.Error),
            delivery.CreatedAt.ToDateTimeOffset(),
            delivery.NextAttemptAt?.ToDateTimeOffset(),
            delivery.DeliveredAt?.ToDateTimeOffset());
}
