using System.Text.Json.Nodes;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Hosting;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Apps;

/// <summary>
/// When the app is there, and when it is well: asks it for its configuration, tells the building blocks, and with --enable-app-health-check probes it
/// (https://docs.dapr.io/developing-applications/building-blocks/observability/app-health/). A probed app counts as unhealthy until it first answers well; then
/// again after as many failures in a row as the threshold says. While it is unhealthy nothing is sent to it.
/// </summary>
internal sealed partial class AppLifecycle(SidecarRuntime runtime)
{
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime");
    private readonly Channel<bool> _changes = Channel.CreateUnbounded<bool>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _stopping = new();
    private volatile TaskCompletionSource _unhealthy = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _probing = Task.CompletedTask;
    private Task _telling = Task.CompletedTask;
    private Task _going = Task.CompletedTask;
    private readonly Lock _lock = new();
    private volatile bool _paused;
    private bool _told;

    /// <summary>What the app answered to <c>GET /dapr/config</c>; null where it has nothing to say, and for gRPC apps.</summary>
    public JsonObject? Configuration { get; private set; }

    /// <summary>Completes when a probed app is unhealthy; at once where it is, or has never been well.</summary>
    public Task Unhealthy => _unhealthy.Task;

    /// <summary>The app listens. Completes when the building blocks are told; with health checks at once.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!runtime.Options.EnableAppHealthCheck || !runtime.App.IsConfigured)
        {
            await ReadyAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        _unhealthy.TrySetResult();
        _telling = TellAsync();
        _probing = ProbeAsync(_stopping.Token);
    }

    /// <summary>No more probes; the building blocks send nothing to the app from now on.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _probing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _changes.Writer.TryComplete();
        await _telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await GoneAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// As <see cref="StopAsync"/>, but the app's health stays under watch: a blocked shutdown ends with it. Does not wait for what is under way, and nothing new
    /// is begun when the app becomes well again.
    /// </summary>
    public void Pause()
    {
        _paused = true;
        _ = GoneAsync();
        _ = runtime.PauseAsync();
    }

    private async Task ProbeAsync(CancellationToken cancellationToken)
    {
        var options = runtime.Options;
        var (healthy, failures) = (false, 0);
        using var timer = new PeriodicTimer(options.AppHealthProbeInterval, runtime.Time);
        do
        {
            var well = await IsWellAsync(options.AppHealthProbeTimeout, cancellationToken).ConfigureAwait(false);
            if (cancellationToken.IsCancellationRequested)
                return;
            failures = well ? 0 : failures + 1;
            if (well == healthy || (!well && failures < options.AppHealthThreshold))
                continue;
            healthy = well;
            runtime.App.IsHealthy = healthy;
            if (healthy)
            {
                if (_unhealthy.Task.IsCompleted)
                    _unhealthy = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                LogHealthy();
            }
            else
            {
                LogUnhealthy();
                _unhealthy.TrySetResult();
            }

            _changes.Writer.TryWrite(healthy);
        }
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false));
    }

    private async Task<bool> IsWellAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeout, runtime.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await runtime.App.ProbeAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    // In order and one at a time, however long a building block takes; the probes go on meanwhile.
    private async Task TellAsync()
    {
        await foreach (var healthy in _changes.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                if (!healthy)
                    await GoneAsync().ConfigureAwait(false);
                else if (!_paused)
                    await ReadyAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogFailed(healthy ? "begin" : "stop", e);
                runtime.Shutdown.Fail(e);
            }
        }
    }

    private async Task ReadyAsync(CancellationToken cancellationToken)
    {
        Configuration = await ConfigurationAsync(cancellationToken).ConfigureAwait(false);
        lock (_lock)
            _told = true;
        await runtime.AppReadyAsync(cancellationToken).ConfigureAwait(false);
        if (_paused)
            await GoneAsync().ConfigureAwait(false);
    }

    // Completes when nothing is under way any more, whoever began it.
    private Task GoneAsync()
    {
        lock (_lock)
        {
            if (!_told)
                return _going;
            _told = false;
            return _going = runtime.AppGoneAsync();
        }
    }

    private async Task<JsonObject?> ConfigurationAsync(CancellationToken cancellationToken)
    {
        if (!runtime.App.IsConfigured || runtime.App.IsGrpc)
            return null;
        if (runtime.Options.DisableInitEndpoints.Contains("config"))
        {
            LogSkipped();
            return null;
        }

        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/dapr/config") { Content = new ByteArrayContent([]) };
            request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
            request.Headers.TryAddWithoutValidation("dapr-app-id", runtime.Options.AppId);
            using var response = await runtime.App.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if ((int)response.StatusCode != 200)
                return null;
            return JsonNode.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false), new JsonNodeOptions { PropertyNameCaseInsensitive = true }) as JsonObject;
        }
        catch (Exception e) when (e is HttpRequestException or System.Text.Json.JsonException)
        {
            LogNoConfiguration(e.Message);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "App entered healthy status")]
    private partial void LogHealthy();

    [LoggerMessage(Level = LogLevel.Warning, Message = "App entered un-healthy status")]
    private partial void LogUnhealthy();

    [LoggerMessage(Level = LogLevel.Error, Message = "cannot {What} what the app is needed for")]
    private partial void LogFailed(string what, Exception error);

    [LoggerMessage(Level = LogLevel.Information, Message = "Skipping programmatic dapr configuration loading")]
    private partial void LogSkipped();

    [LoggerMessage(Level = LogLevel.Warning, Message = "failed to load application configuration: {Reason}")]
    private partial void LogNoConfiguration(string reason);
}
