using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace DaprPlatform.ServiceDefaults.Health;

/// <summary>Healthy when the database answers a query and its schema is the one this build expects.</summary>
internal sealed class DatabaseHealthCheck<TContext>(IServiceScopeFactory scopes, Data.MigrationState<TContext> migrations) : IHealthCheck
    where TContext : DbContext
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!migrations.Done.IsCompletedSuccessfully)
            return HealthCheckResult.Unhealthy("The database is not migrated yet.");
        await using var scope = scopes.CreateAsyncScope();
        var database = scope.ServiceProvider.GetRequiredService<TContext>().Database;
        try
        {
            await database.ExecuteSqlRawAsync("SELECT 1", cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception e) when (Problems.Faults.IsTransient(e))
        {
            return HealthCheckResult.Unhealthy("The database does not answer.");
        }
    }
}
