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
/// A declared Model Context Protocol server (https://docs.dapr.io/reference/resource-specs/mcpserver-schema/). The building block in <c>Mcp/</c> connects to it.
/// </summary>
/// <param name="Target">The URL, or the command of a stdio server.</param>
internal sealed record McpServer(string Name, McpTransport Transport, string Target)
{
    public const string Kind = "MCPServer";

    /// <summary>What is given of the transport: headers, auth, args, env.</summary>
    public JsonObject Endpoint { get; init; } = [];

    /// <summary>Where secrets of headers, credentials and environment come from.</summary>
    public string SecretStore { get; init; } = "kubernetes";

    /// <summary>How long one request may take; null: as long as the default says.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The version of the protocol to ask for; null: the newest.</summary>
    public string? ProtocolVersion { get; init; }

    public bool IgnoreErrors { get; init; }

    public IReadOnlyList<McpHook> BeforeCallTool { get; init; } = [];

    public IReadOnlyList<McpHook> AfterCallTool { get; init; } = [];

    public IReadOnlyList<McpHook> BeforeListTools { get; init; } = [];

    public IReadOnlyList<McpHook> AfterListTools { get; init; } = [];

    /// <summary>The resource as read, by which a change of it is noticed.</summary>
    public JsonObject Document { get; init; } = [];

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
            TimeSpan? timeout = null;
            if (given.Text("timeout") is { Length: > 0 } text)
                timeout = Durations.TryParseGo(text, out var parsed) && parsed > TimeSpan.Zero ? parsed : throw Malformed($"spec.endpoint.{name}.timeout {text} is not a duration");
            var auth = given.Object("auth");
            if (auth?.Object("oauth2") is { } oauth2 && oauth2.Text("issuer") is not { Length: > 0 })
                throw Malformed($"spec.endpoint.{name}.auth.oauth2.issuer is required");
            server = new McpServer(resource.Name, transport, value)
            {
                Endpoint = given,
                Timeout = timeout,
                ProtocolVersion = given.Text("protocolVersion") is { Length: > 0 } version ? version : null,
                SecretStore = (auth ?? resource.Document.Object("auth"))?.Text("secretStore") is { Length: > 0 } store ? store : "kubernetes",
                IgnoreErrors = resource.Spec.Flag("ignoreErrors") == true,
                BeforeCallTool = Hooks("beforeCallTool"),
                AfterCallTool = Hooks("afterCallTool"),
                BeforeListTools = Hooks("beforeListTools"),
                AfterListTools = Hooks("afterListTools"),
                Document = resource.Document,
            };
        }

        return server ?? throw Malformed("exactly one of streamableHTTP, sse and stdio must be set under spec.endpoint");

        IReadOnlyList<McpHook> Hooks(string name)
        {
            var hooks = new List<McpHook>();
            foreach (var given in resource.Spec.Object("middleware")?.Array(name) ?? [])
            {
                if ((given as JsonObject)?.Object("workflow") is not { } workflow || workflow.Text("workflowName") is not { Length: > 0 } workflowName)
                    throw Malformed($"spec.middleware.{name}: workflow.workflowName is required");
                hooks.Add(new McpHook(workflowName, workflow.Text("appID") is { Length: > 0 } app ? app : null, ((JsonObject)given).Flag("mutate") == true));
            }

            return hooks;
        }

        ResourceException Malformed(string reason) => new($"failed to load MCPServer {resource.Name} ({resource.File}, line {resource.Line}): {reason}");
    }
}

/// <summary>A workflow that is run before or after an operation of a server.</summary>
/// <param name="AppId">The app that has it; null: the own one.</param>
/// <param name="Mutates">What it returns takes the place of what it was given.</param>
internal sealed record McpHook(string Workflow, string? AppId, bool Mutates);
