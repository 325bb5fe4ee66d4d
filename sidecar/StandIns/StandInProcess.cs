using System.Runtime.InteropServices;
using DaprPlatform.Sidecar.Hosting;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>
/// The stand-in process of a machine: an engine of its own whose servers are offered on a unix domain socket. It belongs to no sidecar: it survives the
/// signals of a terminal, and ends by itself some minutes after the last connection. Killed, it loses nothing that was acknowledged.
/// </summary>
public static partial class StandInProcess
{
    internal const string Ready = "ready";

    /// <summary>What the process is called; 15 characters at most.</summary>
    internal const string Name = "dapr-stand-in";

    private static readonly TimeSpan IdleLimit = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan LockLimit = TimeSpan.FromSeconds(10);

    /// <summary>Runs <c>stand-in --directory DIR</c> until it is idle or told to end.</summary>
    /// <returns>Exit code: 0 also where another process serves the folder already; 1 after a failure, which is in the log file of the folder.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        if (arguments is not ["--directory", var directory])
        {
            await Console.Error.WriteLineAsync("usage: stand-in --directory DIR").ConfigureAwait(false);
            return 2;
        }

        var files = new StandInFiles(Path.GetFullPath(directory));
        Directory.CreateDirectory(files.Directory);
        if (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS())
            _ = NewSession();
        TakeName();
        using var own = await LockAsync(files).ConfigureAwait(false);
        if (own is null)
            return 0;
        try
        {
            await ServeAsync(files).ConfigureAwait(false);
            return 0;
        }
        catch (Exception e)
        {
            await File.AppendAllTextAsync(files.Log, $"{DateTimeOffset.UtcNow:O} {e}{Environment.NewLine}").ConfigureAwait(false);
            return 1;
        }
    }

    // It runs the executable of a sidecar and is none: `dapr list` takes every process called daprd for one.
    private static void TakeName()
    {
        try
        {
            if (OperatingSystem.IsLinux())
                File.WriteAllText("/proc/self/comm", Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without /proc there is no list of processes either.
        }
    }

    // The last process may be about to end; one that answers has the folder for good.
    private static async Task<FileStream?> LockAsync(StandInFiles files)
    {
        for (var end = TimeProvider.System.GetUtcNow() + LockLimit; TimeProvider.System.GetUtcNow() < end;)
        {
            if (StandInLauncher.TryLock(files.Lock) is { } own)
                return own;
            if (await StandInLauncher.TryConnectAsync(files.Socket, CancellationToken.None).ConfigureAwait(false) is { } other)
            {
                await other.DisposeAsync().ConfigureAwait(false);
                return null;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20)).ConfigureAwait(false);
        }

        return null;
    }

    private static async Task ServeAsync(StandInFiles files)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            ended.TrySetResult();
        });
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, static context => context.Cancel = true);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, static context => context.Cancel = true);

        await using var engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = files.Data }).ConfigureAwait(false);
        var options = new GrpcServiceOptions { MaxReceiveMessageSize = null, MaxSendMessageSize = null, EnableDetailedErrors = true };
        await using var server = new Server(files.Socket, [.. StandInKinds.All.Select(kind => kind.Serve((LocalStandIns)engine.StandIns, options))], () => ended.TrySetResult());
        await server.StartAsync().ConfigureAwait(false);
        Console.WriteLine(Ready);
        await ended.Task.ConfigureAwait(false);
        await server.StopAsync().ConfigureAwait(false);
    }

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int NewSession();

    private sealed class Server : IHttpApplication<HttpContext>, IAsyncDisposable
    {
        private readonly GrpcMethodTable[] _tables;
        private readonly KestrelServer _kestrel;
        private readonly ServiceProvider _services;
        private readonly ITimer _idle;
        private readonly string _socket;
        private int _connections;

        public Server(string socket, GrpcMethodTable[] tables, Action onIdle)
        {
            _socket = socket;
            _tables = tables;
            _idle = TimeProvider.System.CreateTimer(_ => onIdle(), null, IdleLimit, Timeout.InfiniteTimeSpan);
            _services = new ServiceCollection().AddLogging().BuildServiceProvider();
            var options = new KestrelServerOptions { ApplicationServices = _services, AddServerHeader = false };
            options.Limits.MaxRequestBodySize = null;
            options.Limits.MinRequestBodyDataRate = null;
            options.Limits.MinResponseDataRate = null;
            options.Limits.KeepAliveTimeout = TimeSpan.MaxValue;
            options.Limits.Http2.MaxStreamsPerConnection = int.MaxValue;
            options.Limits.Http2.InitialConnectionWindowSize = 16 << 20;
            options.Limits.Http2.InitialStreamWindowSize = 4 << 20;
            File.Delete(socket);
            options.ListenUnixSocket(socket, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(Counted);
            });
            _kestrel = new KestrelServer(Options.Create(options), new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance), NullLoggerFactory.Instance);
        }

        public async Task StartAsync()
        {
            await _kestrel.StartAsync(this, CancellationToken.None).ConfigureAwait(false);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(_socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        public async Task StopAsync()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            await _kestrel.StopAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context)
        {
            var path = context.Request.Path.Value ?? "";
            foreach (var table in _tables)
            {
                if (table.TryGet(path, out var handler))
                    return handler(context);
            }

            return GrpcProtocol.WriteStatus(context, new Status(StatusCode.Unimplemented, $"the stand-in does not know {path}"), null);
        }

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }

        public async ValueTask DisposeAsync()
        {
            _kestrel.Dispose();
            await _idle.DisposeAsync().ConfigureAwait(false);
            await _services.DisposeAsync().ConfigureAwait(false);
        }

        private ConnectionDelegate Counted(ConnectionDelegate next) => async connection =>
        {
            if (Interlocked.Increment(ref _connections) == 1)
                _idle.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                if (Interlocked.Decrement(ref _connections) == 0)
                    _idle.Change(IdleLimit, Timeout.InfiniteTimeSpan);
            }
        };
    }
}
