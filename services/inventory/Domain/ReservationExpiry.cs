using DaprPlatform.Inventory.Data;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Inventory.Domain;

/// <summary>
/// Releases reservations that ran out. What is due is in the database, so a restart loses nothing and several replicas share the work; in between it sleeps
/// until the next one is due.
/// </summary>
internal sealed partial class ReservationExpiry(
    IServiceScopeFactory scopes, MigrationState<InventoryDb> migrations, TimeProvider time, ILogger<ReservationExpiry> logger) : BackgroundService
{
    // Reservations made by another replica are noticed no later than this.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(2);
    private readonly Signal _wake = new();

    /// <summary>A reservation with an expiry was made.</summary>
    public void Wake() => _wake.Set();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await migrations.Done.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            var sleep = RetryDelay;
            try
            {
                sleep = await ExpireDueAsync(stoppingToken);
            }
            catch (Exception e) when (Faults.IsTransient(e))
            {
                LogPostponed(logger, e.Message);
            }
            await _wake.WaitAsync(sleep, time, stoppingToken);
        }
    }

    /// <summary>How long nothing is due.</summary>
    private async Task<TimeSpan> ExpireDueAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await using var scope = scopes.CreateAsyncScope();
            if (!await scope.ServiceProvider.GetRequiredService<StockKeeper>().ExpireOneAsync(cancellationToken))
                break;
        }
        await using var last = scopes.CreateAsyncScope();
        var next = await last.ServiceProvider.GetRequiredService<InventoryDb>().Reservations
            .Where(r => r.State == ReservationState.Reserved).MinAsync(r => r.ExpiresAt, cancellationToken);
        if (next is null)
            return LongestSleep;
        // A due one that was locked by somebody is looked at again shortly.
        var wait = next.Value - time.GetUtcNow();
        return wait < TimeSpan.FromMilliseconds(100) ? TimeSpan.FromMilliseconds(100) : wait < LongestSleep ? wait : LongestSleep;
    }

    [LoggerMessage(1, LogLevel.Warning, "Expiring reservations is put off: {Reason}")]
    private static partial void LogPostponed(ILogger logger, string reason);
}
