using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Bindings.Http;

/// <summary>
/// <c>bindings.http</c>: requests to one server (https://docs.dapr.io/reference/components-reference/supported-bindings/http/). Metadata with a capital first
/// letter are headers of the request; status and headers of the answer come back as metadata.
/// </summary>
internal sealed class HttpBinding(ComponentSpec spec) : IOutputBinding
{
    private const string JsonType = "application/json; charset=utf-8";
    private const long DefaultMaxResponse = 100L << 20;
    private const int MostRedirects = 10;

    private HttpMessageInvoker? _client;
    private bool _errorIfNot2XX;
    private TimeSpan _timeout;
    private long _maxResponse;

    public IReadOnlyList<string> Operations { get; } = ["create", "get", "head", "post", "put", "patch", "delete", "options", "trace"];

    public IReadOnlyList<string> Capabilities { get; } = BindingDirection.IsOutput(spec) ? ["OUTPUT_BINDING"] : [];

    private HttpMessageInvoker Client => _client ?? throw new InvalidOperationException("the component is not initialised");

    public Task InitAsync(CancellationToken cancellationToken)
    {
        _errorIfNot2XX = spec.Flag("errorIfNot2XX", unset: true);
        _timeout = spec.Value("responseTimeout") is { Length: > 0 } text
            ? Durations.TryParseGo(text, out var timeout) ? timeout : throw new ComponentException($"invalid value for responseTimeout: {text}")
            : TimeSpan.Zero;
        _maxResponse = spec.Value("maxResponseBodySize") is { Length: > 0 } size ? Size(size) : DefaultMaxResponse;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            UseProxy = Uri.TryCreate(spec.Value("url"), UriKind.Absolute, out var uri) && !uri.IsLoopback,
        };
        UseCertificates(handler.SslOptions);
        _client = new HttpMessageInvoker(handler);
        return Task.CompletedTask;
    }

    public async ValueTask<BindingResponse?> InvokeAsync(BindingRequest request, CancellationToken cancellationToken)
    {
        var method = request.Operation == "create" ? HttpMethod.Post : new HttpMethod(request.Operation.ToUpperInvariant());
        var target = Target(request.Metadata.GetValueOrDefault("path"));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (_timeout > TimeSpan.Zero)
            limit.CancelAfter(_timeout);
        try
        {
            using var answer = await SendAsync(method, target, request, limit.Token).ConfigureAwait(false);
            var body = await ReadAsync(answer, limit.Token).ConfigureAwait(false);
            var metadata = Metadata(answer);
            var fails = request.Metadata.TryGetValue("errorIfNot2XX", out var own) ? !own.Equals("false", StringComparison.OrdinalIgnoreCase) : _errorIfNot2XX;
            return fails && (int)answer.StatusCode is < 200 or > 299
                ? throw new BindingException($"received status code {(int)answer.StatusCode}", metadata)
                : new BindingResponse(body, metadata);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BindingException($"{Verb(method)} \"{target}\": context deadline exceeded", inner: e);
        }
        catch (HttpRequestException e)
        {
            var reason = e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused } ? $"dial tcp {target.Host}:{target.Port}: connect: connection refused" : e.Message;
            throw new BindingException($"{Verb(method)} \"{target.OriginalString}\": {reason}", inner: e);
        }
    }

    public ValueTask DisposeAsync()
    {
        _client?.Dispose();
        return ValueTask.CompletedTask;
    }

    private Uri Target(string? path)
    {
        var url = spec.Value("url") ?? "";
        if (path is { Length: > 0 })
            url = $"{url.TrimEnd('/')}/{path.TrimStart('/')}";
        return Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : throw new BindingException($"unsupported url \"{url}\"");
    }

    // Redirects are followed here, as Go's client does: it keeps the headers, and makes a GET of everything but what 307 and 308 ask to be repeated.
    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, Uri target, BindingRequest request, CancellationToken cancellationToken)
    {
        var withBody = method.Method is "POST" or "PUT" or "PATCH";
        for (var redirects = 0; ; redirects++)
        {
            using var message = Message(method, target, request, withBody);
            var answer = await Client.SendAsync(message, cancellationToken).ConfigureAwait(false);
            if ((int)answer.StatusCode is not (301 or 302 or 303 or 307 or 308) || answer.Headers.Location is not { } location)
                return answer;
            if (redirects == MostRedirects)
            {
                answer.Dispose();
                throw new BindingException($"{Verb(method)} \"{target}\": stopped after {MostRedirects} redirects");
            }

            if ((int)answer.StatusCode is 301 or 302 or 303 && method.Method is not ("GET" or "HEAD"))
                (method, withBody) = (HttpMethod.Get, false);
            target = new Uri(target, location);
            answer.Dispose();
        }
    }

    private HttpRequestMessage Message(HttpMethod method, Uri target, BindingRequest request, bool withBody)
    {
        var message = new HttpRequestMessage(method, target);
        if (withBody)
        {
            message.Content = new ReadOnlyMemoryContent(request.Data);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", JsonType);
        }

        message.Headers.TryAddWithoutValidation("Accept", JsonType);
        if (spec.Value("securityToken") is { Length: > 0 } token && spec.Value("securityTokenHeader") is { Length: > 0 } header)
            message.Headers.TryAddWithoutValidation(header, token);
        // A header of the caller's own choice does not take the place of the trace.
        foreach (var (name, value) in request.Metadata.OrderBy(static m => IsTrace(m.Key)))
        {
            if (!IsTrace(name) && !(name.Length > 0 && char.IsUpper(name[0])))
                continue;
            if (message.Headers.NonValidated.Contains(name))
                message.Headers.Remove(name);
            if (message.Content is { } content && content.Headers.NonValidated.Contains(name))
                content.Headers.Remove(name);
            if (!message.Headers.TryAddWithoutValidation(name, value))
                message.Content?.Headers.TryAddWithoutValidation(name, value);
        }

        return message;

        static bool IsTrace(string name) => name is "traceparent" or "tracestate" or "baggage";
    }

    // What is longer than allowed is cut off.
    private async Task<ReadOnlyMemory<byte>> ReadAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var stream = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            using var body = new MemoryStream();
            var buffer = new byte[16 << 10];
            while (body.Length < _maxResponse)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, _maxResponse - body.Length)), cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    break;
                body.Write(buffer, 0, read);
            }

            return body.ToArray();
        }
    }

    private static Dictionary<string, string> Metadata(HttpResponseMessage answer)
    {
        var metadata = new Dictionary<string, string>();
        foreach (var (name, values) in Headers(answer.Headers.NonValidated).Concat(Headers(answer.Content.Headers.NonValidated)))
            metadata[Canonical(name)] = values;
        var code = ((int)answer.StatusCode).ToString(CultureInfo.InvariantCulture);
        metadata["statusCode"] = code;
        metadata["status"] = answer.ReasonPhrase is { Length: > 0 } reason ? $"{code} {reason}" : code;
        return metadata;
    }

    private static IEnumerable<(string Name, string Values)> Headers(HttpHeadersNonValidated headers) => headers.Select(h => (h.Key, string.Join(", ", h.Value)));

    // X-Own-Header, as Go writes names of headers.
    private static string Canonical(string name) => string.Create(name.Length, name, static (span, source) =>
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = i == 0 || source[i - 1] == '-' ? char.ToUpperInvariant(source[i]) : char.ToLowerInvariant(source[i]);
    });

    private static string Verb(HttpMethod method) => method.Method[..1] + method.Method[1..].ToLowerInvariant();

    // Bytes, or a quantity such as 100Mi.
    private static long Size(string text)
    {
        ReadOnlySpan<(string Suffix, long Scale)> units = [("Ki", 1L << 10), ("Mi", 1L << 20), ("Gi", 1L << 30), ("k", 1000), ("K", 1000), ("M", 1_000_000), ("G", 1_000_000_000)];
        foreach (var (suffix, scale) in units)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal) && double.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
                return (long)(number * scale);
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) ? bytes : throw new ComponentException($"invalid value for maxResponseBodySize: {text}");
    }

    // MTLSRootCA, MTLSClientCert and MTLSClientKey are PEM, or files that hold it.
    private void UseCertificates(SslClientAuthenticationOptions security)
    {
        try
        {
            if (Pem("MTLSClientCert") is { } certificate && Pem("MTLSClientKey") is { } key)
                security.ClientCertificates = [X509Certificate2.CreateFromPem(certificate, key)];
            if (Pem("MTLSRootCA") is not { } root)
                return;
            var roots = new X509Certificate2Collection();
            roots.ImportFromPem(root);
            security.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            security.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        }
        catch (Exception e) when (e is System.Security.Cryptography.CryptographicException or ArgumentException)
        {
            throw new ComponentException($"invalid certificate: {e.Message}", e);
        }
    }

    private string? Pem(string name)
    {
        if (spec.Value(name) is not { Length: > 0 } value)
            return null;
        if (value.Contains("-----BEGIN", StringComparison.Ordinal))
            return value;
        try
        {
            return File.ReadAllText(value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ComponentException($"provided {name} value is neither a valid file path or nor a valid pem encoded string", e);
        }
    }
}
