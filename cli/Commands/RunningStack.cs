using System.CommandLine;
using DaprPlatform.Cli.Audit;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;
using Npgsql;

namespace DaprPlatform.Cli.Commands;

/// <summary>A stack that runs, seen from outside: its gateway, its operator account, its databases.</summary>
internal sealed class RunningStack
{
    private const string Gateway = "gateway";
    private readonly RunFile _file;

    private RunningStack(RunFile file, StackStatus status)
    {
        _file = file;
        Status = status;
    }

    public StackStatus Status { get; }

    public string GatewayUrl => GatewayOf(Status);

    /// <exception cref="CommandException">There is no gateway.</exception>
    public static string GatewayOf(StackStatus status) => status.Apps.FirstOrDefault(a => a.App == Gateway)?.Url?.Replace("localhost", "127.0.0.1", StringComparison.Ordinal)
        ?? throw new CommandException($"The running stack has no app {Gateway}.");

    /// <exception cref="CommandException">Nothing runs there.</exception>
    public static async Task<RunningStack> FindAsync(StackOptions options, ParseResult parsed, CancellationToken cancel)
    {
        var repository = Repository.Find();
        var data = options.Data(parsed, repository);
        using var client = new ControlClient(data.Socket);
        var status = await client.StatusAsync(cancel) ?? throw new CommandException($"Nothing runs on {data.Path}: start it with ./platform up");
        return new RunningStack(RunFileReader.Read(status.RunFile ?? options.RunFile(parsed, repository)), status);
    }

    public Customer Operator(GatewayClient gateway) => OperatorOf(_file, gateway);

    /// <summary>E-mail and password of the administrator of the development seed; null when the run file names none.</summary>
    public (string Email, string Password)? OperatorAccount() => AccountOf(_file);

    /// <summary>The administrator of the development seed.</summary>
    /// <exception cref="CommandException">The run file names none.</exception>
    public static Customer OperatorOf(RunFile file, GatewayClient gateway) => AccountOf(file) is var (email, password)
        ? new Customer(gateway, email, password)
        : throw new CommandException("The run file names no operator account (SEED_ADMIN_EMAIL, SEED_ADMIN_PASSWORD).");

    private static (string Email, string Password)? AccountOf(RunFile file)
    {
        foreach (var app in file.Apps)
        {
            if (app.Environment.TryGetValue("SEED_ADMIN_EMAIL", out var email) && app.Environment.TryGetValue("SEED_ADMIN_PASSWORD", out var password))
                return (email, password);
        }

        return null;
    }

    /// <exception cref="CommandException">The stack has no database of its own.</exception>
    public Invariants Invariants() => InvariantsOf(_file, Status);

    /// <exception cref="CommandException">The stack has no database of its own.</exception>
    public AuditReader Audit() => new(ConnectionsOf(_file, Status));

    /// <exception cref="CommandException">The stack has no database of its own.</exception>
    public static Invariants InvariantsOf(RunFile file, StackStatus status) => new(ConnectionsOf(file, status));

    /// <summary>From a service to the connection string of its database.</summary>
    /// <exception cref="CommandException">The stack has no database of its own.</exception>
    public static Func<string, string> ConnectionsOf(RunFile file, StackStatus status)
    {
        var settings = DatabaseSettings.From(file) ?? throw new CommandException("The stack has no PostgreSQL of its own: the invariants cannot be looked up.");
        var port = status.Postgres?.Port ?? throw new CommandException("PostgreSQL does not run.");
        return service => new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = port,
            Username = settings.User,
            Password = settings.Password,
            Database = file.Apps.FirstOrDefault(a => a.AppId == service)?.Environment.GetValueOrDefault("POSTGRES_DB") ?? service,
            Pooling = false,
            Timeout = 10,
        }.ConnectionString;
    }
}
