using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.Webhooks.Data;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Webhooks.Domain;

/// <summary>What webhooks can be told of.</summary>
internal static class WebhookEvents
{
    public const string Ping = "webhooks.v1.ping";

    public static IReadOnlyList<string> Types { get; } =
    [
        "orders.v1.order_created", "orders.v1.confirmed", "orders.v1.processing", "orders.v1.shipped", "orders.v1.delivered", "orders.v1.cancelled",
        "payments.v1.payment_processed", "payments.v1.payment_refunded", "orders.v1.compensation_failed", "payments.v1.compensation_failed",
    ];

    /// <summary>The body of a delivery. Written once: it is signed as it stands.</summary>
    public static string Body(string id, string type, DateTimeOffset at, JsonNode? data) =>
        new JsonObject { ["id"] = id, ["type"] = type, ["timestamp"] = at.ToString("O"), ["data"] = data }.ToJsonString();

    /// <summary>Whose event it is, and when it happened.</summary>
    public static (string UserId, DateTimeOffset At, bool OperatorsOnly) Of(IIntegrationEvent integrationEvent) => integrationEvent switch
    {
        OrderCreated e => (e.UserId, e.OccurredAt, false),
        OrderStatusChanged e => (e.UserId, e.OccurredAt, false),
        PaymentProcessed e => (e.UserId, e.OccurredAt, false),
        PaymentRefunded e => (e.UserId, e.OccurredAt, false),
        // What failed inside is not for customers.
        CompensationFailed e => (e.UserId, e.OccurredAt, true),
        _ => throw new ArgumentOutOfRangeException(nameof(integrationEvent), integrationEvent.CloudEventType, "Webhooks are not told of this."),
    };
}

/// <summary>Makes a delivery of the event for each address that wants it, together with the note that it was received.</summary>
internal sealed class FanOut<TEvent>(WebhooksDb db, Courier courier, TimeProvider time) : IEventHandler<TEvent>
    where TEvent : IIntegrationEvent
{
    public async Task<EventOutcome> HandleAsync(TEvent integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        var (userText, at, operatorsOnly) = WebhookEvents.Of(integrationEvent);
        if (!UserId.TryParse(userText, out var user))
            throw new MalformedEventException($"'{userText}' is not a user id.");
        var type = integrationEvent.CloudEventType;
        var webhooks = await db.Webhooks.AsNoTracking().Where(w => w.Active && (w.AllUsers || (w.UserId == user.Value && !operatorsOnly))).ToListAsync(cancellationToken);
        var wanted = webhooks.Where(w => w.Wants(type)).ToList();
        if (wanted.Count == 0)
            return EventOutcome.NoEffect;
        var now = time.GetUtcNow();
        var body = WebhookEvents.Body(context.Id, type, at, JsonSerializer.SerializeToNode(integrationEvent, EventJson.Options));
        db.Deliveries.AddRange(wanted.Select(w => new DeliveryRow
        {
            Id = DeliveryId.New().Value,
            WebhookId = w.Id,
            EventId = context.Id,
            EventType = type,
            Body = body,
            NextAttemptAt = now,
            CreatedAt = now,
        }));
        db.SavedChanges += (_, _) => courier.Wake();
        return EventOutcome.Handled;
    }
}
