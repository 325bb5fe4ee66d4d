namespace DaprPlatform.Sidecar.Mcp;

/// <summary>A server of the Model Context Protocol cannot be used, or refuses a request.</summary>
internal class McpException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The connection is gone: a new one may do.</summary>
internal sealed class McpClosedException(string message, Exception? inner = null) : McpException(message, inner);
