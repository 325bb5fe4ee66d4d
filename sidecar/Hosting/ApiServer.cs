using System.Net;
using System.Text;
using DaprPlatform.Sidecar.Http;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>What a listener of the sidecar is for.</summary>
internal enum ListenerKind
{
    Http,
    Grpc,
    Internal,
    Public,
    Metrics,
    Profile,
}

/// <summary>The servers of one sidecar: Kestrel without a host around it, one listener a port, a handler a kind of listener.</summary>
internal sealed class ApiServer : IHttpApplication<HttpContext>, IAsyncDisposable
{
    private readonly KestrelServer _server;
    private readonly IReadOnlyDictionary<ListenerKind, RequestDelegate> _handlers;
    private readonly ServiceProvider _services;
    private readonly IdleMemory _memory;

    /// <param name="memory">Told of each call.</param>
    public ApiServer(SidecarOptions options, IReadOnlyDictionary<ListenerKind, RequestDelegate> handlers, IdleMemory memory, ILoggerFactory loggers)
    {
        _handlers = handlers;
        _memory = memory;
        _services = new ServiceCollection().AddSingleton(loggers).AddLogging().BuildServiceProvider();
        var kestrel = new KestrelServerOptions { ApplicationServices = _services, AddServerHeader = false, AllowSynchronousIO = false };
        kestrel.Limits.MaxRequestBodySize = options.MaxBodySize;
        // The HTTP API has an answer of its own to a head that is too large; what sidecars add between themselves does not count.
        kestrel.Limits.MaxRequestHeadersTotalSize = options.ReadBufferSize + (64 << 10);
        kestrel.Limits.MaxRequestLineSize = options.ReadBufferSize + (64 << 10);
        kestrel.Limits.MaxRequestHeaderCount = 1000;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.Http2.MaxStreamsPerConnection = 10_000;
        kestrel.Limits.Http2.InitialConnectionWindowSize = 4 << 20;
        kestrel.Limits.Http2.InitialStreamWindowSize = 1 << 20;
        kestrel.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.AllowAlternateSchemes = true;
        var logger = loggers.CreateLogger("dapr.runtime.http");
        var allowHttp2 = options.Variable("DAPR_HTTP_DISABLE_H2C") is null or "false" or "0";
        foreach (var (kind, address, port, protocols) in Listeners(options))
        {
            if (!handlers.ContainsKey(kind))
                continue;
            kestrel.Listen(address, port, listen =>
            {
                listen.Protocols = protocols;
                Tag(listen, kind, allowHttp2, logger);
            });
        }

        foreach (var (kind, path, protocols) in Sockets(options))
        {
            File.Delete(path);
            kestrel.ListenUnixSocket(path, listen =>
            {
                listen.Protocols = protocols;
                Tag(listen, kind, allowHttp2, logger);
            });
        }

        // Kestrel's own log lines are no part of daprd's log; failures of requests are logged where they are handled.
        _server = new KestrelServer(Options.Create(kestrel), new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance), NullLoggerFactory.Instance);
    }

    /// <summary>Starts to listen. Throws <see cref="IOException"/> when a port is taken.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => _server.StartAsync(this, cancellationToken);

    /// <summary>Stops to listen, lets the requests under way end until the token is cancelled.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _server.StopAsync(cancellationToken);

    public HttpContext CreateContext(IFeatureCollection contextFeatures)
    {
        contextFeatures.Get<ClientConnection>()?.Begin(contextFeatures.GetRequiredFeature<IHttpRequestFeature>());
        return new DefaultHttpContext(contextFeatures);
    }

    public Task ProcessRequestAsync(HttpContext context)
    {
        var listener = context.Features.Get<ListenerFeature>()!;
        return listener.Upgrade is { } upgrade && Http2Upgrade.IsOffered(context) ? UpgradeAsync(context, listener.Kind, upgrade) : _handlers[listener.Kind](context);
    }

    public void DisposeContext(HttpContext context, Exception? exception)
    {
        context.Features.Get<ClientConnection>()?.End();
        _memory.Called();
    }

    public async ValueTask DisposeAsync()
    {
        _server.Dispose();
        await _services.DisposeAsync().ConfigureAwait(false);
    }

    private async Task UpgradeAsync(HttpContext context, ListenerKind kind, Upgradable connection)
    {
        if (!await Http2Upgrade.TryRunAsync(context, connection.Connection, connection.Serve).ConfigureAwait(false))
            await _handlers[kind](context).ConfigureAwait(false);
    }

    private static IEnumerable<(ListenerKind Kind, IPAddress Address, int Port, HttpProtocols Protocols)> Listeners(SidecarOptions options)
    {
        // With sockets the two APIs are to be had there only; the ports for peers and operators stay.
        foreach (var address in options.UnixDomainSocket.Length > 0 ? [] : Addresses(options.ListenAddresses))
        {
            yield return (ListenerKind.Http, address, options.HttpPort, HttpProtocols.Http1AndHttp2);
            yield return (ListenerKind.Grpc, address, options.GrpcPort, HttpProtocols.Http2);
        }

        yield return (ListenerKind.Internal, Addresses([options.InternalGrpcListenAddress])[0], options.InternalGrpcPort, HttpProtocols.Http2);
        if (options.PublicPort is { } port)
            yield return (ListenerKind.Public, Addresses([options.PublicListenAddress])[0], port, HttpProtocols.Http1AndHttp2);
        if (options.EnableMetrics)
            yield return (ListenerKind.Metrics, Addresses([options.MetricsListenAddress])[0], options.MetricsPort, HttpProtocols.Http1);
        if (options.EnableProfiling)
            yield return (ListenerKind.Profile, IPAddress.Any, options.ProfilePort, HttpProtocols.Http1);
    }

    private static IEnumerable<(ListenerKind Kind, string Path, HttpProtocols Protocols)> Sockets(SidecarOptions options)
    {
        if (options.UnixDomainSocket.Length == 0)
            yield break;
        yield return (ListenerKind.Http, Path.Combine(options.UnixDomainSocket, $"dapr-{options.AppId}-http.socket"), HttpProtocols.Http1AndHttp2);
        yield return (ListenerKind.Grpc, Path.Combine(options.UnixDomainSocket, $"dapr-{options.AppId}-grpc.socket"), HttpProtocols.Http2);
    }

    private static IPAddress[] Addresses(IReadOnlyList<string> names)
    {
        var addresses = names.Where(n => n.Length > 0).Select(n => n == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(n.Trim('[', ']'), out var ip) ? ip : Dns.GetHostAddresses(n)[0]).ToArray();
        return addresses.Length > 0 ? addresses : [IPAddress.Any];
    }

    private static void Tag(ListenOptions listen, ListenerKind kind, bool allowHttp2, ILogger logger)
    {
        var feature = new ListenerFeature(kind, null);
        listen.Use(next => connection => LastingHeartbeat.ServeAsync(connection, next, TimeProvider.System, logger));
        listen.Use(next => connection =>
        {
            if (listen.Protocols != HttpProtocols.Http1AndHttp2)
            {
                connection.Features.Set(feature);
                return next(connection);
            }

            connection.Features.Set(allowHttp2 ? new ListenerFeature(kind, new Upgradable(connection, upgraded =>
            {
                upgraded.Features.Set(feature);
                return next(upgraded);
            })) : feature);
            return ClientConnection.AcceptAsync(connection, next, allowHttp2);
        });
    }

    /// <param name="Upgrade">Null where HTTP/2 is not to be had by an upgrade.</param>
    private sealed record ListenerFeature(ListenerKind Kind, Upgradable? Upgrade);

    /// <param name="Serve">Serves a connection that has gone over to HTTP/2.</param>
    private sealed record Upgradable(ConnectionContext Connection, ConnectionDelegate Serve);
}
