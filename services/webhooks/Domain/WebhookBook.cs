using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Webhooks;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Webhooks.Data;
using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Webhooks.Domain;

/// <summary>
/// What a signed-in user does with webhooks. The owner is in every query. An operator sees and may remove those of everybody; a secret is only ever its owner's.
/// </summary>
internal sealed class WebhookBook(WebhooksDb db, WebhookOptions options, Courier courier, CurrentUser user, TimeProvider time) : IWebhooks
{
    public async Task<CreateWebhookResponse> CreateWebhookAsync(CreateWebhookRequest request, CancellationToken cancellationToken)
    {
        var owner = user.Id.Value;
        Validate(request.Url, request.Events);
        if (request.AllUsers && !user.IsOperator)
            throw Refusals.Forbidden("Only operators may ask for the events of all users.");
        var now = time.GetUtcNow();
        var webhook = new WebhookRow
        {
            Id = WebhookId.New().Value,
            UserId = owner,
            Url = request.Url,
            Events = [.. request.Events.Distinct(StringComparer.Ordinal)],
            AllUsers = request.AllUsers,
            Secret = WebhookSignature.NewSecret(),
            CreatedAt = now,
            UpdatedAt = now,
        };
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        // Counting and adding is one step of one user.
        await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended({owner.ToString("N")}, 0))", cancellationToken);
        if (await db.Webhooks.CountAsync(w => w.UserId == owner, cancellationToken) >= WebhookOptions.MaxPerUser)
            throw Refusals.Conflict("too-many-webhooks", $"A user may have {WebhookOptions.MaxPerUser} webhooks.");
        db.Webhooks.Add(webhook);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return new CreateWebhookResponse { Webhook = ToMessage(webhook), Secret = WebhookSignature.Text(webhook.Secret) };
    }

    public async Task<ListWebhooksResponse> ListWebhooksAsync(ListWebhooksRequest request, CancellationToken cancellationToken)
    {
        var page = Paging.Read(request.Page);
        var query = Visible().AsNoTracking();
        var total = await query.LongCountAsync(cancellationToken);
        var before = page.Cursor is { } cursor ? ParseCursor<WebhookId>(cursor, WebhookId.TryParse).Value : (Guid?)null;
        var ordered = query.OrderByDescending(w => w.Id);
        var rows = await (before is null ? ordered.Skip(page.Offset) : ordered.Where(w => w.Id < before)).Take(page.Limit + 1).ToListAsync(cancellationToken);
        var response = new ListWebhooksResponse { Page = page.Info(total, rows, w => new WebhookId(w.Id).ToString()) };
        response.Webhooks.AddRange(rows.Take(page.Limit).Select(ToMessage));
        return response;
    }

    public async Task<Webhook> GetWebhookAsync(GetWebhookRequest request, CancellationToken cancellationToken) =>
        ToMessage(await FindAsync(Visible(), request.WebhookId, cancellationToken));

    public async Task<Webhook> UpdateWebhookAsync(UpdateWebhookRequest request, CancellationToken cancellationToken)
    {
        var webhook = await FindAsync(Mine(), request.WebhookId, cancellationToken);
        Validate(request.Url, request.Events);
        webhook.Url = request.Url;
        webhook.Events = [.. request.Events.Distinct(StringComparer.Ordinal)];
        webhook.Active = request.Active;
        webhook.UpdatedAt = time.GetUtcNow();
        await db.SaveChangesAsync(cancellationToken);
        return ToMessage(webhook);
    }

    public async Task<Empty> DeleteWebhookAsync(DeleteWebhookRequest request, CancellationToken cancellationToken)
    {
        var webhook = await FindAsync(Visible(), request.WebhookId, cancellationToken);
        // What is under way ends with it: its log goes too.
        await db.Webhooks.Where(w => w.Id == webhook.Id).ExecuteDeleteAsync(cancellationToken);
        return new Empty();
    }

    public async Task<RotateSecretResponse> RotateSecretAsync(RotateSecretRequest request, CancellationToken cancellationToken)
    {
        var webhook = await FindAsync(Mine(), request.WebhookId, cancellationToken);
        var now = time.GetUtcNow();
        webhook.Rotate(WebhookSignature.NewSecret(), now + WebhookOptions.Grace, now);
        await db.SaveChangesAsync(cancellationToken);
        return new RotateSecretResponse { Secret = WebhookSignature.Text(webhook.Secret), PreviousValidUntil = Timestamp.FromDateTimeOffset(now + WebhookOptions.Grace) };
    }

    public async Task<Delivery> PingAsync(PingRequest request, CancellationToken cancellationToken)
    {
        var webhook = await FindAsync(Mine(), request.WebhookId, cancellationToken);
        if (!webhook.Active)
            throw Refusals.Conflict("webhook-not-active", "The webhook is not active.");
        var now = time.GetUtcNow();
        var id = DeliveryId.New();
        var delivery = new DeliveryRow
        {
            Id = id.Value,
            WebhookId = webhook.Id,
            EventId = id.ToString(),
            EventType = WebhookEvents.Ping,
            Body = WebhookEvents.Body(id.ToString(), WebhookEvents.Ping, now, null),
            NextAttemptAt = now,
            CreatedAt = now,
        };
        db.Deliveries.Add(delivery);
        await db.SaveChangesAsync(cancellationToken);
        courier.Wake();
        return ToMessage(delivery);
    }

    public async Task<ListDeliveriesResponse> ListDeliveriesAsync(ListDeliveriesRequest request, CancellationToken cancellationToken)
    {
        var webhook = await FindAsync(Visible(), request.WebhookId, cancellationToken);
        var query = db.Deliveries.AsNoTracking().Where(d => d.WebhookId == webhook.Id);
        if (request.Status.Length > 0)
        {
            var status = System.Enum.GetValues<DeliveryStatus>().Where(s => Text(s) == request.Status).Select(s => (DeliveryStatus?)s).FirstOrDefault()
                ?? throw Refusals.Validation("status", "is not a status of deliveries");
            query = query.Where(d => d.Status == status);
        }
        var page = Paging.Read(request.Page);
        var total = await query.LongCountAsync(cancellationToken);
        var before = page.Cursor is { } cursor ? ParseCursor<DeliveryId>(cursor, DeliveryId.TryParse).Value : (Guid?)null;
        var ordered = query.OrderByDescending(d => d.Id);
        var rows = await (before is null ? ordered.Skip(page.Offset) : ordered.Where(d => d.Id < before)).Take(page.Limit + 1).ToListAsync(cancellationToken);
        var response = new ListDeliveriesResponse { Page = page.Info(total, rows, d => new DeliveryId(d.Id).ToString()) };
        response.Deliveries.AddRange(rows.Take(page.Limit).Select(ToMessage));
        return response;
    }

    public async Task<Delivery> RetryDeliveryAsync(RetryDeliveryRequest request, CancellationToken cancellationToken)
    {
        var webhook = await FindAsync(Mine(), request.WebhookId, cancellationToken);
        if (!DeliveryId.TryParse(request.DeliveryId, out var id))
            throw NoSuchDelivery();
        var now = time.GetUtcNow();
        // The attempts begin anew; one that waits for its next attempt makes it now. One that is being made is left alone.
        await db.Deliveries.Where(d => d.Id == id.Value && d.WebhookId == webhook.Id && d.Status == DeliveryStatus.Failed).ExecuteUpdateAsync(
            set => set.SetProperty(d => d.Status, DeliveryStatus.Pending).SetProperty(d => d.Attempts, 0).SetProperty(d => d.NextAttemptAt, now), cancellationToken);
        var delivery = await db.Deliveries.AsNoTracking().FirstOrDefaultAsync(d => d.Id == id.Value && d.WebhookId == webhook.Id, cancellationToken) ?? throw NoSuchDelivery();
        if (delivery.Status == DeliveryStatus.Delivered)
            throw Refusals.Conflict("already-delivered", "The delivery was taken.");
        courier.Wake();
        return ToMessage(delivery);
    }

    private void Validate(string url, IEnumerable<string> events)
    {
        var validator = new Validator();
        if (AddressGuard.Objection(url, options.AllowPrivate) is { } objection)
            validator.Add("url", objection);
        foreach (var unknown in events.Where(e => !WebhookEvents.Types.Contains(e, StringComparer.Ordinal)).Take(5))
            validator.Add("events", $"'{(unknown.Length <= 64 ? unknown : unknown[..64])}' is not one of {string.Join(", ", WebhookEvents.Types)}");
        validator.ThrowIfInvalid();
    }

    private IQueryable<WebhookRow> Mine()
    {
        var owner = user.Id.Value;
        return db.Webhooks.Where(w => w.UserId == owner);
    }

    private IQueryable<WebhookRow> Visible() => user.IsOperator ? db.Webhooks : Mine();

    private static async Task<WebhookRow> FindAsync(IQueryable<WebhookRow> among, string text, CancellationToken cancellationToken) =>
        WebhookId.TryParse(text, out var id) && await among.FirstOrDefaultAsync(w => w.Id == id.Value, cancellationToken) is { } webhook
            ? webhook
            : throw Refusals.NotFound("webhook-not-found", "There is no such webhook.");

    private static ProblemException NoSuchDelivery() => Refusals.NotFound("delivery-not-found", "There is no such delivery.");

    private delegate bool TryParse<T>(string text, out T id);

    private static T ParseCursor<T>(string text, TryParse<T> parse) => parse(text, out var id) ? id : throw Refusals.Validation("cursor", "is not one of this list");

    private static string Text(DeliveryStatus status) => status.ToString().ToUpperInvariant();

    private static Webhook ToMessage(WebhookRow row)
    {
        var message = new Webhook
        {
            Id = new WebhookId(row.Id).ToString(),
            Url = row.Url,
            AllUsers = row.AllUsers,
            Active = row.Active,
            CreatedAt = Timestamp.FromDateTimeOffset(row.CreatedAt),
        };
        message.Events.AddRange(row.Events);
        return message;
    }

    private static Delivery ToMessage(DeliveryRow row) => new()
    {
        Id = new DeliveryId(row.Id).ToString(),
        EventId = row.EventId,
        EventType = row.EventType,
        Status = Text(row.Status),
        Attempts = row.Attempts,
        ResponseStatus = row.ResponseStatus,
        Error = row.Error,
        CreatedAt = Timestamp.FromDateTimeOffset(row.CreatedAt),
        NextAttemptAt = row.Status == DeliveryStatus.Pending ? Timestamp.FromDateTimeOffset(row.NextAttemptAt) : null,
        DeliveredAt = row.DeliveredAt is { } at ? Timestamp.FromDateTimeOffset(at) : null,
    };
}
