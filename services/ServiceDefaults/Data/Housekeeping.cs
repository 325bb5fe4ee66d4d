using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>Once an hour forgets what has served its purpose: sent events, received event ids, answers to old keys.</summary>
internal sealed partial class Housekeeping<TContext>(
    IServiceScopeFactory scopes, MigrationState<TContext> migrations, TimeProvider time, ILogger<Housekeeping<TContext>> logger) : BackgroundService
    where TContext : DbContext
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await migrations.Done.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await CleanAsync(stoppingToken);
            }
            catch (Exception e) when (Faults.IsTransient(e))
            {
                LogPostponed(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    internal async Task CleanAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TContext>();
        var now = time.GetUtcNow();
        if (db.Model.FindEntityType(typeof(OutboxMessage)) is not null)
        {
            var before = now - OutboxMessage.Retention;
            await db.Set<OutboxMessage>().Where(m => m.SentAt < before).ExecuteDeleteAsync(cancellationToken);
        }
        if (db.Model.FindEntityType(typeof(InboxMessage)) is not null)
        {
            var before = now - InboxMessage.Retention;
            await db.Set<InboxMessage>().Where(m => m.ReceivedAt < before).ExecuteDeleteAsync(cancellationToken);
        }
        if (db.Model.FindEntityType(typeof(IdempotencyRecord)) is not null)
        {
            var before = now - IdempotencyRecord.Retention;
            await db.Set<IdempotencyRecord>().Where(m => m.CreatedAt < before).ExecuteDeleteAsync(cancellationToken);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Cleaning is put off to the next hour: {Reason}")]
    private static partial void LogPostponed(ILogger logger, string reason);
}
