using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resources;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// One sidecar: an app id with its ports and its view of the engine. Start-up order is daprd's: components, APIs, then the app is waited for and asked for
/// its subscriptions; the APIs answer before the app is there, <see cref="IsHealthy"/> is true once it is.
/// </summary>
public sealed partial class DaprSidecar : IAsyncDisposable
{
    private const int FirstFreePort = 20000;
    private const int LastFreePort = 32700;
    private static int _freePorts = Random.Shared.Next();
    private static readonly TimeSpan PortPatience = TimeSpan.FromSeconds(6);

    // For closing what can be closed once the time for deliveries is over; one that hangs must not keep the sidecar.
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);
    private readonly SidecarRuntime _runtime;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _healthy = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ApiServer? _server;
    private HealthApi? _health;
    private Task _initialising = Task.CompletedTask;
    private IDisposable? _registration;
    private HotReload? _reload;
    private int _stopped;

    /// <param name="loggers">Null logs nothing.</param>
    public DaprSidecar(Engine engine, SidecarOptions options, ILoggerFactory? loggers = null)
    {
        loggers ??= NullLoggerFactory.Instance;
        // Other processes are told the port before it is listened on, so it has to be known.
        Options = options.InternalGrpcPort != 0 ? options : options with { InternalGrpcPort = FreePort() };
        _logger = loggers.CreateLogger("dapr.runtime");
        _runtime = new SidecarRuntime(engine, Options, loggers);
    }

    public SidecarOptions Options { get; }

    /// <summary>True once components, APIs and the app are up; what <c>GET /v1.0/healthz</c> answers 204 for.</summary>
    public bool IsHealthy => _health?.Ready == true;

    /// <summary>Components loaded, with what stands for each.</summary>
    public IReadOnlyList<LoadedComponent> Components => [.. _runtime.Components.Loaded];

    /// <summary>Completes when something asked the sidecar to shut down (<c>POST /v1.0/shutdown</c>); true: at once.</summary>
    public Task<bool> ShutdownRequested => _runtime.Shutdown.Requested;

    internal SidecarRuntime Runtime => _runtime;

    /// <summary>
    /// A port that nobody listens on at the moment. It is below those that the system gives to outgoing connections: of those one might be taken before it is
    /// listened on. No two calls of a process are answered alike until all are through.
    /// </summary>
    internal static int FreePort()
    {
        for (var tries = 0; tries < LastFreePort - FirstFreePort; tries++)
        {
            var port = FirstFreePort + (int)((uint)Interlocked.Increment(ref _freePorts) % (LastFreePort - FirstFreePort));
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody else's.
            }
        }

        throw new IOException("no port is free");
    }

    /// <summary>Loads everything and starts the APIs. The app is waited for in the background.</summary>
    /// <exception cref="SidecarException">A resource, a component or a port is not usable; the message is daprd's.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        var clock = Stopwatch.StartNew();
        LogStarting(SidecarRuntime.DaprVersion);
        LogStandalone();
        LogAppId(Options.AppId);
        if (Options.PlacementHostAddress.Length == 0)
            LogNoActors();
        try
        {
            await _runtime.LoadAsync(cancellationToken).ConfigureAwait(false);
            _health = _runtime.Block<HealthApi>();
            _server = new ApiServer(Options, Handlers(), IdleMemory.Of(_runtime.Engine), _runtime.Loggers);
            await ListenAsync(_server, cancellationToken).ConfigureAwait(false);
            _registration = _runtime.Engine.Apps.Register(_runtime, _runtime.InternalAddress);
        }
        catch (IOException e) when (e.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            throw new SidecarException(Taken(e.Message), e);
        }
        catch (Exception e) when (e is ResourceException or ComponentException or IOException or Storage.StoreException)
        {
            throw new SidecarException(e.Message, e);
        }

        LogHttp(Options.HttpPort);
        LogGrpc(Options.GrpcPort);
        if (Options.EnableMetrics)
            LogMetrics(Options.MetricsListenAddress, Options.MetricsPort);
        _health.OutboundReady = true;
        _reload = HotReload.Start(_runtime);
        _initialising = InitialiseAsync(clock);
    }

    /// <summary>Completes when <see cref="IsHealthy"/> is first true.</summary>
    public Task WaitUntilHealthyAsync(CancellationToken cancellationToken = default) => _healthy.Task.WaitAsync(cancellationToken);

    /// <summary>
    /// --dapr-block-shutdown-duration: the APIs and invocation go on, messages and input bindings stop. Completes when the duration is over, when the app has
    /// become unhealthy, or with the token.
    /// </summary>
    public async Task BlockShutdownAsync(CancellationToken cancellationToken)
    {
        if (Options.BlockShutdown <= TimeSpan.Zero)
            return;
        LogBlocking(Durations.FormatGo(Options.BlockShutdown));
        _runtime.Lifecycle.Pause();
        var unhealthy = _runtime.Lifecycle.Unhealthy;
        if (await Task.WhenAny(Task.Delay(Options.BlockShutdown, _runtime.Time, cancellationToken), unhealthy).ConfigureAwait(false) == unhealthy)
            LogUnblockedByApp();
        else
            LogUnblocked();
    }

    /// <summary>Stops taking work, finishes what is under way within <see cref="SidecarOptions.GracefulShutdown"/>, and closes the ports.</summary>
    /// <returns>False when the time was not enough.</returns>
    public async Task<bool> StopAsync(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _stopped, 1) != 0)
            return true;
        LogStopping();
        _registration?.Dispose();
        await _stopping.CancelAsync().ConfigureAwait(false);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Options.GracefulShutdown);
        var inTime = true;
        try
        {
            await _initialising.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _runtime.BeginStopAsync().ConfigureAwait(false);
            // A change of the resources under way may wait for a delivery, so it has no more time than the deliveries have.
            if (_reload is not null)
                await _reload.DisposeAsync().AsTask().WaitAsync(limit.Token).ConfigureAwait(false);
            await _runtime.Lifecycle.StopAsync().WaitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            inTime = false;
        }
        catch (Exception e)
        {
            // Whatever does not end as it should, the rest is closed all the same.
            LogStopFailed(e.ToString());
        }

        if (_server is not null)
        {
            await _server.StopAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            inTime &= !limit.IsCancellationRequested;
            await CloseServerAsync(_server).ConfigureAwait(false);
        }

        if (!inTime)
            LogTimeout();
        var disposed = _runtime.DisposeAsync().AsTask();
        if (inTime)
        {
            await disposed.ConfigureAwait(false);
            LogStopped();
        }
        else
        {
            await disposed.WaitAsync(LastWords).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return inTime;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task CloseServerAsync(ApiServer server)
    {
        try
        {
            await server.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Kestrel fails once more with what its stop has failed with; its ports are closed.
            LogStopFailed(e.ToString());
        }
    }

    private async Task InitialiseAsync(Stopwatch clock)
    {
        try
        {
            await _runtime.App.WaitUntilListeningAsync(_stopping.Token).ConfigureAwait(false);
            await _runtime.Block<Mcp.McpApi>().ConnectAsync(_stopping.Token).ConfigureAwait(false);
            await _runtime.Lifecycle.StartAsync(_stopping.Token).ConfigureAwait(false);
            _health!.Ready = true;
            LogInitialized(clock.ElapsedMilliseconds);
            _healthy.TrySetResult();
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            _healthy.TrySetCanceled();
        }
        catch (Exception e)
        {
            LogFatal(e.Message);
            _healthy.TrySetException(new SidecarException(e.Message, e));
            _runtime.Shutdown.Fail(e);
        }
    }

    // daprd's words for each server, and which port it was.
    private string Taken(string reason)
    {
        bool Names(int port) => reason.Contains($":{port}:", StringComparison.Ordinal) || reason.Contains($":{port} ", StringComparison.Ordinal);
        return Names(Options.HttpPort) ? $"failed to start HTTP server: could not listen on any endpoint: {reason}"
            : Names(Options.GrpcPort) ? $"failed to start API gRPC server: could not listen on any endpoint: {reason}"
            : Names(Options.InternalGrpcPort) ? $"failed to start internal gRPC server: could not listen on any endpoint: {reason}"
            : Names(Options.MetricsPort) ? $"failed to listen on {Options.MetricsListenAddress}:{Options.MetricsPort}: {reason}"
            : reason;
    }

    // A port may still be held by a sidecar that is just ending.
    private async Task ListenAsync(ApiServer server, CancellationToken cancellationToken)
    {
        for (var start = _runtime.Time.GetTimestamp(); ;)
        {
            try
            {
                await server.StartAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (IOException e) when (_runtime.Time.GetElapsedTime(start) < PortPatience)
            {
                LogPortTaken(e.Message);
                await server.DisposeAsync().ConfigureAwait(false);
                await Task.Delay(TimeSpan.FromMilliseconds(250), _runtime.Time, cancellationToken).ConfigureAwait(false);
                _server = server = new ApiServer(Options, Handlers(), IdleMemory.Of(_runtime.Engine), _runtime.Loggers);
            }
        }
    }

    private Dictionary<ListenerKind, RequestDelegate> Handlers()
    {
        var http = new HttpApi(_runtime);
        var grpc = new GrpcApi(_runtime);
        return new Dictionary<ListenerKind, RequestDelegate>
        {
            [ListenerKind.Http] = http.HandleAsync,
            [ListenerKind.Grpc] = grpc.HandleAsync,
            [ListenerKind.Internal] = grpc.HandleInternalAsync,
            [ListenerKind.Public] = http.HandlePublicAsync,
            [ListenerKind.Metrics] = _runtime.MetricsAsync,
            [ListenerKind.Profile] = static context =>
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            },
        };
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Starting Dapr Runtime -- version {Version} -- commit embedded")]
    private partial void LogStarting(string version);

    [LoggerMessage(Level = LogLevel.Information, Message = "standalone mode configured")]
    private partial void LogStandalone();

    [LoggerMessage(Level = LogLevel.Information, Message = "Actor runtime disabled")]
    private partial void LogNoActors();

    [LoggerMessage(Level = LogLevel.Information, Message = "app id: {AppId}")]
    private partial void LogAppId(string appId);

    [LoggerMessage(Level = LogLevel.Information, Message = "HTTP server is running on port {Port}")]
    private partial void LogHttp(int port);

    [LoggerMessage(Level = LogLevel.Information, Message = "metrics server started on {Address}:{Port}/")]
    private partial void LogMetrics(string address, int port);

    [LoggerMessage(Level = LogLevel.Information, Message = "API gRPC server is running on port {Port}")]
    private partial void LogGrpc(int port);

    [LoggerMessage(Level = LogLevel.Information, Message = "dapr initialized. Status: Running. Init Elapsed {Milliseconds}ms")]
    private partial void LogInitialized(long milliseconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Failed to listen: {Reason}; trying again")]
    private partial void LogPortTaken(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Fatal error from runtime: {Reason}")]
    private partial void LogFatal(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Blocking graceful shutdown for {Duration} or until app reports unhealthy...")]
    private partial void LogBlocking(string duration);

    [LoggerMessage(Level = LogLevel.Information, Message = "Block shutdown period expired, entering shutdown...")]
    private partial void LogUnblocked();

    [LoggerMessage(Level = LogLevel.Information, Message = "App reported unhealthy, entering shutdown...")]
    private partial void LogUnblockedByApp();

    [LoggerMessage(Level = LogLevel.Information, Message = "Dapr is shutting down")]
    private partial void LogStopping();

    [LoggerMessage(Level = LogLevel.Error, Message = "Failed to shut down everything gracefully: {Reason}")]
    private partial void LogStopFailed(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Daprd shutdown gracefully")]
    private partial void LogStopped();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Graceful shutdown timeout exceeded, forcing shutdown")]
    private partial void LogTimeout();
}

/// <summary>A sidecar cannot start; the message says why, as daprd would.</summary>
public sealed class SidecarException(string message, Exception inner) : Exception(message, inner);
