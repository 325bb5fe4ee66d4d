using System.Net;
using System.Net.Sockets;
using DaprPlatform.Sidecar.Hosting;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Apps;

/// <summary>
/// The way from a sidecar to its app: HTTP or gRPC by --app-protocol, with the app's API token and at most --app-max-concurrency calls under way.
/// </summary>
internal sealed partial class AppChannel : IAsyncDisposable
{
    private readonly SidecarOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim? _slots;
    private readonly HttpMessageInvoker? _http;
    private readonly GrpcChannel? _grpc;

    public AppChannel(SidecarOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        _options = options;
        _time = time;
        _logger = loggers.CreateLogger("dapr.runtime");
        _slots = options.AppMaxConcurrency > 0 ? new SemaphoreSlim(options.AppMaxConcurrency) : null;
        if (options.AppPort is not { } port)
            return;

        var tls = options.AppProtocol is AppProtocol.Https or AppProtocol.Grpcs;
        BaseAddress = new UriBuilder(tls ? "https" : "http", options.AppChannelAddress, port).Uri;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            EnableMultipleHttp2Connections = true,
            MaxConnectionsPerServer = int.MaxValue,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            ActivityHeadersPropagator = null,
            ConnectTimeout = TimeSpan.FromSeconds(10),
        };
        if (tls)
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
        if (IsGrpc)
            _grpc = GrpcChannel.ForAddress(BaseAddress, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = null, MaxSendMessageSize = null });
        else
            _http = new HttpMessageInvoker(handler);
    }

    /// <summary>The sidecar has an app (--app-port).</summary>
    public bool IsConfigured => BaseAddress is not null;

    public bool IsGrpc => _options.AppProtocol is AppProtocol.Grpc or AppProtocol.Grpcs;

    /// <summary>Null without an app.</summary>
    public Uri? BaseAddress { get; }

    /// <summary>Calls to a gRPC app. Throws without one.</summary>
    public CallInvoker Grpc => (_grpc ?? throw new InvalidOperationException("the app does not speak gRPC")).CreateCallInvoker();

    /// <summary>
    /// Sends a request to an HTTP app; a relative URI is below the app's address. Waits for a free slot of --app-max-concurrency first; the slot is held until
    /// the answer is disposed of.
    /// </summary>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (_http is null)
            throw new InvalidOperationException("the app does not speak HTTP");
        if (request.RequestUri is { IsAbsoluteUri: false } relative)
            request.RequestUri = new Uri(BaseAddress!, relative);
        if (_options.AppProtocol == AppProtocol.H2c)
        {
            request.Version = HttpVersion.Version20;
            request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        }

        if (_options.AppApiToken is { } token)
        {
            request.Headers.Remove("dapr-api-token");
            request.Headers.TryAddWithoutValidation("dapr-api-token", token);
        }

        if (_slots is null)
            return await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);

        await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var response = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
            response.Content = new SlotContent(response.Content, _slots);
            return response;
        }
        catch
        {
            _slots.Release();
            throw;
        }
    }

    /// <summary>Waits until the app's port accepts connections; at once without an app.</summary>
    public async Task WaitUntilListeningAsync(CancellationToken cancellationToken)
    {
        if (_options.AppPort is not { } port)
            return;
        LogWaiting(port);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(_options.AppChannelAddress, port, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(attempt < 50 ? 20 : 100), _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _http?.Dispose();
        _grpc?.Dispose();
        _slots?.Dispose();
        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "application protocol: http. waiting on port {Port}.  This will block until the app is listening on that port.")]
    private partial void LogWaiting(int port);

    // Gives the slot back when the answer's body has been read or given up.
    private sealed class SlotContent : HttpContent
    {
        private readonly HttpContent _inner;
        private SemaphoreSlim? _slots;

        public SlotContent(HttpContent inner, SemaphoreSlim slots)
        {
            _inner = inner;
            _slots = slots;
            foreach (var (name, values) in inner.Headers)
                Headers.TryAddWithoutValidation(name, values);
        }

        protected override Task<Stream> CreateContentReadStreamAsync() => _inner.ReadAsStreamAsync();

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _inner.CopyToAsync(stream, context);

        protected override bool TryComputeLength(out long length)
        {
            length = _inner.Headers.ContentLength ?? 0;
            return _inner.Headers.ContentLength is not null;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _inner.Dispose();
                Interlocked.Exchange(ref _slots, null)?.Release();
            }

            base.Dispose(disposing);
        }
    }
}
