using System.Net;
using System.Net.Sockets;

namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>HTTP/2 with prior knowledge to one address: apps of protocol h2c, and other sidecars.</summary>
internal sealed class Http2Transport(Uri address, HttpMessageHandler handler, bool ownsHandler = true) : UpstreamTransport
{
    private readonly HttpMessageInvoker _http = new(handler, ownsHandler);

    /// <summary>A handler for HTTP/2 that adds nothing of its own to what it sends.</summary>
    /// <param name="tls">Whatever the certificate.</param>
    /// <param name="connect">Waits for an app that is on its way back; null: nobody waits.</param>
    public static SocketsHttpHandler CreateHandler(bool tls, PatientConnect? connect = null) => new()
    {
        ConnectCallback = connect is null ? null : async (context, cancellationToken) => new NetworkStream(
            await connect.ConnectAsync((socket, token) => socket.ConnectAsync(context.DnsEndPoint, token), cancellationToken).ConfigureAwait(false), ownsSocket: true),
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        AutomaticDecompression = DecompressionMethods.None,
        EnableMultipleHttp2Connections = true,
        ActivityHeadersPropagator = null,
        ConnectTimeout = TimeSpan.FromSeconds(10) + (connect?.Patience ?? TimeSpan.Zero),
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        InitialHttp2StreamWindowSize = 1 << 20,
        RequestHeaderEncodingSelector = static (_, _) => System.Text.Encoding.Latin1,
        ResponseHeaderEncodingSelector = static (_, _) => System.Text.Encoding.Latin1,
        // An app's own certificate is nobody's business but its sidecar's, which is on the same machine.
        SslOptions = { RemoteCertificateValidationCallback = tls ? static (_, _, _, _) => true : null },
    };

    public override async ValueTask<UpstreamResponse> SendAsync(UpstreamRequest request, CancellationToken cancellationToken)
    {
        var content = new BodyContent(request.Body);
        using var message = new HttpRequestMessage(new HttpMethod(request.Method), Target(address, request.Target))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = request.Body.Length == 0 && request.Method is not ("POST" or "PUT" or "PATCH") ? null : content,
        };
        foreach (var (name, values) in request.Headers)
        {
            if (!message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                (message.Content ??= content).Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }

        try
        {
            var response = await _http.SendAsync(message, cancellationToken).ConfigureAwait(false);
            return new Response(response, await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false));
        }
        catch (Exception) when (content.Failure is { } failure)
        {
            throw failure;
        }
        catch (HttpRequestException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Translate(e, $"{request.Method[0]}{request.Method[1..].ToLowerInvariant()} \"{new Uri(address, request.Target)}\": ", address);
        }
    }

    /// <summary>What went wrong, in Go's words where it has some.</summary>
    public static UpstreamException Translate(HttpRequestException e, string prefix, Uri address)
    {
        var refused = e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused };
        var reason = refused ? $"dial tcp {address.Authority}: connect: connection refused"
            : e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded ? "http2: response header list larger than advertised limit"
            : e.InnerException?.Message ?? e.Message;
        return new UpstreamException(prefix + reason, connected: e.HttpRequestError is not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError), e);
    }

    /// <summary>A path and query below an address, left exactly as they are.</summary>
    public static Uri Target(Uri address, string pathAndQuery) =>
        new(address.GetLeftPart(UriPartial.Authority) + pathAndQuery, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });

    public override ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private sealed class BodyContent(RequestBody body) : HttpContent
    {
        /// <summary>The caller's body could not be read.</summary>
        public RequestBodyException? Failure { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            try
            {
                await body.WriteAsync(stream, cancellationToken).ConfigureAwait(false);
            }
            catch (RequestBodyException e)
            {
                Failure = e;
                throw;
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = body.Length ?? 0;
            return body.Length is not null;
        }
    }

    private sealed class Response(HttpResponseMessage response, Stream body) : UpstreamResponse
    {
        private readonly List<KeyValuePair<string, string>> _headers = Collect(response);

        public override int Status => (int)response.StatusCode;

        public override IReadOnlyList<KeyValuePair<string, string>> Headers => _headers;

        public override long? ContentLength => response.Content.Headers.ContentLength;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => body.ReadAsync(buffer, cancellationToken);

        public override ValueTask DisposeAsync()
        {
            response.Dispose();
            return ValueTask.CompletedTask;
        }

        private static List<KeyValuePair<string, string>> Collect(HttpResponseMessage response)
        {
            var headers = new List<KeyValuePair<string, string>>(12);
            foreach (var (name, values) in response.Headers.NonValidated)
            {
                if (HopByHop.Contains(name))
                    continue;
                foreach (var value in values)
                    headers.Add(KeyValuePair.Create(name, value));
            }

            foreach (var (name, values) in response.Content.Headers.NonValidated)
            {
                if (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                    continue;
                foreach (var value in values)
                    headers.Add(KeyValuePair.Create(name, value));
            }

            return headers;
        }
    }
}
