using System.Globalization;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Supervision;
using Npgsql;

namespace DaprPlatform.Cli.Postgres;

internal sealed record PostgresOptions(string DataDirectory, int Port, string User, string Password);

/// <summary>
/// A PostgreSQL server of our own on 127.0.0.1: its files, its start, and what is wrong with it. Supervision restarts it.
/// </summary>
internal sealed class PostgresServer : ISupervisedProgram
{
    public const string ProgramName = "postgres";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LeftoverGrace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan StatusInterval = TimeSpan.FromMilliseconds(20);

    private readonly PostgresOptions _options;
    private readonly PostgresPlace _place;
    private readonly IReadOnlyDictionary<string, string> _environment;

    private PostgresServer(PostgresOptions options, PostgresPlace place, IReadOnlyDictionary<string, string> environment)
    {
        _options = options;
        _place = place;
        _environment = environment;
    }

    public string Name => ProgramName;

    public int Port => _options.Port;

    public string LogFile => _place.LogFile;

    public Version Version => _place.Binaries.Version;

    public string Origin => _place.Binaries.Origin;

    /// <summary>To its maintenance database.</summary>
    public string ConnectionString => ConnectionTo("postgres");

    /// <summary>Makes the database cluster when there is none.</summary>
    /// <param name="options">Where, on which port, and for whom.</param>
    /// <param name="binaries">The installation.</param>
    /// <param name="environment">Added to the server's environment (the mark by which leftovers are found).</param>
    /// <param name="report">Told what takes long.</param>
    /// <param name="cancel">Ends the preparation; what was begun is thrown away by the next.</param>
    /// <exception cref="CommandException">It cannot be made.</exception>
    public static async Task<PostgresServer> PrepareAsync(PostgresOptions options, PostgresBinaries binaries, IReadOnlyDictionary<string, string> environment,
        Action<string> report, CancellationToken cancel)
    {
        var place = PostgresPlace.Choose(options.DataDirectory, binaries, PostgresAccount.ForThisProcess());
        var server = new PostgresServer(options, place, environment);
        if (!File.Exists(Path.Combine(place.Cluster, "PG_VERSION")))
            await server.InitializeAsync(report, cancel);
        return server;
    }

    public string ConnectionTo(string database) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = _options.Port,
        Username = _options.User,
        Password = _options.Password,
        Database = database,
        Timeout = 5,
    }.ConnectionString;

    public async Task<IRunningProgram> StartAsync(CancellationToken cancel)
    {
        await ClearLockAsync(_place.Cluster, cancel);
        _place.RotateLog();
        return ChildProcess.Start(new ChildStart(_place.Binaries.Server, ["-D", _place.Cluster, .. Settings()], _place.Folder, _place.LogFile)
        {
            Environment = _environment,
            UserName = _place.Account?.Name,
            StopSignal = Signal.Interrupt, // "fast": transactions are rolled back, a checkpoint is written.
        });
    }

    public async Task WaitReadyAsync(IRunningProgram running, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(StartLimit);
        using var interval = new PeriodicTimer(StatusInterval);
        while (!SaysReady(running.Identity.Pid))
        {
            if (running.Exited.IsCompleted)
                throw new CommandException($"PostgreSQL ended while it started (exit code {await running.Exited}):\n{LastOfLog()}");
            await interval.WaitForNextTickAsync(deadline.Token);
        }

        try
        {
            await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
            await connection.OpenAsync(deadline.Token);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification)
        {
            throw new CommandException(
                $"PostgreSQL refuses the user '{_options.User}': its data in {_place.Cluster} was made with another POSTGRES_USER or POSTGRES_PASSWORD. "
                + "Set them back in dapr.yaml, or throw the data away with ./platform reset.", e);
        }
    }

    /// <summary>Its log, when there is one.</summary>
    public static string? FindLog(string dataDirectory) => PostgresPlace.All(dataDirectory).Select(PostgresPlace.LogIn).FirstOrDefault(File.Exists);

    /// <summary>Ends a server of the folder that outlived its platform.</summary>
    public static async Task EndLeftoverAsync(string dataDirectory, CancellationToken cancel)
    {
        foreach (var cluster in PostgresPlace.All(dataDirectory).SelectMany(PostgresPlace.ClustersIn))
            await ClearLockAsync(cluster, cancel);
    }

    /// <summary>Removes the whole cluster. It must not run.</summary>
    public static void Delete(string dataDirectory)
    {
        foreach (var folder in PostgresPlace.All(dataDirectory).Where(Directory.Exists))
            Directory.Delete(folder, recursive: true);
    }

    private string[] Settings()
    {
        (string Name, string Value)[] settings =
        [
            ("listen_addresses", "127.0.0.1"),
            ("port", _options.Port.ToString(CultureInfo.InvariantCulture)),
            ("unix_socket_directories", ""),
            ("max_connections", "200"),
            ("shared_buffers", "64MB"),
            ("work_mem", "4MB"),
            ("maintenance_work_mem", "32MB"),
            ("max_parallel_workers_per_gather", "0"),
            ("jit", "off"),
            ("fsync", "on"),
            ("synchronous_commit", "on"),
            ("wal_level", "minimal"),
            ("max_wal_senders", "0"),
            ("max_wal_size", "512MB"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("log_min_messages", "warning"),
        ];
        return [.. settings.SelectMany(s => (string[])["-c", $"{s.Name}={s.Value}"])];
    }

    // Made aside and renamed when whole: a half-made cluster looks like a real one to the server.
    private async Task InitializeAsync(Action<string> report, CancellationToken cancel)
    {
        report("creating the database cluster");
        var draft = _place.Cluster + ".new";
        var password = Path.Combine(_place.Folder, "password");
        if (Directory.Exists(draft))
            Directory.Delete(draft, recursive: true);
        try
        {
            await File.WriteAllTextAsync(password, _options.Password, cancel);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(password, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            _place.Account?.Own(password);
            string[] locale = _place.Binaries.Version.Major >= 17 ? ["--locale-provider=builtin", "--locale=C.UTF-8"] : ["--locale=C"];
            var child = ChildProcess.Start(new ChildStart(_place.Binaries.InitDb,
                ["-D", draft, "-U", _options.User, "--pwfile", password, "--auth=scram-sha-256", "-E", "UTF8", .. locale], _place.Folder, _place.LogFile)
            {
                Environment = _environment,
                UserName = _place.Account?.Name,
            });
            using (child)
            {
                int exitCode;
                try
                {
                    exitCode = await child.Exited.WaitAsync(StartLimit, cancel);
                }
                catch
                {
                    await child.StopAsync(TimeSpan.Zero, TimeProvider.System);
                    throw;
                }

                if (exitCode != 0)
                    throw new CommandException($"initdb failed (exit code {exitCode}):\n{LastOfLog()}");
            }

            Directory.Move(draft, _place.Cluster);
        }
        finally
        {
            File.Delete(password);
        }
    }

    // After kill -9 the file stays. The server itself gives up when any process has that pid by now, so the pid is looked at first:
    // a server that outlived its platform is ended (the data folder's lock says that nobody else needs it).
    private static async Task ClearLockAsync(string cluster, CancellationToken cancel)
    {
        var file = Path.Combine(cluster, "postmaster.pid");
        if (!File.Exists(file) || !int.TryParse(File.ReadLines(file).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid))
            return;
        if (ProcessTable.Find(pid) is { } leftover && ProcessTable.Command(pid) is { } command && command.Contains(cluster, StringComparison.Ordinal))
        {
            await Leftovers.EndAsync([leftover], Signal.Interrupt, LeftoverGrace, cancel);
            return;
        }

        File.Delete(file);
    }

    private bool SaysReady(int pid)
    {
        const int pidLine = 0;
        const int statusLine = 7;
        try
        {
            var lines = File.ReadAllLines(Path.Combine(_place.Cluster, "postmaster.pid"));
            return lines.Length > statusLine && lines[statusLine].Trim() == "ready" && lines[pidLine] == pid.ToString(CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private string LastOfLog() => File.Exists(_place.LogFile) ? string.Join('\n', File.ReadLines(_place.LogFile).TakeLast(15)) : "(no log)";
}
