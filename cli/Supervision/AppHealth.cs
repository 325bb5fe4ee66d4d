using System.Net;
using System.Net.Sockets;
using DaprPlatform.Cli.RunFiles;

namespace DaprPlatform.Cli.Supervision;

/// <summary>Whether an app serves: its own health answer where it has one, otherwise that its port takes connections.</summary>
internal sealed class AppHealth(RunApp app) : IDisposable
{
    private const string DefaultPath = "/health/ready";
    private static readonly TimeSpan ProbeLimit = TimeSpan.FromSeconds(3);
    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(1), AllowAutoRedirect = false }) { Timeout = ProbeLimit };

    /// <summary>Where a person can open it; null for apps that speak only gRPC.</summary>
    public string? Url => HttpPort is { } port ? $"http://localhost:{port}" : null;

    public string? HealthUrl => Url is { } url ? url + (app.AppHealthCheckPath ?? DefaultPath) : null;

    /// <summary>Where services of ours serve their metrics: beside gRPC, or on a port of its own.</summary>
    public string? MetricsUrl => (app.OwnMetricsPort ?? (app.AppProtocol == "http" ? app.AppPort : null)) is { } port ? $"http://localhost:{port.Number}/metrics" : null;

    private int? HttpPort => app.AppProtocol switch
    {
        "http" => app.AppPort?.Number,
        _ => app.OwnMetricsPort?.Number,
    };

    /// <summary>Null when it serves; otherwise what it said.</summary>
    public async Task<string?> ProbeAsync(CancellationToken cancel)
    {
        if (app.AppPort is { } appPort && !await AcceptsAsync(appPort.Number, cancel))
            return $"nothing listens on port {appPort.Number} yet";
        if (HttpPort is not { } port)
            return null;
        var path = app.AppHealthCheckPath ?? DefaultPath;
        try
        {
            using var response = await _http.GetAsync($"http://127.0.0.1:{port}{path}", cancel);
            if (response.IsSuccessStatusCode || (response.StatusCode == HttpStatusCode.NotFound && app.AppHealthCheckPath is null))
                return null;
            return $"GET {path} on port {port} answers {(int)response.StatusCode}: {Short(await response.Content.ReadAsStringAsync(cancel))}";
        }
        catch (HttpRequestException e)
        {
            return $"GET {path} on port {port}: {e.Message}";
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return $"GET {path} on port {port} does not answer within {ProbeLimit.TotalSeconds:F0} s";
        }
    }

    /// <summary>The address of its Swagger UI, when it has one.</summary>
    public async Task<string?> FindSwaggerAsync(CancellationToken cancel)
    {
        if (HttpPort is not { } port)
            return null;
        try
        {
            using var response = await _http.GetAsync($"http://127.0.0.1:{port}/swagger/index.html", cancel);
            return response.IsSuccessStatusCode ? $"{Url}/swagger" : null;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    private static string Short(string text) => text.Length > 300 ? text[..300] + "…" : text;

    private static async Task<bool> AcceptsAsync(int port, CancellationToken cancel)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
