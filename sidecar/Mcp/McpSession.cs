using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>A connection to a server after both have introduced themselves (https://modelcontextprotocol.io/specification/2025-06-18/basic/lifecycle).</summary>
internal sealed class McpSession : IAsyncDisposable
{
    public const string NewestVersion = "2025-06-18";
    private const int MostPages = 500;
    private readonly IMcpTransport _transport;
    private readonly ConcurrentDictionary<long, TaskCompletionSource<JsonNode?>> _open = new();
    private readonly CancellationTokenSource _ended = new();
    private volatile Exception? _end;
    private long _ids;

    private McpSession(IMcpTransport transport) => _transport = transport;

    public bool IsClosed => _end is not null;

    /// <exception cref="McpException">The server cannot be reached or does not speak the protocol.</exception>
    public static async Task<McpSession> OpenAsync(IMcpTransport transport, string? protocolVersion, string clientVersion, CancellationToken cancellationToken)
    {
        var session = new McpSession(transport);
        try
        {
            await transport.OpenAsync(session.Receive, session.Close, cancellationToken).ConfigureAwait(false);
            var answer = await session.RequestAsync("initialize", new JsonObject
            {
                ["protocolVersion"] = protocolVersion ?? NewestVersion,
                ["capabilities"] = new JsonObject(),
                ["clientInfo"] = new JsonObject { ["name"] = "daprd", ["version"] = clientVersion },
            }, cancellationToken).ConfigureAwait(false);
            transport.ProtocolVersion = (answer as JsonObject)?.Text("protocolVersion") ?? throw new McpException("the server does not name its version of the protocol");
            await transport.SendAsync(new JsonObject { ["jsonrpc"] = "2.0", ["method"] = "notifications/initialized" }, null, cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch
        {
            await session.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>All tools, as the server describes them.</summary>
    /// <exception cref="McpException">There is no end of them.</exception>
    public async Task<IReadOnlyList<JsonObject>> ListToolsAsync(CancellationToken cancellationToken)
    {
        var tools = new List<JsonObject>();
        string? cursor = null;
        for (var page = 0; page < MostPages; page++)
        {
            var parameters = cursor is null ? [] : new JsonObject { ["cursor"] = cursor };
            var answer = await RequestAsync("tools/list", parameters, cancellationToken).ConfigureAwait(false) as JsonObject ?? [];
            tools.AddRange((answer.Array("tools") ?? []).OfType<JsonObject>().Where(t => t.Text("name") is { Length: > 0 }));
            cursor = answer.Text("nextCursor");
            if (string.IsNullOrEmpty(cursor))
                return tools;
        }

        throw new McpException($"the server lists more than {MostPages} pages of tools");
    }

    public async Task<JsonObject> CallToolAsync(string tool, JsonObject arguments, CancellationToken cancellationToken) =>
        await RequestAsync("tools/call", new JsonObject { ["name"] = tool, ["arguments"] = arguments.DeepClone() }, cancellationToken).ConfigureAwait(false) as JsonObject
        ?? throw new McpException("the server answers with something that is no result");

    public async ValueTask DisposeAsync()
    {
        Close(new McpClosedException("the connection was closed"));
        await _transport.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<JsonNode?> RequestAsync(string method, JsonObject parameters, CancellationToken cancellationToken)
    {
        var id = Interlocked.Increment(ref _ids);
        var answer = new TaskCompletionSource<JsonNode?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _open[id] = answer;
        try
        {
            if (_end is { } end)
                throw new McpClosedException(end.Message, end);
            var message = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = id, ["method"] = method, ["params"] = parameters };
            await _transport.SendAsync(message, () => answer.Task.IsCompleted, cancellationToken).ConfigureAwait(false);
            return await answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The server need not go on; whether it hears of it does not matter.
            _ = TellAsync(new JsonObject { ["jsonrpc"] = "2.0", ["method"] = "notifications/cancelled", ["params"] = new JsonObject { ["requestId"] = id } });
            throw;
        }
        finally
        {
            _open.TryRemove(id, out _);
        }
    }

    private async Task TellAsync(JsonObject message)
    {
        try
        {
            if (!IsClosed)
                await _transport.SendAsync(message, null, _ended.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is McpException or OperationCanceledException or ObjectDisposedException)
        {
            // A notification: nobody waits for what becomes of it.
        }
    }

    private void Receive(JsonObject message)
    {
        var id = message["id"];
        if (message.Text("method") is { } method)
        {
            if (id is not null)
                _ = TellAsync(Answer(method, id));
            return;
        }

        if (id is not JsonValue value || !value.TryGetValue<long>(out var number) || !_open.TryGetValue(number, out var waiting))
            return;
        if (message.Object("error") is { } error)
            waiting.TrySetException(new McpException(error.Text("message") ?? "the server reports an error"));
        else
            waiting.TrySetResult(message["result"]?.DeepClone());
    }

    // Nothing was offered to the server but being there.
    private static JsonObject Answer(string method, JsonNode id)
    {
        var answer = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = id.DeepClone() };
        if (method == "ping")
            answer["result"] = new JsonObject();
        else
            answer["error"] = new JsonObject { ["code"] = -32601, ["message"] = $"method {method} is not supported" };
        return answer;
    }

    private void Close(Exception reason)
    {
        if (Interlocked.CompareExchange(ref _end, reason, null) is not null)
            return;
        _ended.Cancel();
        foreach (var waiting in _open.Values)
            waiting.TrySetException(new McpClosedException(reason.Message, reason));
    }
}
