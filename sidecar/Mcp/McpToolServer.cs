using System.Net.Http;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>A declared server with the tools that it had when it was connected to. One connection is kept; when it has gone, the next call makes a new one.</summary>
internal sealed class McpToolServer : IAsyncDisposable
{
    private const int MostSchemas = 500;
    private const int LargestSchema = 1 << 20;
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);
    private readonly Func<IMcpTransport> _transport;
    private readonly IDisposable _resources;
    private readonly TimeProvider _time;
    private readonly string _clientVersion;
    private readonly SemaphoreSlim _connecting = new(1);
    private readonly Dictionary<string, string[]> _required = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private McpSession? _session;

    private McpToolServer(McpServer declaration, Func<IMcpTransport> transport, IDisposable resources, string clientVersion, TimeProvider time)
    {
        Declaration = declaration;
        _transport = transport;
        _resources = resources;
        _clientVersion = clientVersion;
        _time = time;
    }

    public McpServer Declaration { get; }

    /// <summary>As the server describes them.</summary>
    public JsonArray Tools { get; private set; } = [];

    /// <summary>Connects and asks for the tools.</summary>
    /// <param name="resources">What the transports share; disposed with the server.</param>
    /// <exception cref="McpException">The server cannot be reached, refuses, or does not speak the protocol.</exception>
    public static async Task<McpToolServer> ConnectAsync(McpServer declaration, Func<IMcpTransport> transport, IDisposable resources, string clientVersion, TimeProvider time, CancellationToken cancellationToken)
    {
        var server = new McpToolServer(declaration, transport, resources, clientVersion, time);
        try
        {
            await server.WithTimeoutAsync(async token =>
            {
                var session = await server.SessionAsync(token).ConfigureAwait(false);
                foreach (var tool in await session.ListToolsAsync(token).ConfigureAwait(false))
                    server.Remember(tool);
                return true;
            }, cancellationToken).ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public bool Has(string tool) => _names.Contains(tool);

    /// <summary>Runs a tool. What goes wrong is a result too, as the protocol wants it: whoever asked can mend the call.</summary>
    /// <returns>A CallToolResult.</returns>
    public async Task<JsonObject> CallAsync(string tool, JsonObject arguments, CancellationToken cancellationToken)
    {
        if (!Has(tool))
            return Failure($"unknown tool \"{tool}\"");
        if (_required.TryGetValue(tool, out var required))
        {
            var missing = required.Where(name => !arguments.ContainsKey(name)).ToArray();
            if (missing.Length > 0)
                return Failure($"missing required argument{(missing.Length > 1 ? "s" : "")} for tool \"{tool}\": {string.Join(", ", missing)}");
        }

        try
        {
            return Complete(await WithTimeoutAsync(async token =>
            {
                var session = await SessionAsync(token).ConfigureAwait(false);
                try
                {
                    return await session.CallToolAsync(tool, arguments, token).ConfigureAwait(false);
                }
                catch (McpClosedException)
                {
                    // Once: a server that ends the connection at each call has its reasons.
                    return await (await ReconnectAsync(session, token).ConfigureAwait(false)).CallToolAsync(tool, arguments, token).ConfigureAwait(false);
                }
            }, cancellationToken).ConfigureAwait(false));
        }
        catch (McpException e)
        {
            return Failure(e.Message);
        }
    }

    /// <summary>A CallToolResult that says what went wrong.</summary>
    public static JsonObject Failure(string text) => new()
    {
        ["isError"] = true,
        ["content"] = new JsonArray(new JsonObject { ["type"] = "text", ["text"] = text }),
    };

    public async ValueTask DisposeAsync()
    {
        if (_session is { } session)
            await session.DisposeAsync().ConfigureAwait(false);
        _resources.Dispose();
        _connecting.Dispose();
    }

    private static JsonObject Complete(JsonObject result)
    {
        result.TryAdd("content", new JsonArray());
        result.TryAdd("isError", false);
        return result;
    }

    private void Remember(JsonObject tool)
    {
        var name = tool.Text("name")!;
        _names.Add(name);
        Tools.Add(tool.DeepClone());
        if (_required.Count < MostSchemas && tool.Object("inputSchema") is { } schema && schema.Array("required") is { Count: > 0 } required && schema.ToJsonString().Length <= LargestSchema)
            _required[name] = [.. required.Select(r => r.Text()).OfType<string>()];
    }

    private async Task<McpSession> SessionAsync(CancellationToken cancellationToken) => _session is { IsClosed: false } session ? session : await ReconnectAsync(_session, cancellationToken).ConfigureAwait(false);

    private async Task<McpSession> ReconnectAsync(McpSession? old, CancellationToken cancellationToken)
    {
        await _connecting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // Another call may have done it meanwhile.
            if (_session is { IsClosed: false } known && known != old)
                return known;
            if (_session is { } gone)
            {
                _session = null;
                await gone.DisposeAsync().ConfigureAwait(false);
            }

            return _session = await McpSession.OpenAsync(_transport(), Declaration.ProtocolVersion, _clientVersion, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _connecting.Release();
        }
    }

    private async Task<T> WithTimeoutAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        var timeout = Declaration.Timeout ?? DefaultTimeout;
        using var limit = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await work(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new McpException($"no answer within {timeout.TotalSeconds:0.###} seconds: context deadline exceeded", e);
        }
    }
}
