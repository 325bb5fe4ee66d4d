using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace DaprPlatform.Benchmarks;

/// <summary>A sidecar started with daprd's flags, ours or the real one: two engines are measured with the same app and the same load.</summary>
internal sealed class SidecarProcess : IDisposable
{
    private readonly Process _process;

    private SidecarProcess(Process process) => _process = process;

    public required int HttpPort { get; init; }

    public required int GrpcPort { get; init; }

    /// <summary>From the start of the process to its first healthy answer.</summary>
    public double HealthyMilliseconds { get; private set; }

    public double ResidentMegabytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64 / (1024.0 * 1024.0);
        }
    }

    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <param name="path">The executable.</param>
    /// <param name="appId">The app.</param>
    /// <param name="appPort">Where the app listens.</param>
    /// <param name="appProtocol">http or grpc.</param>
    /// <param name="resources">The folder with its components.</param>
    /// <exception cref="TimeoutException">It does not become healthy.</exception>
    public static async Task<SidecarProcess> StartAsync(string path, string appId, int appPort, string appProtocol, string resources, params string[] more)
    {
        var (http, grpc) = (FreePort(), FreePort());
        string[] arguments =
        [
            "--app-id", appId, "--app-port", $"{appPort}", "--app-protocol", appProtocol, "--dapr-http-port", $"{http}", "--dapr-grpc-port", $"{grpc}",
            "--dapr-internal-grpc-port", $"{FreePort()}", "--metrics-port", $"{FreePort()}", "--resources-path", resources, "--dapr-listen-addresses", "127.0.0.1", "--log-level", "error", .. more,
        ];
        var started = Stopwatch.GetTimestamp();
        var process = Process.Start(new ProcessStartInfo(path, arguments)) ?? throw new InvalidOperationException($"cannot start {path}");
        var sidecar = new SidecarProcess(process) { HttpPort = http, GrpcPort = grpc };
        try
        {
            await sidecar.WaitAsync();
        }
        catch
        {
            sidecar.Dispose();
            throw;
        }

        sidecar.HealthyMilliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        return sidecar;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private async Task WaitAsync()
    {
        using var client = new HttpClient();
        var address = new Uri($"http://127.0.0.1:{HttpPort}/v1.0/healthz");
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60))
        {
            try
            {
                using var answer = await client.GetAsync(address);
                if (answer.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException) when (!_process.HasExited)
            {
                // Not listening yet.
            }

            await Task.Delay(5);
        }

        throw new TimeoutException("the sidecar does not become healthy");
    }
}
