using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Commands;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Settings;

[assembly: AssemblyFixture(typeof(DaprPlatform.EndToEnd.Tests.StackFixture))]
[assembly: DaprPlatform.EndToEnd.Tests.SkippedWithoutEngine]
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>The real stack, started once by the command of the README, beside any other on this machine.</summary>
public sealed class StackFixture : IAsyncLifetime
{
    /// <summary>E2E_PORT_OFFSET sets another, where two of these run on one machine.</summary>
    internal static readonly int PortOffset = int.TryParse(Environment.GetEnvironmentVariable("E2E_PORT_OFFSET"), CultureInfo.InvariantCulture, out var given) ? given : 11_000;
    private readonly string _data = Directory.CreateTempSubdirectory("platform-e2e-").FullName;
    private readonly Repository _repository = Repository.Find();

    internal StackStatus Status { get; private set; } = StackStatus.None;

    internal string GatewayUrl
    {
        get
        {
            TestEngine.SkipWithout();
            return RunningStack.GatewayOf(Status);
        }
    }

    internal RunFile RunFile { get; private set; } = null!;

    internal string DataPath => _data;

    internal string Root => _repository.Root;

    public async ValueTask InitializeAsync()
    {
        if (TestEngine.IsMissing)
            return;
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_data, File.GetUnixFileMode(_data) | UnixFileMode.OtherExecute);
        RunFile = RunFileReader.Read(Path.Combine(_repository.Root, "dapr.yaml"), PortOffset);
        await UpAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (!TestEngine.IsMissing)
            await PlatformAsync(["reset", "--yes"], CancellationToken.None);
    }

    internal async Task UpAsync(CancellationToken cancel)
    {
        var output = await PlatformAsync(["up", "-d", "--json", "--port-offset", PortOffset.ToString(CultureInfo.InvariantCulture), "--engine", TestEngine.Name], cancel);
        Status = Parse(output);
        Assert.True(Status.Healthy, output);
    }

    internal async Task<StackStatus> RefreshAsync(CancellationToken cancel)
    {
        using var client = new ControlClient(new DataFolder(_data).Socket);
        return Status = await client.StatusAsync(cancel) ?? throw new InvalidOperationException("The platform is gone.");
    }

    internal async Task<string> PlatformAsync(string[] arguments, CancellationToken cancel)
    {
        var result = await ToolRun.RunAsync("bash", [Path.Combine(_repository.Root, "platform"), .. arguments, "--data-dir", _data], _repository.Root, cancel,
            limit: TimeSpan.FromMinutes(8));
        Assert.True(result.Succeeded, $"./platform {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.Output}\n{Logs()}");
        return result.Output;
    }

    /// <summary>A command on this stack that may fail, or that goes on until its end is asked for.</summary>
    internal Task<ToolResult> TryPlatformAsync(string[] arguments, CancellationToken cancel, Action<string>? line = null) =>
        ToolRun.RunAsync("bash", [Path.Combine(_repository.Root, "platform"), .. arguments, "--data-dir", _data], _repository.Root, cancel, line: line, limit: TimeSpan.FromMinutes(2));

    /// <summary>Sets a key of the configuration store.</summary>
    internal async Task SetAsync(string key, string value, CancellationToken cancel)
    {
        using var settings = new PlatformSettings(Status);
        await settings.SetAsync(key, value, cancel);
    }

    /// <summary>Returns when the last thing that an app has said after a text begins so. For what an app follows, whose effect cannot be asked for.</summary>
    internal async Task UntilLoggedAsync(string app, string after, string expected, CancellationToken cancel)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(TimeSpan.FromMinutes(2));
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (true)
        {
            var log = LogOf(app);
            var last = log.LastIndexOf(after, StringComparison.Ordinal);
            if (last >= 0 && log.AsSpan(last + after.Length).StartsWith(expected, StringComparison.Ordinal))
                return;
            await interval.WaitForNextTickAsync(deadline.Token);
        }
    }

    internal string LogOf(string app) => Read(Path.Combine(new DataFolder(_data).Logs, $"{app}.log"));

    internal GatewayClient Gateway(TimeSpan patience) => new(GatewayUrl, patience, TimeProvider.System);

    /// <summary>Returns when a patient customer is served by every service again: after a restart breakers stay open for a moment. For the end of tests that take something down.</summary>
    internal async Task ServesAgainAsync()
    {
        if (TestEngine.IsMissing)
            return;
        using var gateway = Gateway(TimeSpan.FromMinutes(2));
        using var customer = new Customer(gateway, $"patient-{Guid.NewGuid():N}@example.test", "Patient-Passw0rd-1");
        await customer.RegisterAsync("Patient", CancellationToken.None);
        foreach (var path in (string[])["api/v1/inventory/products?limit=1", "api/v1/orders?limit=1", "api/v1/notifications"])
            Assert.True((await customer.SendAsync(HttpMethod.Get, path, null, CancellationToken.None)).Succeeded, path);
    }

    /// <summary>The SKU of a product that is never sold out. The seed has a few pieces of each of its own, and the README's walk needs one.</summary>
    internal async Task<string> PlentyAsync(GatewayClient gateway, CancellationToken cancel)
    {
        const string sku = "PLENTY-001";
        using var oper = Operator(gateway);
        var answer = await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject
        {
            ["products"] = new JsonArray(new JsonObject { ["sku"] = sku, ["name"] = "Plenty", ["priceMinor"] = 100, ["stock"] = 1_000_000 }),
        }, cancel);
        Assert.True(answer.Succeeded, answer.ToString());
        return sku;
    }

    internal Customer Operator(GatewayClient gateway) => RunningStack.OperatorOf(RunFile, gateway);

    /// <summary>The connection string of a service's database.</summary>
    internal string DatabaseOf(string service) => RunningStack.ConnectionsOf(RunFile, Status)(service);

    internal Invariants Invariants() => RunningStack.InvariantsOf(RunFile, Status);

    /// <summary>The ends of the logs, for a failure's message.</summary>
    internal string Logs()
    {
        var logs = new DataFolder(_data).Logs;
        return Directory.Exists(logs)
            ? string.Join('\n', Directory.GetFiles(logs, "*.log").Order(StringComparer.Ordinal).Select(f => $"== {Path.GetFileName(f)}\n{string.Join('\n', File.ReadLines(f).TakeLast(25))}"))
            : "";
    }

    /// <summary>Everything that every process has said.</summary>
    internal string AllLogs()
    {
        var logs = new DataFolder(_data).Logs;
        return string.Join('\n', Directory.GetFiles(logs, "*.log").Select(Read));
    }

    private static string Read(string file)
    {
        using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd();
    }

    private static StackStatus Parse(string output) =>
        JsonSerializer.Deserialize<StackStatus>(output[output.IndexOf("\n{", StringComparison.Ordinal)..(output.LastIndexOf('}') + 1)], ControlJson.Options)!;
}
