using System.Net;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.Secrets;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>Connects to declared servers: resolves what their declarations refer to and makes the transport.</summary>
internal static class McpConnector
{
    /// <exception cref="McpException">A secret is missing, or the server cannot be reached or does not speak the protocol.</exception>
    public static async Task<McpToolServer> ConnectAsync(McpServer server, SidecarRuntime runtime, ILogger logger, CancellationToken cancellationToken)
    {
        var (transport, resources) = server.Transport == McpTransport.Stdio
            ? await StdioAsync(server, runtime, logger, cancellationToken).ConfigureAwait(false)
            : await HttpAsync(server, runtime, cancellationToken).ConfigureAwait(false);
        return await McpToolServer.ConnectAsync(server, transport, resources, SidecarRuntime.DaprVersion, runtime.Time, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<(Func<IMcpTransport>, IDisposable)> StdioAsync(McpServer server, SidecarRuntime runtime, ILogger logger, CancellationToken cancellationToken)
    {
        var environment = await ValuesAsync(server, "env", runtime, cancellationToken).ConfigureAwait(false);
        string[] arguments = [.. (server.Endpoint.Array("args") ?? []).Select(a => a.Text() ?? "")];
        return (() => new StdioTransport(server.Target, arguments, environment, logger), Nothing.Instance);
    }

    private static async Task<(Func<IMcpTransport>, IDisposable)> HttpAsync(McpServer server, SidecarRuntime runtime, CancellationToken cancellationToken)
    {
        var auth = server.Endpoint.Object("auth");
        if (auth?.Object("spiffe") is not null)
            throw new McpException("auth.spiffe needs identities issued by Sentry, which this runtime does not have");
        var headers = await ValuesAsync(server, "headers", runtime, cancellationToken).ConfigureAwait(false);
        McpOAuth2? oauth2 = null;
        if (auth?.Object("oauth2") is { } given)
        {
            if (!Uri.TryCreate(given.Text("issuer"), UriKind.Absolute, out var issuer) || issuer.Scheme is not ("http" or "https"))
                throw new McpException($"auth.oauth2.issuer {given.Text("issuer")} is not an http or https URL");
            var secret = given.Object("secretKeyRef") is { } reference ? await SecretAsync(server, reference, runtime, cancellationToken).ConfigureAwait(false) : "";
            oauth2 = new McpOAuth2(issuer, given.Text("clientID") ?? "", secret, given.Text("audience") is { Length: > 0 } audience ? audience : null,
                [.. (given.Array("scopes") ?? []).Select(s => s.Text()).OfType<string>()]);
        }

        var url = new Uri(server.Target);
        var http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            // Credentials must not follow a redirect to another server.
            AllowAutoRedirect = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            AutomaticDecompression = DecompressionMethods.All,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            UseProxy = !url.IsLoopback,
        });
        var credentials = new McpCredentials(headers, oauth2, http, runtime.Time);
        Func<IMcpTransport> transport = server.Transport == McpTransport.Sse ? () => new SseTransport(url, credentials, http) : () => new StreamableHttpTransport(url, credentials, http);
        return (transport, new Both(credentials, http));
    }

    private static async Task<IReadOnlyList<KeyValuePair<string, string>>> ValuesAsync(McpServer server, string member, SidecarRuntime runtime, CancellationToken cancellationToken)
    {
        var values = new List<KeyValuePair<string, string>>();
        foreach (var item in (server.Endpoint.Array(member) ?? []).OfType<JsonObject>())
        {
            if (item.Text("name") is not { Length: > 0 } name)
                throw new McpException($"an entry of {member} has no name");
            var value = item.Object("secretKeyRef") is { } reference ? await SecretAsync(server, reference, runtime, cancellationToken).ConfigureAwait(false)
                : item.Text("envRef") is { Length: > 0 } variable ? runtime.Components.EnvironmentReference(variable)
                : item.Text("value") ?? "";
            values.Add(KeyValuePair.Create(name, value));
        }

        return values;
    }

    private static async Task<string> SecretAsync(McpServer server, JsonObject reference, SidecarRuntime runtime, CancellationToken cancellationToken)
    {
        var name = reference.Text("name") ?? "";
        if (!runtime.Components.TryGet<ISecretStore>(server.SecretStore, out var store))
            throw new McpException($"the secret store \"{server.SecretStore}\" is not there");
        try
        {
            var secret = await store.GetAsync(name, new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
            return secret?.GetValueOrDefault(reference.Text("key") is { Length: > 0 } key ? key : name) ?? throw new McpException($"the secret \"{name}\" has no such key");
        }
        catch (SecretNotFoundException e)
        {
            throw new McpException(e.Message, e);
        }
    }

    private sealed class Both(IDisposable first, IDisposable second) : IDisposable
    {
        public void Dispose()
        {
            first.Dispose();
            second.Dispose();
        }
    }

    private sealed class Nothing : IDisposable
    {
        public static readonly Nothing Instance = new();

        public void Dispose()
        {
        }
    }
}
