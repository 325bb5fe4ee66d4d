using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;

namespace Sdk.Actors.Tests.Daprd;

/// <summary>The embedded runtime as a process of its own, and beside it the process that stands in for placement and scheduler. Its folder outlives a kill.</summary>
internal sealed class SidecarProcess : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sdk-actors-tests-").FullName;
    private readonly int _appPort;
    private Process? _process;
    private Process? _standIn;

    public SidecarProcess(int appPort)
    {
        _appPort = appPort;
        HttpPort = FreePort();
        File.WriteAllText(Path.Combine(_folder, "store.yaml"), $"""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata:
              name: store
            spec:
              type: state.sqlite
              version: v1
              metadata:
              - name: connectionString
                value: "{Path.Combine(_folder, "state.db")}"
              - name: actorStateStore
                value: "true"
            """);
        File.WriteAllText(Path.Combine(_folder, "config.yml.txt"), "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata:\n  name: c\nspec:\n  features:\n  - name: ActorStateTTL\n    enabled: true\n");
    }

    public int HttpPort { get; }

    public string HttpEndpoint => $"http://127.0.0.1:{HttpPort}/";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_standIn is null)
        {
            _standIn = Start("stand-in", "--directory", Path.Combine(_folder, "stand-ins-1"));
            await _standIn.StandardOutput.ReadLineAsync(cancellationToken);
        }

        _process = Start(
            "--app-id", "sdk-actors", "--app-port", Text(_appPort), "--dapr-http-port", Text(HttpPort), "--dapr-grpc-port", Text(FreePort()), "--dapr-internal-grpc-port", Text(FreePort()),
            "--enable-metrics=false", "--dapr-listen-addresses", "127.0.0.1", "--placement-host-address", "localhost:50005", "--scheduler-host-address", "localhost:50006",
            "--resources-path", _folder, "--config", Path.Combine(_folder, "config.yml.txt"), "--log-level", "error");
        _ = _process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        using var http = new HttpClient { BaseAddress = new Uri(HttpEndpoint) };
        await Poll.UntilAsync(
            async () =>
            {
                try
                {
                    using var answer = await http.GetAsync(new Uri("v1.0/healthz", UriKind.Relative), cancellationToken);
                    return answer.StatusCode == HttpStatusCode.NoContent;
                }
                catch (HttpRequestException) when (!_process.HasExited)
                {
                    // Not listening yet.
                    return false;
                }
            },
            cancellationToken);
    }

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in new[] { _process, _standIn }.OfType<Process>())
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private Process Start(params string[] arguments)
    {
        var daprd = typeof(SidecarProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "Daprd").Value!;
        var start = new ProcessStartInfo("dotnet", [daprd, .. arguments]) { WorkingDirectory = _folder, RedirectStandardOutput = true };
        start.Environment["DAPR_PLATFORM_DIR"] = _folder;
        return Process.Start(start)!;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
