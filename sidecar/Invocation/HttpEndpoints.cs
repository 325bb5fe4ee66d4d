using System.Collections.Concurrent;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.Secrets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// Targets that are no apps: HTTPEndpoint resources (https://docs.dapr.io/reference/resource-specs/httpendpoints-schema/) and absolute URLs. They are called
/// without another sidecar, with the headers and the certificates of the resource.
/// </summary>
internal sealed partial class HttpEndpoints : IAsyncDisposable
{
    private const int MaxHeaderBytes = 1 << 20;
    private readonly Dictionary<string, Endpoint> _named = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, UpstreamTransport> _addresses = new(StringComparer.OrdinalIgnoreCase);
    private readonly ILogger _logger;

    private HttpEndpoints(ILogger logger) => _logger = logger;

    public IEnumerable<string> Names => _named.Keys.Order(StringComparer.Ordinal);

    public static async Task<HttpEndpoints> CreateAsync(IEnumerable<Resource> resources, ComponentCatalog components, ILogger logger, CancellationToken cancellationToken)
    {
        var endpoints = new HttpEndpoints(logger);
        foreach (var resource in resources.Where(r => r.Kind == "HTTPEndpoint"))
        {
            try
            {
                endpoints._named[resource.Name] = await endpoints.LoadAsync(resource, components, cancellationToken).ConfigureAwait(false);
                endpoints.LogLoaded(resource.Name);
            }
            catch (Exception e) when (e is ResourceException or UriFormatException or System.Security.Cryptography.CryptographicException)
            {
                endpoints.LogFailed(resource.Name, e.Message);
            }
        }

        return endpoints;
    }

    /// <summary>Whether an id is a target of this kind.</summary>
    public bool IsEndpoint(string id) => _named.ContainsKey(id) || IsUrl(id);

    public bool IsNamed(string id) => _named.ContainsKey(id);

    public static bool IsUrl(string id) => id.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || id.StartsWith("https://", StringComparison.OrdinalIgnoreCase);

    /// <exception cref="InvocationException">It does not answer.</exception>
    public async ValueTask<InvocationResponse> CallAsync(string id, InvocationRequest request, CancellationToken cancellationToken)
    {
        if (!_named.TryGetValue(id, out var endpoint))
        {
            if (!Uri.TryCreate(id, UriKind.Absolute, out var url))
                throw new InvocationException(Grpc.Core.StatusCode.InvalidArgument, $"invalid URL {id}");
            endpoint = new Endpoint(url, [], TransportOf(url));
        }

        var headers = new List<KeyValuePair<string, StringValues>>(request.Headers.Count + endpoint.Headers.Count + 4);
        foreach (var header in request.Headers)
        {
            if (!endpoint.Headers.Any(h => h.Key.Equals(header.Key, StringComparison.OrdinalIgnoreCase)))
                headers.Add(header);
        }

        headers.AddRange(endpoint.Headers);
        if (request.ContentType.Length > 0)
            headers.Add(KeyValuePair.Create("Content-Type", new StringValues(request.ContentType)));
        request.Trace.AddTo(headers);
        var target = endpoint.Address.AbsolutePath.TrimEnd('/') + MethodPath.Encode(request.Method, request.Query);
        try
        {
            return new HttpInvocationResponse(await endpoint.Transport.SendAsync(new UpstreamRequest(request.Verb, target, headers, request.Body), cancellationToken).ConfigureAwait(false));
        }
        catch (UpstreamException e)
        {
            throw new InvocationException(Grpc.Core.StatusCode.Unavailable, e.Message, e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var transport in _named.Values.Select(e => e.Transport).Concat(_addresses.Values))
            await transport.DisposeAsync().ConfigureAwait(false);
    }

    private UpstreamTransport TransportOf(Uri url) => _addresses.GetOrAdd(url.GetLeftPart(UriPartial.Authority), static (_, u) => Connect(u, null), url);

    private static Http1Transport Connect(Uri url, SslClientAuthenticationOptions? tls)
    {
        if (url.Scheme == Uri.UriSchemeHttps)
        {
            tls ??= new SslClientAuthenticationOptions();
            tls.TargetHost = url.Host;
        }
        else
        {
            tls = null;
        }

        return new Http1Transport(url.Host, url.Port, tls, MaxHeaderBytes) { HostHeader = url.IsDefaultPort ? url.Host : url.Authority };
    }

    private async Task<Endpoint> LoadAsync(Resource resource, ComponentCatalog components, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(resource.Spec.Text("baseUrl"), UriKind.Absolute, out var url) || !IsUrl(url.AbsoluteUri))
            throw new ResourceException($"baseUrl \"{resource.Spec.Text("baseUrl")}\" is not an http or https URL");
        var store = resource.Document.Object("auth")?.Text("secretStore") ?? "";
        var headers = new List<KeyValuePair<string, StringValues>>();
        foreach (var header in (resource.Spec.Array("headers") ?? []).OfType<JsonObject>())
            headers.Add(KeyValuePair.Create(header.Text("name") ?? "", new StringValues(await ValueAsync(header).ConfigureAwait(false))));

        SslClientAuthenticationOptions? tls = null;
        if (resource.Spec.Object("clientTLS") is { } client)
        {
            tls = new SslClientAuthenticationOptions();
            if (client.Object("rootCA") is { } root)
            {
                var roots = new X509Certificate2Collection();
                roots.ImportFromPem(await ValueAsync(root).ConfigureAwait(false));
                tls.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                tls.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
            }

            if (client.Object("certificate") is { } certificate && client.Object("privateKey") is { } key)
            {
                var (certificatePem, keyPem) = (await ValueAsync(certificate).ConfigureAwait(false), await ValueAsync(key).ConfigureAwait(false));
                using var pem = X509Certificate2.CreateFromPem(certificatePem, keyPem);
                // A key that came as PEM must be stored once before TLS can use it on every platform.
                tls.ClientCertificates = [X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null)];
            }

            tls.AllowRenegotiation = client.Text("renegotiation") is "RenegotiateOnceAsClient" or "RenegotiateFreelyAsClient";
        }

        return new Endpoint(url, headers, Connect(url, tls));

        async ValueTask<string> ValueAsync(JsonObject item)
        {
            if (item.Object("secretKeyRef") is not { } secret)
                return item.Text("value") ?? "";
            var name = secret.Text("name") ?? "";
            if (!components.TryGet<ISecretStore>(store, out var secrets))
                throw new ResourceException($"the secret store \"{store}\" is not there");
            try
            {
                var values = await secrets.GetAsync(name, new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
                return values?.GetValueOrDefault(secret.Text("key") ?? name) ?? "";
            }
            catch (SecretNotFoundException e)
            {
                throw new ResourceException(e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "HTTPEndpoint loaded: {Name}")]
    private partial void LogLoaded(string name);

    [LoggerMessage(Level = LogLevel.Error, Message = "HTTPEndpoint {Name} is not usable: {Reason}")]
    private partial void LogFailed(string name, string reason);

    private sealed record Endpoint(Uri Address, IReadOnlyList<KeyValuePair<string, StringValues>> Headers, UpstreamTransport Transport);
}
