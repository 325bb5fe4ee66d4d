using System.Globalization;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;

namespace DaprPlatform.ServiceDefaults;

/// <summary>What the sidecar speaks with an app.</summary>
public enum AppProtocol
{
    /// <summary>HTTP/1.1 on the app's port.</summary>
    Http,

    /// <summary>gRPC: HTTP/2 without TLS on the app's port; REST is on the other port only.</summary>
    Grpc,
}

internal static class Listeners
{
    /// <summary>Bytes of a request's body.</summary>
    public const long MaxBody = 1024 * 1024;

    public static void AddListeners(this IWebHostBuilder host, IConfiguration configuration, int appPort, int metricsPort, AppProtocol protocol) =>
        host.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBody;
            // On every address in a container; the services of one machine are nobody else's business.
            var everywhere = configuration.GetValue("LISTEN_ON_ALL", false);
            var protocols = protocol == AppProtocol.Grpc ? HttpProtocols.Http2 : HttpProtocols.Http1AndHttp2;
            // Whoever started this process may listen already and lend it the sockets, so that nobody is refused while it is started again.
            if (configuration["APP_PORT_HANDLES"] is { Length: > 0 } handles)
                foreach (var handle in handles.Split(' '))
                    kestrel.ListenHandle(ulong.Parse(handle, CultureInfo.InvariantCulture), options => options.Protocols = protocols);
            else
                Listen(kestrel, configuration.GetValue("APP_PORT", appPort), everywhere, protocols);
            Listen(kestrel, configuration.GetValue("METRICS_PORT", metricsPort), everywhere, HttpProtocols.Http1);
        });

    private static void Listen(KestrelServerOptions kestrel, int port, bool everywhere, HttpProtocols protocols)
    {
        if (everywhere)
            kestrel.ListenAnyIP(port, options => options.Protocols = protocols);
        else if (port == 0)
            kestrel.Listen(System.Net.IPAddress.Loopback, port, options => options.Protocols = protocols);
        else
            kestrel.ListenLocalhost(port, options => options.Protocols = protocols);
    }
}
