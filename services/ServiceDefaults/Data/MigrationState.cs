using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>Completes when the database has the schema of this build.</summary>
public sealed class MigrationState<TContext>
    where TContext : DbContext
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Done => _done.Task;

    public void Complete() => _done.TrySetResult();
}

/// <summary>
/// Brings the database to this build's schema (<c>AUTO_MIGRATE=true</c>) or waits until somebody else has; then seeds. With <c>MIGRATE_ONLY=true</c> the process does
/// only that, without a sidecar, and ends; its exit code is 1 when the schema cannot be made.
/// </summary>
internal sealed partial class Migrator<TContext>(
    IServiceScopeFactory scopes,
    MigrationState<TContext> state,
    Seeder<TContext> seeder,
    IConfiguration configuration,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<Migrator<TContext>> logger) : BackgroundService
    where TContext : DbContext
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var delay = TimeSpan.FromMilliseconds(200);
        var only = configuration.GetValue("MIGRATE_ONLY", false);
        while (true)
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                var db = scope.ServiceProvider.GetRequiredService<TContext>();
                if (only || configuration.GetValue("AUTO_MIGRATE", false))
                    await db.Database.MigrateAsync(stoppingToken);
                else if ((await db.Database.GetPendingMigrationsAsync(stoppingToken)).Any())
                    throw new TimeoutException("Migrations are pending and AUTO_MIGRATE is not set.");
                await seeder.Seed(scope.ServiceProvider, stoppingToken);
                LogReady(logger, typeof(TContext).Name);
                if (only)
                    lifetime.StopApplication();
                else
                    state.Complete();
                return;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested && IsWorthWaiting(e))
            {
                LogWaiting(logger, e.Message, delay.TotalSeconds);
                await Task.Delay(delay, time, stoppingToken);
                delay = delay * 2 < MaxDelay ? delay * 2 : MaxDelay;
            }
            catch (Exception) when (only && !stoppingToken.IsCancellationRequested)
            {
                // Whoever started it tries again; the host ends with this exception.
                Environment.ExitCode = 1;
                throw;
            }
        }
    }

    // A database that another replica creates at this moment looks like a conflict.
    private static bool IsWorthWaiting(Exception exception) =>
        Faults.IsTransient(exception)
        || exception is PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.UndefinedTable };

    [LoggerMessage(1, LogLevel.Information, "{Context}: the database is ready")]
    private static partial void LogReady(ILogger logger, string context);

    [LoggerMessage(2, LogLevel.Warning, "The database is not ready ({Reason}); next try in {Seconds} s")]
    private static partial void LogWaiting(ILogger logger, string reason, double seconds);
}

/// <summary>Puts first rows into an empty database; must be idempotent.</summary>
public sealed record Seeder<TContext>(Func<IServiceProvider, CancellationToken, Task> Seed)
    where TContext : DbContext;
