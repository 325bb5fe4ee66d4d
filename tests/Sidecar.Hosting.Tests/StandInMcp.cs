using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>A server of the Model Context Protocol with the tools <c>weather</c> (needs a city) and <c>broken</c>, over the transports of HTTP.</summary>
internal sealed class StandInMcp : IAsyncDisposable
{
    private readonly StandInApp _app;
    private readonly Channel<string> _events = Channel.CreateUnbounded<string>();
    private int _sessions;

    private StandInMcp(StandInApp app) => _app = app;

    public int Port => _app.Port;

    /// <summary>Methods of JSON-RPC in the order of their arrival.</summary>
    public ConcurrentQueue<string> Methods { get; } = new();

    /// <summary>Arguments of each call of a tool.</summary>
    public ConcurrentQueue<string> Arguments { get; } = new();

    /// <summary>Authorization of each request.</summary>
    public ConcurrentQueue<string> Credentials { get; } = new();

    /// <summary>Sessions other than this one are over.</summary>
    public int Session => Volatile.Read(ref _sessions);

    /// <summary>Answers come as a stream of events.</summary>
    public bool Streams { get; init; }

    /// <summary>What calls of <c>weather</c> wait for.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public StandInApp App => _app;

    public static async Task<StandInMcp> StartAsync(bool streams = false)
    {
        var app = await StandInApp.StartAsync();
        var server = new StandInMcp(app) { Streams = streams };
        app.Answers["/mcp"] = server.PostAsync;
        app.Answers["/sse"] = server.StreamAsync;
        app.Answers["/messages"] = server.MessageAsync;
        return server;
    }

    /// <summary>Forgets the session: the next request with it is 404.</summary>
    public void EndSession() => Interlocked.Increment(ref _sessions);

    public ValueTask DisposeAsync()
    {
        _events.Writer.TryComplete();
        return _app.DisposeAsync();
    }

    private async Task PostAsync(HttpContext context)
    {
        Credentials.Enqueue(context.Request.Headers.Authorization.ToString());
        if (context.Request.Method != "POST")
            return;
        var request = (JsonObject)(await JsonNode.ParseAsync(context.Request.Body))!;
        if ((string?)request["method"] != "initialize" && context.Request.Headers["Mcp-Session-Id"] != $"s{Session}")
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        if (await AnswerAsync(request) is not { } answer)
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }

        context.Response.Headers["Mcp-Session-Id"] = $"s{Session}";
        context.Response.ContentType = Streams ? "text/event-stream" : "application/json";
        await context.Response.WriteAsync(Streams ? $": a comment\n\nevent: message\ndata: {answer}\n\n" : answer);
    }

    private async Task StreamAsync(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync("event: endpoint\ndata: /messages?session=1\n\n");
        await context.Response.Body.FlushAsync();
        await foreach (var message in _events.Reader.ReadAllAsync(context.RequestAborted))
        {
            await context.Response.WriteAsync($"event: message\ndata: {message}\n\n");
            await context.Response.Body.FlushAsync();
        }
    }

    private async Task MessageAsync(HttpContext context)
    {
        if (await AnswerAsync((JsonObject)(await JsonNode.ParseAsync(context.Request.Body))!) is { } answer)
            _events.Writer.TryWrite(answer);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    private async Task<string?> AnswerAsync(JsonObject request)
    {
        var method = (string)request["method"]!;
        Methods.Enqueue(method);
        if (request["id"] is null)
            return null;
        var given = request["params"] as JsonObject ?? [];
        string? error = null;
        JsonNode? result = null;
        switch (method)
        {
            case "initialize":
                result = JsonNode.Parse("""{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"stand-in","version":"1"}}""");
                break;
            case "tools/list" when given["cursor"] is null:
                result = JsonNode.Parse("""{"tools":[{"name":"weather","description":"Weather of a city","inputSchema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}],"nextCursor":"2"}""");
                break;
            case "tools/list":
                result = JsonNode.Parse("""{"tools":[{"name":"broken","inputSchema":{"type":"object"}}]}""");
                break;
            case "tools/call" when (string?)given["name"] == "weather":
                Arguments.Enqueue(given["arguments"]!.ToJsonString());
                await Gate;
                result = new JsonObject { ["content"] = new JsonArray(new JsonObject { ["type"] = "text", ["text"] = $"{given["arguments"]!["city"]}: sunny" }) };
                break;
            default:
                error = "it is broken";
                break;
        }

        var answer = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = request["id"]!.DeepClone() };
        if (error is null)
            answer["result"] = result;
        else
            answer["error"] = new JsonObject { ["code"] = -32000, ["message"] = error };
        return answer.ToJsonString();
    }
}
