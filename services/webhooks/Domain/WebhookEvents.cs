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

/// <summary>
/// Makes a delivery of each event for each address that wants it, together with the note that it was received: one look at the addresses and one transaction for
/// all events of a batch, and for one that nobody wants to hear of, the look alone.
/// </summary>
internal sealed class FanOut<TEvent>(WebhooksDb db, Courier courier, TimeProvider time) : IEventBatchHandler<TEvent>
    where TEvent : IIntegrationEvent
{
    private static readonly string Consumer = typeof(FanOut<TEvent>).Name;

    public async Task HandleAsync(IReadOnlyList<DeliveredEvent<TEvent>> events, CancellationToken cancellationToken)
    {
        var told = events.Select(Read).ToList();
        var users = told.Where(t => !t.OperatorsOnly).Select(t => t.User).Distinct().ToArray();
        var webhooks = await db.Webhooks.AsNoTracking().Where(w => w.Active && (w.AllUsers || users.Contains(w.UserId))).ToListAsync(cancellationToken);
        var wanted = told.Select(t => (Told: t, Webhooks: webhooks.Where(w => (w.AllUsers || (w.UserId == t.User && !t.OperatorsOnly)) && w.Wants(t.Type)).ToList()))
            .Where(t => t.Webhooks.Count > 0).DistinctBy(t => t.Told.Id).ToList();
        if (wanted.Count == 0)
            return;
        var ids = wanted.Select(w => w.Told.Id).ToArray();
        var known = await db.Set<InboxMessage>().Where(m => m.Consumer == Consumer && ids.Contains(m.EventId)).Select(m => m.EventId).ToListAsync(cancellationToken);
        var now = time.GetUtcNow();
        foreach (var (one, receivers) in wanted.Where(w => !known.Contains(w.Told.Id)))
        {
            var body = WebhookEvents.Body(one.Id, one.Type, one.At, JsonSerializer.SerializeToNode(one.Event, EventJson.Options));
            db.Set<InboxMessage>().Add(new InboxMessage { Consumer = Consumer, EventId = one.Id, ReceivedAt = now });
            db.Deliveries.AddRange(receivers.Select(w => new DeliveryRow
            {
                Id = DeliveryId.New().Value,
                WebhookId = w.Id,
                EventId = one.Id,
                EventType = one.Type,
                Body = body,
                NextAttemptAt = now,
                CreatedAt = now,
            }));
        }
        // One that another replica handled in between fails the whole batch; each of it comes again alone, and is known then.
        if (await db.SaveChangesAsync(cancellationToken) > 0)
            courier.Wake();
    }

    private static (TEvent Event, string Id, string Type, Guid User, DateTimeOffset At, bool OperatorsOnly) Read(DeliveredEvent<TEvent> delivered)
    {
        var (userText, at, operatorsOnly) = WebhookEvents.Of(delivered.Event);
        return UserId.TryParse(userText, out var user)
            ? (delivered.Event, delivered.Context.Id, delivered.Event.CloudEventType, user.Value, at, operatorsOnly)
            : throw new MalformedEventException($"'{userText}' is not a user id.");
    }
}
