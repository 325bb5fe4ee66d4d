using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Resources;

/// <summary>How a Model Context Protocol server is reached.</summary>
internal enum McpTransport
{
    StreamableHttp,
    Sse,
    Stdio,
}

/// <summary>
/// A declared Model Context Protocol server (https://docs.dapr.io/reference/resource-specs/mcpserver-schema/). Its declaration is read, validated and shown in
/// the metadata.
/// </summary>
/// <param name="Target">The URL, or the command of a stdio server.</param>
internal sealed record McpServer(string Name, McpTransport Transport, string Target)
{
    public const string Kind = "MCPServer";

    /// <summary>The servers among resources, in their order.</summary>
    /// <exception cref="ResourceException">One is declared wrongly and does not say <c>ignoreErrors</c>, or two have one name.</exception>
    public static IReadOnlyList<McpServer> Load(IEnumerable<Resource> resources, ILogger logger)
    {
        var servers = new List<McpServer>();
        foreach (var resource in resources.Where(r => r.Kind == Kind))
        {
            if (servers.Any(s => s.Name == resource.Name))
                throw new ResourceException($"failed to load MCPServers: duplicate definition of MCPServer name {resource.Name}");
            try
            {
                servers.Add(Read(resource));
                ResourceLog.McpServerLoaded(logger, resource.Name);
            }
            catch (ResourceException e) when (resource.Spec.Flag("ignoreErrors") == true)
            {
                ResourceLog.McpServerIgnored(logger, resource.Name, e.Message);
            }
        }

        return servers;
    }

    private static McpServer Read(Resource resource)
    {
        ReadOnlySpan<(McpTransport Transport, string Name, string Target)> transports =
            [(McpTransport.StreamableHttp, "streamableHTTP", "url"), (McpTransport.Sse, "sse", "url"), (McpTransport.Stdio, "stdio", "command")];
        var endpoint = resource.Spec.Object("endpoint") ?? [];
        McpServer? server = null;
        foreach (var (transport, name, target) in transports)
        {
            if (endpoint.Object(name) is not { } given)
                continue;
            if (server is not null)
                throw Malformed("exactly one of streamableHTTP, sse and stdio must be set under spec.endpoint");
            if (given.Text(target) is not { Length: > 0 } value)
                throw Malformed($"spec.endpoint.{name}.{target} is required");
            if (transport != McpTransport.Stdio && !(Uri.TryCreate(value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"))
                throw Malformed($"spec.endpoint.{name}.url {value} is not an http or https URL");
            if (given.Text("timeout") is { Length: > 0 } timeout && !Durations.TryParseGo(timeout, out _))
                throw Malformed($"spec.endpoint.{name}.timeout {timeout} is not a duration");
            server = new McpServer(resource.Name, transport, value);
        }

        return server ?? throw Malformed("exactly one of streamableHTTP, sse and stdio must be set under spec.endpoint");

        ResourceException Malformed(string reason) => new($"failed to load MCPServer {resource.Name} ({resource.File}, line {resource.Line}): {reason}");
    }
}
