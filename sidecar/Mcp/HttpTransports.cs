using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>What both HTTP transports do alike.</summary>
internal abstract class HttpTransport(Uri url, McpCredentials credentials, HttpMessageInvoker http) : IMcpTransport
{
    // To the first byte of an answer; a stream may go on as long as it likes. The documentation of MCPServer gives this limit.
    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(5);
    private static readonly MediaTypeWithQualityHeaderValue JsonType = new("application/json");
    private static readonly MediaTypeWithQualityHeaderValue EventStream = new("text/event-stream");

    public string? ProtocolVersion { get; set; }

    protected Uri Url => url;

    public abstract Task OpenAsync(Action<JsonObject> received, Action<Exception> closed, CancellationToken cancellationToken);

    public abstract Task SendAsync(JsonObject message, Func<bool>? isAnswered, CancellationToken cancellationToken);

    public abstract ValueTask DisposeAsync();

    protected async Task<HttpResponseMessage> CallAsync(HttpMethod method, Uri target, JsonObject? message, string? session, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, target);
        if (message is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(message.ToJsonString(Json.Options)));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.Accept.Add(JsonType);
        }

        if (method != HttpMethod.Delete)
            request.Headers.Accept.Add(EventStream);
        if (session is not null)
            request.Headers.TryAddWithoutValidation("Mcp-Session-Id", session);
        if (ProtocolVersion is not null)
            request.Headers.TryAddWithoutValidation("MCP-Protocol-Version", ProtocolVersion);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(HeadersTimeout);
        try
        {
            await credentials.AddToAsync(request, limit.Token).ConfigureAwait(false);
            return await http.SendAsync(request, limit.Token).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw new McpClosedException($"{method} {target}: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new McpException($"{method} {target}: no answer within {HeadersTimeout.TotalSeconds:0} seconds", e);
        }
    }

    /// <exception cref="McpException">The answer is no success.</exception>
    protected static void RequireSuccess(HttpResponseMessage response, Uri target)
    {
        if (!response.IsSuccessStatusCode)
            throw new McpException($"{target} answers {(int)response.StatusCode} {response.ReasonPhrase}".TrimEnd());
    }
}

/// <summary>Each message is a POST; the answer is JSON, or a stream of events with the answer in it.</summary>
internal sealed class StreamableHttpTransport(Uri url, McpCredentials credentials, HttpMessageInvoker http) : HttpTransport(url, credentials, http)
{
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);
    private Action<JsonObject> _received = static _ => { };
    private string? _session;

    public override Task OpenAsync(Action<JsonObject> received, Action<Exception> closed, CancellationToken cancellationToken)
    {
        _received = received;
        return Task.CompletedTask;
    }

    public override async Task SendAsync(JsonObject message, Func<bool>? isAnswered, CancellationToken cancellationToken)
    {
        using var response = await CallAsync(HttpMethod.Post, Url, message, _session, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound && _session is not null)
            throw new McpClosedException("the server has ended the session");
        RequireSuccess(response, Url);
        if (response.Headers.TryGetValues("Mcp-Session-Id", out var sessions))
            _session = sessions.First();
        if (isAnswered is null)
            return;
        try
        {
            var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            await using var lines = new LineReader(stream);
            if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
            {
                while (!isAnswered() && await lines.ReadEventAsync(cancellationToken).ConfigureAwait(false) is { } e)
                    McpMessages.Deliver(e.Data, _received);
            }
            else
            {
                var text = new StringBuilder();
                while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
                {
                    if (text.Append(line).Append('\n').Length > LineReader.LongestLine)
                        throw new McpException($"the server sends a message of more than {LineReader.LongestLine} bytes");
                }

                McpMessages.Deliver(text.ToString(), _received);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new McpClosedException($"{Url}: the answer breaks off", e);
        }

        if (!isAnswered())
            throw new McpClosedException($"{Url} does not answer the request");
    }

    public override async ValueTask DisposeAsync()
    {
        if (_session is null)
            return;
        using var limit = new CancellationTokenSource(Farewell);
        try
        {
            using var response = await CallAsync(HttpMethod.Delete, Url, null, _session, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is McpException or OperationCanceledException or ObjectDisposedException)
        {
            // The server forgets the session by itself.
        }
    }
}

/// <summary>The older transport: one stream of events brings everything, and first of all the address to which messages are posted.</summary>
internal sealed class SseTransport(Uri url, McpCredentials credentials, HttpMessageInvoker http) : HttpTransport(url, credentials, http)
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _reading = Task.CompletedTask;

    public override async Task OpenAsync(Action<JsonObject> received, Action<Exception> closed, CancellationToken cancellationToken)
    {
        var response = await CallAsync(HttpMethod.Get, Url, null, null, cancellationToken).ConfigureAwait(false);
        try
        {
            RequireSuccess(response, Url);
        }
        catch (McpException)
        {
            response.Dispose();
            throw;
        }

        _reading = ReadAsync(response, received, closed);
        await _address.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public override async Task SendAsync(JsonObject message, Func<bool>? isAnswered, CancellationToken cancellationToken)
    {
        var address = await _address.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        using var response = await CallAsync(HttpMethod.Post, address, message, null, cancellationToken).ConfigureAwait(false);
        RequireSuccess(response, address);
    }

    public override async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task ReadAsync(HttpResponseMessage response, Action<JsonObject> received, Action<Exception> closed)
    {
        Exception end = new McpClosedException($"{Url}: the stream of events has ended");
        try
        {
            using (response)
            {
                var stream = await response.Content.ReadAsStreamAsync(_stopping.Token).ConfigureAwait(false);
                await using var lines = new LineReader(stream);
                while (await lines.ReadEventAsync(_stopping.Token).ConfigureAwait(false) is { } e)
                {
                    if (e.Event != "endpoint")
                        McpMessages.Deliver(e.Data, received);
                    // Credentials must not go to a server that another one names.
                    else if (Uri.TryCreate(Url, e.Data.Trim(), out var address) && address.GetLeftPart(UriPartial.Authority) == Url.GetLeftPart(UriPartial.Authority))
                        _address.TrySetResult(address);
                    else
                        throw new McpException($"{Url} names an address for messages that is not its own: {e.Data}");
                }
            }
        }
        catch (Exception e)
        {
            end = e as McpException ?? new McpClosedException($"{Url}: {e.Message}", e);
        }

        _address.TrySetException(end);
        // Nobody may be waiting for it.
        _ = _address.Task.Exception;
        closed(end);
    }
}
