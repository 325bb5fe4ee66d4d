using System.Globalization;
using System.Text;
using DaprPlatform.Cli.Supervision;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Cli.Control;

/// <summary>What only the platform itself knows, for Prometheus: <c>GET /metrics</c> on the loopback interface. Apps and sidecars answer for themselves.</summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    public const int DefaultPort = 9099;

    private readonly WebApplication _app;

    private MetricsServer(WebApplication app) => _app = app;

    /// <summary>Null when the port is taken: a stack without these figures is better than none. The problem is among the stack's events.</summary>
    public static async Task<MetricsServer?> StartAsync(int port, Stack stack, CancellationToken cancel)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port));
        builder.Logging.ClearProviders();
        builder.Services.AddRoutingCore();
        var app = builder.Build();
        app.MapGet("/metrics", () => Results.Text(Write(stack.Status(), stack.DeadLetters?.List(all: false).Select(l => l.Topic) ?? []), "text/plain; version=0.0.4; charset=utf-8"));
        try
        {
            await app.StartAsync(cancel);
        }
        catch (IOException e)
        {
            await app.DisposeAsync();
            stack.Events.Add(EventKind.Problem, $"the platform's own metrics are not served: {e.Message}");
            return null;
        }

        stack.MetricsUrl = string.Create(CultureInfo.InvariantCulture, $"http://localhost:{port}/metrics");
        return new MetricsServer(app);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    /// <param name="status">Of now.</param>
    /// <param name="deadLetters">The topic of each event that could not be processed and was not replayed.</param>
    internal static string Write(StackStatus status, IEnumerable<string> deadLetters)
    {
        var text = new StringBuilder(2048);
        Family("platform_app_up", "gauge", "1 when the app serves.", status.Apps.Select(a => ("app", a.App, a.State == UnitState.Healthy ? 1L : 0)));
        Family("platform_app_restarts_total", "counter", "Starts of the app after it had ended by itself.", status.Apps.Select(a => ("app", a.App, (long)a.Restarts)));
        Family("platform_app_resident_bytes", "gauge", "Resident memory of the app's processes.", status.Apps.Select(a => ("app", a.App, a.ResidentBytes)));
        Family("platform_sidecar_up", "gauge", "1 when the app's sidecar is healthy.", status.Apps.Select(a => ("app", a.App, a.SidecarHealthy ? 1L : 0)));
        Family("platform_dead_letters", "gauge", "Events that a consumer could not process and that were not replayed, by the topic they were published to.",
            deadLetters.GroupBy(t => t, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => ("topic", g.Key, g.LongCount())));
        return text.ToString();

        void Family(string name, string kind, string help, IEnumerable<(string Label, string Value, long Number)> samples)
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {kind}\n");
            foreach (var (label, value, number) in samples)
                text.Append(CultureInfo.InvariantCulture, $"{name}{{{label}=\"{Escape(value)}\"}} {number}\n");
        }
    }

    private static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
