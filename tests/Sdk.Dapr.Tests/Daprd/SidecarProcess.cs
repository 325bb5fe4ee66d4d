using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using Dapr.Client;

namespace DaprPlatform.Sdk.Tests.Daprd;

/// <summary>The embedded runtime as a process of its own, and beside it the process that stands in for its servers, which a sidecar would leave running.</summary>
internal sealed class SidecarProcess : IAsyncDisposable
{
    readonly Process _process;
    readonly Process _standIn;
    readonly string _folder;
    readonly Task<string> _output;

    SidecarProcess(Process process, Process standIn, string folder, string httpEndpoint, string grpcEndpoint)
    {
        _process = process;
        _standIn = standIn;
        _folder = folder;
        _output = process.StandardOutput.ReadToEndAsync();
        HttpEndpoint = httpEndpoint;
        GrpcEndpoint = grpcEndpoint;
    }

    public string HttpEndpoint { get; }

    public string GrpcEndpoint { get; }

    public DaprClient Client() => new DaprClientBuilder().UseHttpEndpoint(HttpEndpoint).UseGrpcEndpoint(GrpcEndpoint).Build();

    public static async Task<SidecarProcess> StartAsync(string appId, int appPort, IReadOnlyDictionary<string, string> resources, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("sdk-dapr-tests-").FullName;
        foreach (var (name, text) in resources)
            await File.WriteAllTextAsync(Path.Combine(folder, name), text.Replace("$DIR", folder, StringComparison.Ordinal), cancellationToken);

        int[] ports = FreePorts();
        var standIn = Start(folder, "stand-in", "--directory", Path.Combine(folder, "stand-ins-1"));
        await standIn.StandardOutput.ReadLineAsync(cancellationToken);
        var process = Start(
            folder, "--app-id", appId, "--app-port", Text(appPort), "--dapr-http-port", Text(ports[0]), "--dapr-grpc-port", Text(ports[1]), "--dapr-internal-grpc-port", Text(ports[2]),
            "--enable-metrics=false", "--scheduler-host-address", "localhost:50006", "--resources-path", folder);
        var sidecar = new SidecarProcess(process, standIn, folder, $"http://127.0.0.1:{ports[0]}", $"http://127.0.0.1:{ports[1]}");
        try
        {
            using var client = sidecar.Client();
            var healthy = client.WaitForSidecarAsync(cancellationToken);
            if (await Task.WhenAny(healthy, sidecar._process.WaitForExitAsync(cancellationToken)) != healthy)
                throw new InvalidOperationException($"daprd ended: {await sidecar._output}");
            await healthy;
            while (!await client.CheckHealthAsync(cancellationToken))
                await client.WaitForSidecarAsync(cancellationToken);
            return sidecar;
        }
        catch
        {
            await sidecar.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in (Process[])[_process, _standIn])
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    static Process Start(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Daprd(), .. arguments]) { WorkingDirectory = folder, RedirectStandardOutput = true };
        start.Environment["DAPR_PLATFORM_DIR"] = folder;
        return Process.Start(start)!;
    }

    static string Daprd() => typeof(SidecarProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "Daprd").Value!;

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    static int[] FreePorts()
    {
        TcpListener[] listeners = [new(IPAddress.Loopback, 0), new(IPAddress.Loopback, 0), new(IPAddress.Loopback, 0)];
        foreach (var listener in listeners)
            listener.Start();
        int[] ports = [.. listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port)];
        foreach (var listener in listeners)
            listener.Dispose();
        return ports;
    }
}
