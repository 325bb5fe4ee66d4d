using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Middleware;
using DaprPlatform.Sidecar.Observability;
using Dapr.Proto.Runtime.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Apps;

/// <summary>
/// The way from a sidecar to its app: HTTP or gRPC by --app-protocol, with the app's API token, the handlers of appHttpPipeline, and at most
/// --app-max-concurrency calls under way.
/// </summary>
internal sealed partial class AppChannel : IAsyncDisposable
{
    private readonly SidecarOptions _options;
    private readonly TimeProvider _time;
    private readonly DaprMetrics _metrics;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim? _slots;
    private readonly UpstreamTransport? _http;
    private readonly GrpcChannel? _grpc;
    private readonly CallInvoker? _calls;

    public AppChannel(SidecarOptions options, TimeProvider time, DaprMetrics metrics, ILoggerFactory loggers)
    {
        _options = options;
        _time = time;
        _metrics = metrics;
        _logger = loggers.CreateLogger("dapr.runtime");
        _slots = options.AppMaxConcurrency > 0 ? new SemaphoreSlim(options.AppMaxConcurrency) : null;
        if (options.AppPort is not { } port)
            return;

        var tls = options.AppProtocol is AppProtocol.Https or AppProtocol.Grpcs;
        BaseAddress = new UriBuilder(tls ? "https" : "http", options.AppChannelAddress, port).Uri;
        var connect = options.AppReconnectPatience > TimeSpan.Zero ? new PatientConnect(options.AppReconnectPatience, time) : null;
        switch (options.AppProtocol)
        {
            case AppProtocol.Grpc or AppProtocol.Grpcs:
                GrpcHandler = new AppGrpcHandler(Http2Transport.CreateHandler(tls, connect), options.AppApiToken, _slots, metrics, time);
                _grpc = GrpcChannel.ForAddress(BaseAddress, new GrpcChannelOptions { HttpHandler = GrpcHandler, MaxReceiveMessageSize = null, MaxSendMessageSize = null });
                _calls = _grpc.CreateCallInvoker();
                break;
            case AppProtocol.H2c:
                _http = new Http2Transport(BaseAddress, Http2Transport.CreateHandler(tls, connect));
                break;
            default:
                var security = tls ? new SslClientAuthenticationOptions { TargetHost = options.AppChannelAddress, RemoteCertificateValidationCallback = static (_, _, _, _) => true } : null;
                _http = new Http1Transport(options.AppChannelAddress, port, security, options.ReadBufferSize, connect);
                break;
        }
    }

    /// <summary>The sidecar has an app (--app-port).</summary>
    public bool IsConfigured => BaseAddress is not null;

    public bool IsGrpc => _options.AppProtocol is AppProtocol.Grpc or AppProtocol.Grpcs;

    /// <summary>Null without an app.</summary>
    public Uri? BaseAddress { get; }

    /// <summary>False while app health checks say that the app cannot serve; nothing is sent to it then.</summary>
    public bool IsHealthy { get; set; } = true;

    /// <summary>Handlers of appHttpPipeline.</summary>
    public HttpPipeline Pipeline { get; set; } = HttpPipeline.Empty;

    /// <summary>Calls to a gRPC app. Throws without one.</summary>
    public CallInvoker Grpc => _calls ?? throw new InvalidOperationException("the app does not speak gRPC");

    /// <summary>HTTP/2 to a gRPC app, for calls that are passed on as they are; null for other apps.</summary>
    public HttpMessageHandler? GrpcHandler { get; }

    /// <summary>
    /// Sends a request to an HTTP app and reads the whole answer; a relative URI is below the app's address. Waits for a free slot of --app-max-concurrency first.
    /// </summary>
    /// <exception cref="HttpRequestException">The app does not answer.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var headers = new List<KeyValuePair<string, StringValues>>();
        Collect(request.Headers.NonValidated);
        var body = RequestBody.Empty;
        if (request.Content is { } content)
        {
            body = RequestBody.Of(await content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false));
            Collect(content.Headers.NonValidated);
        }

        var uri = request.RequestUri ?? new Uri("/", UriKind.Relative);
        var target = uri.IsAbsoluteUri ? uri.PathAndQuery : uri.OriginalString;
        if (target is not ['/', ..])
            target = "/" + target;
        try
        {
            await using var answer = await CallAsync(new UpstreamRequest(request.Method.Method, target, headers, body), cancellationToken).ConfigureAwait(false);
            var bytes = await answer.ReadAllAsync(long.MaxValue, cancellationToken).ConfigureAwait(false);
            var response = new HttpResponseMessage((HttpStatusCode)answer.Status) { Content = new ByteArrayContent(bytes), RequestMessage = request };
            foreach (var (name, value) in answer.Headers)
            {
                if (!response.Headers.TryAddWithoutValidation(name, value))
                    response.Content.Headers.TryAddWithoutValidation(name, value);
            }

            return response;
        }
        catch (Exception e) when (e is UpstreamException or IOException or SocketException)
        {
            throw new HttpRequestException(e.Message, e);
        }

        void Collect(HttpHeadersNonValidated from)
        {
            foreach (var (name, values) in from)
            {
                if (!HopByHop.Contains(name) && !name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) && !name.Equals("Host", StringComparison.OrdinalIgnoreCase))
                    headers.Add(KeyValuePair.Create(name, values.Count == 1 ? new StringValues(values.ToString()) : new StringValues([.. values])));
            }
        }
    }

    /// <summary>
    /// Sends a request to an HTTP app; both bodies may be under way when the answer begins. The slot of --app-max-concurrency is held until the answer is disposed of.
    /// </summary>
    /// <exception cref="UpstreamException">The app does not answer.</exception>
    public async ValueTask<UpstreamResponse> CallAsync(UpstreamRequest request, CancellationToken cancellationToken)
    {
        if (_http is null)
            throw new InvalidOperationException("the app does not speak HTTP");
        if (!Pipeline.IsEmpty)
        {
            var passing = new AppMiddlewareRequest(request);
            try
            {
                if (await Pipeline.RunAsync(passing, cancellationToken).ConfigureAwait(false) is { } refusal)
                    return new RefusedResponse(refusal);
            }
            catch (Exception e) when (e is not (OperationCanceledException or RequestBodyException or OutOfMemoryException))
            {
                // Callers know what to do where the app does not answer; whose fault it is does not matter to them.
                throw new UpstreamException(e.Message, connected: true, e);
            }

            request = passing.Request;
        }

        if (_options.AppApiToken is { } token)
        {
            request.Headers.RemoveAll(static h => h.Key.Equals("dapr-api-token", StringComparison.OrdinalIgnoreCase));
            request.Headers.Add(KeyValuePair.Create("dapr-api-token", new StringValues(token)));
        }

        if (_slots is not null)
            await _slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        var start = _time.GetTimestamp();
        try
        {
            var response = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
            return new AppResponse(this, request, response, start);
        }
        catch
        {
            _slots?.Release();
            throw;
        }
    }

    /// <summary>One app health probe: any 2xx, or any answer without error of AppCallbackHealthCheck. It takes no slot and passes no pipeline.</summary>
    public async Task<bool> ProbeAsync(CancellationToken cancellationToken)
    {
        if (_calls is not null)
        {
            try
            {
                await new AppCallbackHealthCheck.AppCallbackHealthCheckClient(_calls).HealthCheckAsync(new Empty(), cancellationToken: cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (RpcException)
            {
                return false;
            }
        }

        var start = _time.GetTimestamp();
        try
        {
            var path = _options.AppHealthCheckPath is ['/', ..] ? _options.AppHealthCheckPath : "/" + _options.AppHealthCheckPath;
            await using var answer = await _http!.SendAsync(new UpstreamRequest("GET", path, [], RequestBody.Empty), cancellationToken).ConfigureAwait(false);
            await answer.ReadAllAsync(long.MaxValue, cancellationToken).ConfigureAwait(false);
            _metrics.Http.Probed(answer.Status, _time.GetElapsedTime(start).TotalMilliseconds);
            return answer.Status is >= 200 and < 300;
        }
        catch (Exception e) when (e is UpstreamException or IOException or SocketException)
        {
            return false;
        }
    }

    /// <summary>Waits until the app's port accepts connections; at once without an app.</summary>
    public async Task WaitUntilListeningAsync(CancellationToken cancellationToken)
    {
        if (_options.AppPort is not { } port)
            return;
        LogWaiting(_options.AppProtocol.ToString().ToLowerInvariant(), port);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(_options.AppChannelAddress, port, cancellationToken).ConfigureAwait(false);
                LogFound(port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(attempt < 50 ? 20 : 100), _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_http is not null)
            await _http.DisposeAsync().ConfigureAwait(false);
        _grpc?.Dispose();
        GrpcHandler?.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "application protocol: {Protocol}. waiting on port {Port}.  This will block until the app is listening on that port.")]
    private partial void LogWaiting(string protocol, int port);

    [LoggerMessage(Level = LogLevel.Information, Message = "application discovered on port {Port}")]
    private partial void LogFound(int port);

    private sealed class AppResponse : UpstreamResponse
    {
        private readonly AppChannel _owner;
        private readonly UpstreamResponse _inner;
        private long _received;
        private bool _disposed;

        public AppResponse(AppChannel owner, UpstreamRequest request, UpstreamResponse inner, long start)
        {
            _owner = owner;
            _inner = inner;
            if (!owner._metrics.Registry.Enabled)
                return;
            var query = request.Target.IndexOf('?', StringComparison.Ordinal);
            owner._metrics.Http.Called(request.Method, query < 0 ? request.Target : request.Target[..query], inner.Status,
                owner._time.GetElapsedTime(start).TotalMilliseconds, request.Body.Length ?? (request.Body as StreamedBody)?.Received ?? 0);
        }

        public override int Status => _inner.Status;

        public override IReadOnlyList<KeyValuePair<string, string>> Headers => _inner.Headers;

        public override long? ContentLength => _inner.ContentLength;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var read = await _inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            _received += read;
            return read;
        }

        public override async ValueTask DisposeAsync()
        {
            if (_disposed)
                return;
            _disposed = true;
            try
            {
                await _inner.DisposeAsync().ConfigureAwait(false);
            }
            finally
            {
                _owner._slots?.Release();
                _owner._metrics.Http.Received(_received);
            }
        }
    }
}
