using DaprPlatform.ServiceDefaults.Health;
using DaprPlatform.ServiceDefaults.Outbox;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace DaprPlatform.ServiceDefaults.Data;

public static class ServiceDatabase
{
    /// <summary>
    /// The service's own PostgreSQL database (<c>POSTGRES_HOST/PORT/USER/PASSWORD/DB</c>) with migrations, seed, health check, outbox relay and housekeeping.
    /// </summary>
    public static WebApplicationBuilder AddServiceDatabase<TContext>(this WebApplicationBuilder builder, Func<IServiceProvider, CancellationToken, Task>? seed = null)
        where TContext : DbContext
    {
        var services = builder.Services;
        var connectionString = ConnectionString(builder.Configuration);
        services.AddSingleton<OutboxSignal>();
        services.AddDbContextPool<TContext>(
            (provider, options) => options
                .UseNpgsql(connectionString)
                .AddInterceptors(new OutboxSignalInterceptor(provider.GetRequiredService<OutboxSignal>()), FewerTrips.Instance)
                // The statements of a workflow step are not news.
                .ConfigureWarnings(warnings => warnings.Log((RelationalEventId.CommandExecuted, Microsoft.Extensions.Logging.LogLevel.Debug))),
            poolSize: 32);
        services.AddSingleton<MigrationState<TContext>>();
        services.AddSingleton(new Seeder<TContext>(seed ?? (static (_, _) => Task.CompletedTask)));
        services.AddHostedService<Migrator<TContext>>();
        services.AddHostedService<OutboxRelay<TContext>>();
        services.AddHostedService<Housekeeping<TContext>>();
        services.AddHealthChecks().AddCheck<DatabaseHealthCheck<TContext>>("database");
        return builder;
    }

    internal static string ConnectionString(IConfiguration configuration) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = configuration["POSTGRES_HOST"] ?? "localhost",
            Port = configuration.GetValue("POSTGRES_PORT", 5432),
            Username = configuration["POSTGRES_USER"] ?? "platform",
            Password = configuration["POSTGRES_PASSWORD"],
            Database = configuration["POSTGRES_DB"] ?? throw new InvalidOperationException("POSTGRES_DB is not set."),
            MaxPoolSize = configuration.GetValue("POSTGRES_MAX_POOL_SIZE", 20),
            Timeout = 5,
            CommandTimeout = 15,
            // A server that vanished without a word is noticed.
            KeepAlive = 30,
            MaxAutoPrepare = 64,
            AutoPrepareMinUsages = 2,
            NoResetOnClose = true,
            Enlist = false,
            ApplicationName = configuration["APP_ID"] ?? "",
        }.ConnectionString;
}
