using Dapr;
using Dapr.Jobs;
using Dapr.Jobs.Models;
using DaprPlatform.Contracts;
using DaprPlatform.Inventory.Data;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Problems;
using Grpc.Core;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Inventory.Domain;

/// <summary>
/// Releases reservations that ran out. Each has a durable job of its own that is due with it; the row decides, so a job that comes twice, or to two replicas,
/// releases once. A job that could not be scheduled, because a process died behind its commit, is made up for by a sweep at the start and every minute.
/// </summary>
internal sealed partial class ReservationExpiry(
    IServiceScopeFactory scopes, DaprJobsClient jobs, MigrationState<InventoryDb> migrations, StockMetrics metrics, TimeProvider time, ILogger<ReservationExpiry> logger) : BackgroundService
{
    /// <summary>Of the names of the jobs; the order's id follows.</summary>
    public const string JobPrefix = "expire-";

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    // Twice the sweep's interval behind its time, a reservation is no longer on its way to be released.
    private static readonly TimeSpan Overdue = TimeSpan.FromMinutes(2);
    // A workflow ends what it holds within minutes, whatever fails.
    private static readonly TimeSpan LongestHold = TimeSpan.FromHours(1);

    /// <summary>Lets a job fall due with the reservation. Never fails: the sweep stands behind it.</summary>
    public async Task ScheduleAsync(OrderId order, DateTimeOffset at, CancellationToken cancellationToken)
    {
        try
        {
            // The next full second, so that the reservation is due when the job is.
            var due = DateTimeOffset.FromUnixTimeSeconds(at.ToUnixTimeSeconds() + 1);
            await jobs.ScheduleJobAsync(JobPrefix + order, DaprJobSchedule.FromDateTime(due), overwrite: true, cancellationToken: cancellationToken);
        }
        catch (Exception e) when (e is DaprException or RpcException or OperationCanceledException)
        {
            LogNotScheduled(logger, order.ToString(), e.Message);
        }
    }

    /// <summary>Releases everything that is due.</summary>
    public async Task ExpireDueAsync(CancellationToken cancellationToken)
    {
        bool expired;
        do
        {
            await using var scope = scopes.CreateAsyncScope();
            expired = await scope.ServiceProvider.GetRequiredService<StockKeeper>().ExpireOneAsync(cancellationToken);
        }
        while (expired);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await migrations.Done.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await ExpireDueAsync(stoppingToken);
                await CountOverdueAsync(stoppingToken);
            }
            catch (Exception e) when (Faults.IsTransient(e) && !stoppingToken.IsCancellationRequested)
            {
                LogPostponed(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task CountOverdueAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var (ranOut, heldSince) = (time.GetUtcNow() - Overdue, time.GetUtcNow() - LongestHold);
        metrics.Overdue(await scope.ServiceProvider.GetRequiredService<InventoryDb>().Reservations.LongCountAsync(
            r => (r.State == ReservationState.Reserved && r.ExpiresAt < ranOut) || (r.State == ReservationState.Held && r.UpdatedAt < heldSince), cancellationToken));
    }

    [LoggerMessage(1, LogLevel.Warning, "Expiring reservations is put off: {Reason}")]
    private static partial void LogPostponed(ILogger logger, string reason);

    [LoggerMessage(2, LogLevel.Warning, "The expiry of {Order} has no job and is left to the sweep: {Reason}")]
    private static partial void LogNotScheduled(ILogger logger, string order, string reason);
}
