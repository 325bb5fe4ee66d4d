using System.Globalization;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Kubernetes;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.DaprEngine;

/// <summary>A kind of server that components use.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="Variable">The variable that names another address than the components do.</param>
/// <param name="Field">Where components name their address.</param>
/// <param name="TypeSuffix">Of the types of its components.</param>
/// <param name="Program">What can be started where it does not run; null: nothing that Debian has.</param>
/// <param name="Package">Debian's package with that program.</param>
internal sealed record ServerKind(string Name, string Variable, string Field, string TypeSuffix, string? Program, string? Package)
{
    public static readonly IReadOnlyList<ServerKind> All =
    [
        new("Kafka", "KAFKA_BROKERS", "brokers", ".kafka", null, null),
        new("Redis", "REDIS_HOST", "redisHost", ".redis", "redis-server", "redis-server"),
        new("etcd", "ETCD_ENDPOINTS", "endpoints", ".etcd", "etcd", "etcd-server"),
    ];
}

/// <param name="Kind">What it is.</param>
/// <param name="Address">host:port, several with commas.</param>
/// <param name="Given">By its variable, not by the components.</param>
internal sealed record NeededServer(ServerKind Kind, string Address, bool Given)
{
    private static readonly string[] Here = ["localhost", "127.0.0.1", "[::1]"];
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(2);

    public (string Host, int Port) First
    {
        get
        {
            var text = Address.Split(',')[0].Trim();
            text = text[(text.IndexOf("://", StringComparison.Ordinal) is >= 0 and var scheme ? scheme + 3 : 0)..];
            var colon = text.LastIndexOf(':');
            return colon > 0 && int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535
                ? (text[..colon], port)
                : throw new CommandException($"{Kind.Name}: '{Address}' is no address (host:port).");
        }
    }

    public bool OnThisMachine => Here.Contains(First.Host);

    /// <summary>The servers that the components of a run file's apps use.</summary>
    /// <exception cref="CommandException">Components of one kind name different addresses, or an address is none.</exception>
    public static IReadOnlyList<NeededServer> Of(RunFile file, Func<string, string?> variable)
    {
        var components = file.Apps.SelectMany(a => a.ResourcesPaths).Distinct().Where(Directory.Exists).SelectMany(Resources.Files)
            .SelectMany(f => Document.Parse(File.ReadAllText(f), f)).Where(d => d.Kind == "Component").ToList();
        var needed = new List<NeededServer>();
        foreach (var kind in ServerKind.All)
        {
            var addresses = components.Where(c => ((string?)c.Spec?["type"] ?? "").EndsWith(kind.TypeSuffix, StringComparison.Ordinal))
                .SelectMany(c => (JsonArray?)c.Spec!["metadata"] ?? []).Where(m => (string?)m!["name"] == kind.Field).Select(m => m!["value"]?.ToString() ?? "").Distinct().ToList();
            if (addresses.Count == 0)
                continue;
            var given = variable(kind.Variable);
            if (given is null or "" && addresses.Count > 1)
                throw new CommandException($"The components name several servers of {kind.Name}: {string.Join(", ", addresses)}. Set {kind.Variable} to one for all.");
            var server = new NeededServer(kind, given is { Length: > 0 } ? given : addresses[0], given is { Length: > 0 });
            _ = server.First;
            needed.Add(server);
        }

        return needed;
    }

    public async Task<bool> AnswersAsync(CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(ConnectLimit);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(First.Host.Trim('[', ']'), First.Port, limit.Token);
            return true;
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return false;
        }
    }

    /// <summary>How its program is started here; null: it cannot be.</summary>
    /// <param name="data">Where it keeps what it holds.</param>
    public (string Program, string[] Arguments)? Start(string data)
    {
        if (Given || !OnThisMachine || Kind.Program is null || DaprPrograms.OnPath(Kind.Program) is not { } program)
            return null;
        var port = First.Port.ToString(CultureInfo.InvariantCulture);
        var folder = Path.Combine(data, Kind.Program);
        return (program, Kind.Program switch
        {
            // Nothing acknowledged is lost by a crash.
            "redis-server" => ["--port", port, "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
            _ =>
            [
                "--data-dir", folder, "--listen-client-urls", $"http://127.0.0.1:{port}", "--advertise-client-urls", $"http://127.0.0.1:{port}",
                .. Peer(PortOwners.FindFree()), "--auto-compaction-retention", "1h", "--logger", "zap", "--log-outputs", "stderr",
            ],
        });
    }

    /// <summary>What to do about a server that is neither there nor can be started.</summary>
    public string Missing => Given
        ? $"{Kind.Name}: nothing answers at {Address} ({Kind.Variable})."
        : $"{Kind.Name}: nothing answers at {Address}. Start one (`docker compose up -d --wait {Kind.Name.ToLowerInvariant()}`), or name one by {Kind.Variable}"
            + (Kind.Package is null ? "." : $", or install Debian's {Kind.Package}, which is started then.");

    private static string[] Peer(int port) =>
        ["--listen-peer-urls", $"http://127.0.0.1:{port}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{port}", "--initial-cluster", $"default=http://127.0.0.1:{port}"];
}
