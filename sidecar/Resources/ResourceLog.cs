using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Resources;

internal static partial class ResourceLog
{
    [LoggerMessage(Level = LogLevel.Information, Message = "MCPServer loaded: {Name}")]
    public static partial void McpServerLoaded(ILogger logger, string name);

    [LoggerMessage(Level = LogLevel.Error, Message = "Failed to load MCPServer {Name}, ignoring: {Reason}")]
    public static partial void McpServerIgnored(ILogger logger, string name, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "WorkflowAccessPolicy loaded: {Name}")]
    public static partial void WorkflowAccessPolicyLoaded(ILogger logger, string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "WorkflowAccessPolicy {Name} ({File}, line {Line}): a rule is malformed and allows nothing")]
    public static partial void WorkflowAccessRuleMalformed(ILogger logger, string name, string file, int line);
}
