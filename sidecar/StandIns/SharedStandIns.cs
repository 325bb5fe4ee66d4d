using System.Collections.Concurrent;
using System.Net;
using DaprPlatform.Sidecar.Hosting;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.StandIns;

/// <summary>
/// Clients of the machine's stand-in process. There is one connection; making it starts the process where none runs, so a call after the process was killed
/// starts it again. A call that was under way then fails as Unavailable: each client knows whether it may be repeated.
/// </summary>
internal sealed class SharedStandIns : IStandIns
{
    private readonly ConcurrentDictionary<(string Kind, string Address), object> _clients = new();
    private readonly GrpcChannel _channel;
    private readonly StandInConnection _connection;

    public SharedStandIns(EngineOptions options)
    {
        var launcher = new StandInLauncher(options);
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) => await launcher.ConnectAsync(cancellationToken).ConfigureAwait(false),
            // The process ends by itself when nobody is connected: an idle sidecar still is.
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            EnableMultipleHttp2Connections = false,
            InitialHttp2StreamWindowSize = 4 << 20,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
        };
        _channel = GrpcChannel.ForAddress("http://stand-in", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = null, MaxSendMessageSize = null });
        _connection = new StandInConnection(_channel.CreateCallInvoker(), options.Loggers.CreateLogger("dapr.runtime.standins"));
    }

    public ValueTask<T> GetAsync<T>(StandInKind<T> kind, string address, CancellationToken cancellationToken = default) where T : class =>
        ValueTask.FromResult((T)_clients.GetOrAdd((kind.Name, address), _ => kind.Connect(_connection, address)));

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients.Values.OfType<IAsyncDisposable>())
            await client.DisposeAsync().ConfigureAwait(false);
        _channel.Dispose();
    }
}
