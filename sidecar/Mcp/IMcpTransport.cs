using System.Text.Json;
using System.Text.Json.Nodes;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>Carries JSON-RPC messages to a server and back (https://modelcontextprotocol.io/specification/2025-06-18/basic/transports).</summary>
internal interface IMcpTransport : IAsyncDisposable
{
    /// <summary>The version agreed on, once it is.</summary>
    string? ProtocolVersion { get; set; }

    /// <param name="received">Takes every message of the server.</param>
    /// <param name="closed">Told once when the connection ends by itself.</param>
    /// <exception cref="McpException">The server cannot be reached.</exception>
    Task OpenAsync(Action<JsonObject> received, Action<Exception> closed, CancellationToken cancellationToken);

    /// <summary>Sends a message.</summary>
    /// <param name="isAnswered">For a request: whether its answer has come. A transport whose answers come with the request ends only then.</param>
    /// <exception cref="McpClosedException">The connection is gone.</exception>
    /// <exception cref="McpException">The server refuses it.</exception>
    Task SendAsync(JsonObject message, Func<bool>? isAnswered, CancellationToken cancellationToken);
}

internal static class McpMessages
{
    /// <summary>Hands over the messages of a text: one, or several in an array. What is no JSON-RPC is left out.</summary>
    public static void Deliver(string text, Action<JsonObject> received)
    {
        JsonNode? json;
        try
        {
            json = JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return;
        }

        if (json is JsonObject message)
            received(message);
        foreach (var one in (json as JsonArray)?.OfType<JsonObject>() ?? [])
            received(one);
    }
}
