using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace DaprPlatform.ServiceDefaults;

internal static class Telemetry
{
    // The worker of workflows makes a span only for somebody who listens; without one the trace of an order would end where its workflow begins.
    private static readonly ActivityListener Workflows = new()
    {
        ShouldListenTo = static source => source.Name == "Dapr.Workflow",
        Sample = static (ref ActivityCreationOptions<ActivityContext> options) =>
            (options.Parent.TraceFlags & ActivityTraceFlags.Recorded) != 0 ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.PropagationData,
    };

    public static void AddTelemetry(this IServiceCollection services, IConfiguration configuration, ILoggingBuilder logging, string appId)
    {
        Activity.DefaultIdFormat = ActivityIdFormat.W3C;
        ActivitySource.AddActivityListener(Workflows);
        logging.Configure(options => options.ActivityTrackingOptions = ActivityTrackingOptions.TraceId | ActivityTrackingOptions.SpanId);
        // One line per request and statement is what traces and metrics are for.
        logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
            .AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Warning)
            .AddFilter("System.Net.Http", LogLevel.Warning)
            .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None)
            // Every failure is logged by the one who answers for it.
            .AddFilter("Microsoft.AspNetCore.Diagnostics.ExceptionHandlerMiddleware", LogLevel.None);
        if (string.Equals(configuration["LOG_FORMAT"], "simple", StringComparison.OrdinalIgnoreCase))
            logging.AddSimpleConsole(console => console.SingleLine = true);
        else
            logging.AddJsonConsole(console =>
            {
                console.UseUtcTimestamp = true;
                console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ";
                console.IncludeScopes = true;
            });
        if (configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is { Length: > 0 })
            services.AddHostedService(_ => new Tracing(appId));
    }

    /// <summary>Sends spans to <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>. Without it spans are made, so that the trace goes on, and not kept.</summary>
    private sealed class Tracing(string appId) : IHostedService
    {
        private TracerProvider? _provider;

        public Task StartAsync(CancellationToken cancellationToken)
        {
            _provider = Sdk.CreateTracerProviderBuilder()
                .ConfigureResource(resource => resource.AddService(appId))
                .AddSource("Microsoft.AspNetCore", "System.Net.Http", "Npgsql", "Dapr.Workflow", "DaprPlatform.*")
                .AddOtlpExporter()
                .Build();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken)
        {
            _provider?.Dispose();
            return Task.CompletedTask;
        }
    }
}
