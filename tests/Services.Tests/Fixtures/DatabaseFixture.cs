using System.Security.Claims;
using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Metrics;
using DaprPlatform.ServiceDefaults.Outbox;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace DaprPlatform.Services.Tests.Fixtures;

/// <summary>A service's domain on a PostgreSQL database of its own, made by the service's migrations and dropped at the end.</summary>
public abstract class DatabaseFixture : IAsyncLifetime
{
    private const string ServerVariable = "TEST_POSTGRES";
    private readonly string? _server = Environment.GetEnvironmentVariable(ServerVariable);
    private readonly string _database = "services_test_" + Guid.NewGuid().ToString("N");
    private ServiceProvider? _services;
    private Func<IServiceProvider, DbContext>? _context;

    internal ManualTime Clock { get; } = new();

    /// <summary>Skips the test that asks, where there is no server.</summary>
    internal IServiceProvider Services
    {
        get
        {
            Assert.SkipWhen(_services is null, $"{ServerVariable} is not set; `./platform test` starts a PostgreSQL server and sets it.");
            return _services!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (string.IsNullOrEmpty(_server))
            return;
        await OnServerAsync($"CREATE DATABASE {_database}");
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddMetrics();
        services.AddSingleton<TimeProvider>(Clock);
        services.AddSingleton(new ServiceName("tests"));
        services.AddSingleton<OutboxSignal>();
        services.AddScoped<TestUser>();
        services.AddScoped<IHttpContextAccessor>(provider => provider.GetRequiredService<TestUser>());
        services.AddScoped<CurrentUser>();
        AddService(services);
        _services = services.BuildServiceProvider(new ServiceProviderOptions { ValidateScopes = true });
        await using var scope = _services.CreateAsyncScope();
        await _context!(scope.ServiceProvider).Database.MigrateAsync();
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_services is null)
            return;
        await _services.DisposeAsync();
        await OnServerAsync($"DROP DATABASE IF EXISTS {_database} WITH (FORCE)");
    }

    /// <summary>Runs in a scope of its own, as a request of the user, or of nobody.</summary>
    internal async Task<T> AsAsync<TService, T>(UserId? user, Func<TService, Task<T>> use, string role = Roles.Customer)
        where TService : notnull
    {
        await using var scope = Services.CreateAsyncScope();
        if (user is { } id)
            scope.ServiceProvider.GetRequiredService<TestUser>().SignIn(id, role);
        return await use(scope.ServiceProvider.GetRequiredService<TService>());
    }

    internal Task<T> AsAsync<TService, T>(Func<TService, Task<T>> use)
        where TService : notnull =>
        AsAsync(null, use);

    /// <summary>Starts all calls at once and returns when all have ended.</summary>
    internal static async Task<T[]> AtOnceAsync<T>(int count, Func<int, Task<T>> call)
    {
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = Enumerable.Range(0, count).Select(async i =>
        {
            await start.Task;
            return await call(i);
        }).ToArray();
        start.SetResult();
        return await Task.WhenAll(calls);
    }

    private protected abstract void AddService(IServiceCollection services);

    private protected void AddDatabase<TContext>(IServiceCollection services)
        where TContext : DbContext
    {
        var connectionString = new NpgsqlConnectionStringBuilder(_server) { Database = _database, MaxPoolSize = 12, Timeout = 300, CommandTimeout = 300 }.ConnectionString;
        services.AddDbContext<TContext>((provider, options) => options
            .UseNpgsql(connectionString).AddInterceptors(new OutboxSignalInterceptor(provider.GetRequiredService<OutboxSignal>())));
        services.AddSingleton<MigrationState<TContext>>();
        _context = provider => provider.GetRequiredService<TContext>();
    }

    private async Task OnServerAsync(string statement)
    {
        // Not pooled: an idle connection would outlive the test.
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_server) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(statement, connection);
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary>The signed-in user of a scope.</summary>
internal sealed class TestUser : IHttpContextAccessor
{
    public HttpContext? HttpContext { get; set; }

    public void SignIn(UserId user, string role) =>
        HttpContext = new DefaultHttpContext
        {
            User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", user.ToString()), new Claim("role", role)], "test", "sub", "role")),
        };
}
