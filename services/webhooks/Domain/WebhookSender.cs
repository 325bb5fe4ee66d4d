using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace DaprPlatform.Webhooks.Domain;

/// <summary>Brings a signed body to an address.</summary>
internal interface IWebhookSender
{
    Task<Attempt> SendAsync(string url, SignedBody body, CancellationToken cancellationToken);
}

/// <param name="Id">Of the delivery: the same at every attempt, so that the receiver knows one it has had.</param>
internal sealed record SignedBody(string Id, DateTimeOffset At, string Signature, string Body);

/// <param name="Status">Of the answer; 0: there was none.</param>
/// <param name="Error">Null: taken.</param>
internal sealed record Attempt(int Status, string? Error);

/// <summary>
/// Posts over HTTP. The name is looked up here and the connection made to the very address that was checked, so that a name which leads elsewhere a moment later
/// leads nowhere. Redirects are not followed: nobody has checked where to.
/// </summary>
internal sealed class HttpWebhookSender : IWebhookSender, IDisposable
{
    private readonly WebhookOptions _options;
    private readonly TimeProvider _time;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve;
    private readonly HttpClient _http;

    public HttpWebhookSender(WebhookOptions options, TimeProvider time)
        : this(options, time, Dns.GetHostAddressesAsync)
    {
    }

    internal HttpWebhookSender(WebhookOptions options, TimeProvider time, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
    {
        _options = options;
        _time = time;
        _resolve = resolve;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            // A proxy would look the name up by itself.
            UseProxy = false,
            ActivityHeadersPropagator = null,
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
            ConnectCallback = ConnectAsync,
        };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("DaprPlatform-Webhooks/1.0");
    }

    public async Task<Attempt> SendAsync(string url, SignedBody body, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(WebhookOptions.AttemptTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(body.Body, Encoding.UTF8, "application/json") };
        request.Headers.Add("webhook-id", body.Id);
        request.Headers.Add("webhook-timestamp", body.At.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("webhook-signature", body.Signature);
        try
        {
            // What it says beside its status is nobody's business here.
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token);
            var status = (int)response.StatusCode;
            return new Attempt(status, response.IsSuccessStatusCode ? null : string.Create(CultureInfo.InvariantCulture, $"answered {status}"));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Attempt(0, "took too long");
        }
        catch (HttpRequestException e)
        {
            return new Attempt(0, e.InnerException is ForbiddenAddressException forbidden ? forbidden.Message : e.Message);
        }
    }

    public void Dispose() => _http.Dispose();

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint.Host;
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await _resolve(host, cancellationToken);
        if (addresses.Length == 0)
            throw new IOException($"{host} has no address.");
        // One that is not public among them is reason enough.
        if (!_options.AllowPrivate && !Array.TrueForAll(addresses, AddressGuard.IsPublic))
            throw new ForbiddenAddressException(host);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
