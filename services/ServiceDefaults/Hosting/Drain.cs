using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace DaprPlatform.ServiceDefaults;

/// <summary>Not ready any more, from the moment the process is asked to stop.</summary>
internal sealed class DrainState(IHostApplicationLifetime lifetime) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(lifetime.ApplicationStopping.IsCancellationRequested ? HealthCheckResult.Unhealthy("The service is stopping.") : HealthCheckResult.Healthy());
}

/// <summary>
/// Serves on for <c>DRAIN_SECONDS</c> (0) after the process is asked to stop, so that whoever sends calls here has seen that it is not ready and sends them to
/// another replica. Only then are the listeners closed, and what is under way is finished.
/// </summary>
internal sealed class Drain(IConfiguration configuration, TimeProvider time) : IHostedLifecycleService
{
    private readonly TimeSpan _drain = TimeSpan.FromSeconds(Math.Clamp(configuration.GetValue("DRAIN_SECONDS", 0), 0, 60));

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (_drain > TimeSpan.Zero)
            await Task.Delay(_drain, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
