using System.Globalization;
using Dapr;
using Dapr.Jobs;
using Dapr.Jobs.Models;
using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.Webhooks.Data;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Webhooks.Domain;

/// <summary>
/// Brings deliveries to their addresses. The row is what lasts: it says when the next attempt is due, and is moved on before an attempt, so that two replicas never
/// make the same one and one whose process died is made again. Each next attempt has a durable job that falls due with it; a look every half minute stands
/// behind jobs that could not be scheduled.
/// </summary>
internal sealed partial class Courier(
    IServiceScopeFactory scopes,
    IWebhookSender sender,
    DaprJobsClient jobs,
    MigrationState<WebhooksDb> migrations,
    WebhookMetrics metrics,
    TimeProvider time,
    ILogger<Courier> logger) : BackgroundService
{
    /// <summary>Of the names of the jobs; the delivery's id follows.</summary>
    public const string JobPrefix = "deliver-";

    private const int BatchSize = 16;
    private const int Gone = 410;
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(30);
    private readonly Signal _signal = new();
    private DateTimeOffset _cleanedAt;

    /// <summary>There may be something due.</summary>
    public void Wake() => _signal.Set();

    /// <summary>Attempts everything that is due.</summary>
    public async Task DeliverDueAsync(CancellationToken cancellationToken)
    {
        while (await ClaimAsync(cancellationToken) is { Count: > 0 } batch)
            await Task.WhenAll(batch.Select(delivery => AttemptAsync(delivery, cancellationToken)));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await migrations.Done.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await DeliverDueAsync(stoppingToken);
                await CleanAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogPostponed(logger, e.Message);
            }
            await _signal.WaitAsync(LookInterval, time, stoppingToken);
        }
    }

    private async Task<List<DeliveryRow>> ClaimAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var now = time.GetUtcNow();
        return await scope.ServiceProvider.GetRequiredService<WebhooksDb>().Deliveries.FromSql(
            $"""
             UPDATE deliveries SET attempts = attempts + 1, next_attempt_at = {now + WebhookOptions.Lease}
             WHERE id IN (SELECT id FROM deliveries WHERE status = 'Pending' AND next_attempt_at <= {now} ORDER BY next_attempt_at LIMIT {BatchSize} FOR UPDATE SKIP LOCKED)
             RETURNING *
             """).AsNoTracking().ToListAsync(cancellationToken);
    }

    private async Task AttemptAsync(DeliveryRow delivery, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<WebhooksDb>();
        var webhook = await db.Webhooks.AsNoTracking().FirstOrDefaultAsync(w => w.Id == delivery.WebhookId, cancellationToken);
        if (webhook is not { Active: true })
        {
            await EndAsync(db, delivery, DeliveryStatus.Failed, new Attempt(0, "the webhook is not active"), null, cancellationToken);
            return;
        }
        var started = time.GetTimestamp();
        var now = time.GetUtcNow();
        var id = new DeliveryId(delivery.Id).ToString();
        var attempt = await sender.SendAsync(
            webhook.Url, new SignedBody(id, now, WebhookSignature.Sign(id, now, delivery.Body, webhook.SecretsAt(now)), delivery.Body), cancellationToken);
        metrics.Attempted(attempt, time.GetElapsedTime(started));
        if (attempt.Error is null)
        {
            await EndAsync(db, delivery, DeliveryStatus.Delivered, attempt, null, cancellationToken);
            return;
        }
        // Whoever says so does not want to be asked again.
        if (attempt.Status == Gone)
            await db.Webhooks.Where(w => w.Id == webhook.Id).ExecuteUpdateAsync(set => set.SetProperty(w => w.Active, false), cancellationToken);
        var delay = attempt.Status == Gone ? null : WebhookOptions.DelayAfter(delivery.Attempts, Random.Shared.NextDouble());
        await EndAsync(db, delivery, delay is null ? DeliveryStatus.Failed : DeliveryStatus.Pending, attempt, time.GetUtcNow() + delay, cancellationToken);
    }

    private async Task EndAsync(
        WebhooksDb db, DeliveryRow delivery, DeliveryStatus status, Attempt attempt, DateTimeOffset? next, CancellationToken cancellationToken)
    {
        var error = attempt.Error ?? "";
        error = error.Length <= 500 ? error : error[..500];
        DateTimeOffset? deliveredAt = status == DeliveryStatus.Delivered ? time.GetUtcNow() : null;
        var nextAt = next ?? delivery.NextAttemptAt;
        // Only of this attempt: one that took longer than its lease has been made again.
        var written = await db.Deliveries.Where(d => d.Id == delivery.Id && d.Attempts == delivery.Attempts && d.Status == DeliveryStatus.Pending).ExecuteUpdateAsync(
            set => set.SetProperty(d => d.Status, status).SetProperty(d => d.ResponseStatus, attempt.Status).SetProperty(d => d.Error, error)
                .SetProperty(d => d.NextAttemptAt, nextAt).SetProperty(d => d.DeliveredAt, deliveredAt),
            cancellationToken);
        if (written == 0)
            return;
        if (status != DeliveryStatus.Pending)
            metrics.Ended(status == DeliveryStatus.Delivered);
        else
            await ScheduleAsync(delivery.Id, nextAt, cancellationToken);
    }

    private async Task ScheduleAsync(Guid delivery, DateTimeOffset at, CancellationToken cancellationToken)
    {
        try
        {
            // The next full second, so that the delivery is due when the job is.
            var due = DateTimeOffset.FromUnixTimeSeconds(at.ToUnixTimeSeconds() + 1);
            await jobs.ScheduleJobAsync(JobPrefix + new DeliveryId(delivery), DaprJobSchedule.FromDateTime(due), overwrite: true, cancellationToken: cancellationToken);
        }
        catch (Exception e) when (e is DaprException or RpcException or OperationCanceledException)
        {
            LogNotScheduled(logger, delivery.ToString("D", CultureInfo.InvariantCulture), e.Message);
        }
    }

    private async Task CleanAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (now - _cleanedAt < TimeSpan.FromHours(1))
            return;
        await using var scope = scopes.CreateAsyncScope();
        var before = now - WebhookOptions.Retention;
        await scope.ServiceProvider.GetRequiredService<WebhooksDb>().Deliveries
            .Where(d => d.CreatedAt < before && d.Status != DeliveryStatus.Pending).ExecuteDeleteAsync(cancellationToken);
        _cleanedAt = now;
    }

    [LoggerMessage(1, LogLevel.Warning, "Delivering webhooks is put off: {Reason}")]
    private static partial void LogPostponed(ILogger logger, string reason);

    [LoggerMessage(2, LogLevel.Warning, "The next attempt of delivery {Delivery} has no job and is left to the next look: {Reason}")]
    private static partial void LogNotScheduled(ILogger logger, string delivery, string reason);
}
