using System.Diagnostics;
using System.Globalization;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Deployment.Tests.Publishing;

/// <summary>A whole publication, moved to where nothing of the clone is, and used as on a machine that has neither .NET nor Node.js.</summary>
public sealed class PublicationFixture : IAsyncLifetime
{
    // Beside the stack of the end-to-end tests (E2E_PORT_OFFSET), should that run.
    private static readonly int Offset = 500 + (int.TryParse(Environment.GetEnvironmentVariable("E2E_PORT_OFFSET"), CultureInfo.InvariantCulture, out var given) ? given : 11_000);

    private readonly string _home = Directory.CreateTempSubdirectory("platform-published-").FullName;

    public string Folder => Path.Combine(_home, "moved");

    internal RunFile RunFile => RunFileReader.Read(Path.Combine(Folder, "dapr.yaml"), Offset);

    internal string GatewayUrl => $"http://127.0.0.1:{RunFile.Apps.Single(a => a.AppId == "gateway").AppPort!.Value.Number}";

    internal StackStatus Status { get; private set; } = StackStatus.None;

    private string Tools => Path.Combine(_home, "tools");

    public async ValueTask InitializeAsync()
    {
        if (!OperatingSystem.IsLinux())
            return;
        File.SetUnixFileMode(_home, File.GetUnixFileMode(_home) | UnixFileMode.OtherExecute);
        var made = Path.Combine(_home, "made");
        await new Publication(Repository.Find(), static _ => { }).MakeAsync(made, CancellationToken.None);
        Directory.Move(made, Folder);
        LinkTools();
        await UpAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (Directory.Exists(Tools))
            await TryPlatformAsync(CancellationToken.None, "reset", "--yes");
        Directory.Delete(_home, recursive: true);
    }

    internal async Task UpAsync(CancellationToken cancel)
    {
        var up = await TryPlatformAsync(cancel, "up", "-d", "--port-offset", Offset.ToString(CultureInfo.InvariantCulture));
        Assert.True(up.ExitCode == 0, up.Output);
        await RefreshAsync(cancel);
    }

    internal async Task RefreshAsync(CancellationToken cancel)
    {
        using var client = new ControlClient(new DataFolder(Path.Combine(Folder, ".platform")).Socket);
        Status = await client.StatusAsync(cancel) ?? throw new InvalidOperationException("The published stack does not run.");
    }

    internal Task<(int ExitCode, string Output)> TryPlatformAsync(CancellationToken cancel, params string[] arguments) =>
        RunAsync(Path.Combine(Folder, "platform"), arguments, cancel);

    /// <summary>Runs commands of a document in the folder, as they stand there but for the ports.</summary>
    internal async Task TypeAsync(string commands, CancellationToken cancel)
    {
        var typed = commands.Replace("./platform up", $"./platform up --port-offset {Offset}", StringComparison.Ordinal).Replace("http://localhost:8080", GatewayUrl, StringComparison.Ordinal);
        var (exitCode, output) = await RunAsync("/bin/sh", ["-euc", typed], cancel);
        Assert.True(exitCode == 0, $"{typed}\n{output}");
    }

    internal GatewayClient Gateway() => new(GatewayUrl, TimeSpan.FromMinutes(2), TimeProvider.System);

    private async Task<(int ExitCode, string Output)> RunAsync(string program, string[] arguments, CancellationToken cancel)
    {
        var info = new ProcessStartInfo(program, arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment.Clear();
        info.Environment["PATH"] = Tools;
        using var process = Process.Start(info)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(TimeSpan.FromMinutes(6));
        var said = Task.WhenAll(process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, string.Concat(await said));
    }

    // Everything that the machine has but for .NET and Node.js.
    private void LinkTools()
    {
        Directory.CreateDirectory(Tools);
        foreach (var tool in ((string[])["/bin", "/usr/bin"]).SelectMany(Directory.EnumerateFiles).DistinctBy(Path.GetFileName))
        {
            if (Path.GetFileName(tool) is not ("dotnet" or "dnx" or "node" or "nodejs" or "npm" or "npx"))
                File.CreateSymbolicLink(Path.Combine(Tools, Path.GetFileName(tool)), tool);
        }
    }
}
