using DaprPlatform.Cli.Postgres;
using DaprPlatform.Cli.Processes;
using Npgsql;

namespace DaprPlatform.Cli.Tests;

public sealed class PostgresTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("platform-pg-").FullName;
    private PostgresBinaries _binaries = null!;
    private IRunningProgram? _running;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_folder, File.GetUnixFileMode(_folder) | UnixFileMode.OtherExecute);
        _binaries = await PostgresBinaries.LocateAsync(Repository.Find(), static _ => { }, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_running is not null)
            await _running.StopAsync(TimeSpan.FromSeconds(5), TimeProvider.System);
        PostgresServer.Delete(_folder);
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task What_was_committed_is_there_after_the_server_was_killed()
    {
        var server = await PrepareAsync("secret");
        await StartAsync(server);
        await ExecuteAsync(server, "CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1)");

        Signals.Send(_running!.Identity.Pid, Signal.Kill);
        await _running.Exited.WaitAsync(Cancel);
        await StartAsync(server);

        Assert.Equal(1L, await ExecuteAsync(server, "SELECT count(*) FROM kept"));
    }

    [Fact]
    public async Task A_stop_leaves_neither_process_nor_lock_file()
    {
        var server = await PrepareAsync("secret");
        await StartAsync(server);

        await _running!.StopAsync(TimeSpan.FromSeconds(5), TimeProvider.System);

        Assert.False(ProcessTable.IsAlive(_running.Identity));
        Assert.Empty(PortOwners.Of([server.Port]));
        Assert.Empty(Directory.GetFiles(_folder, "postmaster.pid", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_lock_file_whose_pid_now_belongs_to_another_process_does_not_keep_the_server_from_starting()
    {
        var server = await PrepareAsync("secret");
        var cluster = Directory.GetDirectories(Path.Combine(_folder, "postgres"), "data-*").Single();
        await File.WriteAllTextAsync(Path.Combine(cluster, "postmaster.pid"), $"{Environment.ProcessId}\n{cluster}\n", Cancel);

        await StartAsync(server);

        Assert.Equal(1, await ExecuteAsync(server, "SELECT 1"));
    }

    [Fact]
    public async Task Another_password_than_the_data_was_made_with_is_said_plainly()
    {
        await PrepareAsync("first");
        var server = await PrepareAsync("second");

        var error = await Assert.ThrowsAsync<CommandException>(() => StartAsync(server));

        Assert.Contains("POSTGRES_PASSWORD", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_folder_below_a_closed_one_is_no_hindrance_for_the_account_that_runs_the_server()
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var server = await PrepareAsync("secret");
        await StartAsync(server);

        Assert.Equal(1, await ExecuteAsync(server, "SELECT 1"));
        await _running!.StopAsync(TimeSpan.FromSeconds(5), TimeProvider.System);
        PostgresServer.Delete(_folder);
        Assert.Null(PostgresServer.FindLog(_folder));
    }

    [Fact]
    public async Task Text_is_stored_as_utf8_and_commits_are_synchronous()
    {
        var server = await PrepareAsync("secret");
        await StartAsync(server);

        Assert.Equal("UTF8", await ExecuteAsync(server, "SHOW server_encoding"));
        Assert.Equal("on", await ExecuteAsync(server, "SHOW fsync"));
        Assert.Equal("on", await ExecuteAsync(server, "SHOW synchronous_commit"));
    }

    private Task<PostgresServer> PrepareAsync(string password) =>
        PostgresServer.PrepareAsync(new PostgresOptions(_folder, PortOwners.FindFree(), "commerce", password), _binaries, new Dictionary<string, string>(),
            static _ => { }, Cancel);

    private async Task StartAsync(PostgresServer server)
    {
        _running = await server.StartAsync(Cancel);
        await server.WaitReadyAsync(_running, Cancel);
    }

    private static async Task<object?> ExecuteAsync(PostgresServer server, string sql)
    {
        await using var source = NpgsqlDataSource.Create(server.ConnectionString + ";Pooling=false");
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancel);
    }
}
