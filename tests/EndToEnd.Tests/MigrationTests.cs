using System.Globalization;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;
using Npgsql;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>What the migration job of a cluster does: the same program, without a sidecar, that ends.</summary>
public sealed class MigrationTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("users")]
    [InlineData("orders")]
    [InlineData("inventory")]
    [InlineData("payments")]
    public async Task A_service_that_is_to_migrate_only_makes_its_database_and_ends(string service)
    {
        var app = stack.RunFile.Apps.Single(a => a.AppId == service);
        var database = $"migrated_{service}_{Guid.NewGuid():N}"[..30];

        var first = await RunAsync(app, database, app.Environment["POSTGRES_PASSWORD"]);
        Assert.True(first.ExitCode == 0, first.Output);
        Assert.NotEmpty(await MigrationsAsync(app, database));
        var again = await RunAsync(app, database, app.Environment["POSTGRES_PASSWORD"]);
        Assert.True(again.ExitCode == 0, again.Output);
    }

    private async Task<ToolResult> RunAsync(RunApp app, string database, string password)
    {
        var launch = AppLauncher.Resolve(Repository.Find(), app);
        var environment = new Dictionary<string, string>(launch.Environment);
        foreach (var (name, value) in app.Environment)
            environment[name] = value;
        (environment["MIGRATE_ONLY"], environment["AUTO_MIGRATE"], environment["POSTGRES_DB"], environment["POSTGRES_PASSWORD"]) = ("true", "false", database, password);
        (environment["APP_PORT"], environment["METRICS_PORT"]) = (Free(), Free());
        return await ToolRun.RunAsync(launch.FileName, launch.Arguments, app.Folder, Cancel, environment, limit: TimeSpan.FromMinutes(4));

        static string Free() => PortOwners.FindFree().ToString(CultureInfo.InvariantCulture);
    }

    private async Task<IReadOnlyList<string>> MigrationsAsync(RunApp app, string database)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = (await stack.RefreshAsync(Cancel)).Postgres!.Port,
            Username = app.Environment["POSTGRES_USER"],
            Password = app.Environment["POSTGRES_PASSWORD"],
            Database = database,
            Pooling = false,
        }.ConnectionString);
        await connection.OpenAsync(Cancel);
        var names = new List<string>();
        await using (var command = new NpgsqlCommand("SELECT * FROM \"__EFMigrationsHistory\"", connection))
        await using (var reader = await command.ExecuteReaderAsync(Cancel))
        {
            while (await reader.ReadAsync(Cancel))
                names.Add(reader.GetString(0));
        }

        return names;
    }
}
