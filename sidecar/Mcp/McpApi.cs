using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.Workflow;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>
/// Servers of the Model Context Protocol as workflows (https://docs.dapr.io/developing-ai/mcp/mcp-server-resource/): <c>dapr.internal.mcp.SERVER.ListTools</c> and
/// <c>dapr.internal.mcp.SERVER.CallTool.TOOL</c>. The sidecar is the worker of these: nothing of it is the app's. Without placement and an actor state store there
/// are no workflows, and the servers are only declared.
/// </summary>
internal sealed partial class McpApi : IBuildingBlock, IServerStreamWriter<WorkItem>, IAsyncDisposable
{
    private const int MostRetries = 3;
    private const double PauseGrowth = 1.5;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RetryBudget = TimeSpan.FromSeconds(10);
    private readonly SidecarRuntime _runtime;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, McpToolServer> _servers = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private Task? _serving;

    public McpApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _logger = runtime.Loggers.CreateLogger("dapr.runtime.mcp");
    }

    public WriteOptions? WriteOptions { get; set; }

    public void MapHttp(Router router)
    {
        // The workflow API is its face.
    }

    /// <summary>Whether a workflow of this name can be started.</summary>
    public bool Serves(string workflow) => McpWorkflow.Parse(workflow, _servers) is ({ } server, var tool) && (tool is null || server.Has(tool));

    /// <summary>Connects to the declared servers and begins to serve their workflows.</summary>
    /// <exception cref="ResourceException">One cannot be connected to and does not say <c>ignoreErrors</c>.</exception>
    public Task ConnectAsync(CancellationToken cancellationToken) => FollowAsync(static (server, e) => server.IgnoreErrors ? null : new ResourceException($"failed to load MCPServer {server.Name}: {e.Message}"), cancellationToken);

    /// <summary>A server that cannot be reached now was meant to come while the sidecar runs: it does not end it.</summary>
    public Task ReloadedAsync(CancellationToken cancellationToken) => FollowAsync(static (_, _) => null, cancellationToken);

    public Task WriteAsync(WorkItem message) => WriteAsync(message, CancellationToken.None);

    /// <summary>Work for this worker.</summary>
    public Task WriteAsync(WorkItem message, CancellationToken cancellationToken)
    {
        _ = Task.Run(() => HandleAsync(message), CancellationToken.None);
        return Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_serving is not null)
            await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var server in _servers.Values)
            await server.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task FollowAsync(Func<McpServer, McpException, ResourceException?> fatal, CancellationToken cancellationToken)
    {
        var wanted = _runtime.McpServers;
        foreach (var (name, server) in _servers)
        {
            if (wanted.FirstOrDefault(w => w.Name == name) is not { } same || !JsonNode.DeepEquals(same.Document, server.Declaration.Document))
            {
                _servers.TryRemove(name, out _);
                await server.DisposeAsync().ConfigureAwait(false);
            }
        }

        if (wanted.Count == 0 || _runtime.Options.PlacementHostAddress.Length == 0 || ActorStateStore.Find(_runtime) is null)
            return;
        // What is left of earlier calls goes on even where a server is not there any more: somebody has to say so.
        _serving ??= ServeAsync();
        foreach (var declared in wanted.Where(w => !_servers.ContainsKey(w.Name)))
        {
            try
            {
                var server = await ConnectAsync(declared, cancellationToken).ConfigureAwait(false);
                _servers[declared.Name] = server;
                LogConnected(declared.Name, server.Tools.Count);
            }
            catch (McpException e)
            {
                LogNotConnected(declared.Name, e.Message);
                if (fatal(declared, e) is { } error)
                    throw error;
            }
        }
    }

    // As daprd begins with any resource: what is only starting itself gets a few seconds.
    private async Task<McpToolServer> ConnectAsync(McpServer declared, CancellationToken cancellationToken)
    {
        var start = _runtime.Time.GetTimestamp();
        for (var (attempt, pause) = (0, FirstPause); ; attempt++, pause *= PauseGrowth)
        {
            try
            {
                return await McpConnector.ConnectAsync(declared, _runtime, _logger, cancellationToken).ConfigureAwait(false);
            }
            catch (McpException e) when (attempt < MostRetries && _runtime.Time.GetElapsedTime(start) + pause < RetryBudget)
            {
                LogTryingAgain(declared.Name, e.Message);
                await Task.Delay(pause, _runtime.Time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task ServeAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await _runtime.Block<WorkflowApi>().ServeBuiltInAsync(this, _stopping.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is HubMovedException or RpcException or ApiException)
            {
                if (_runtime.Stopping.IsCancellationRequested)
                    return;
                LogNotServing(e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), _runtime.Time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task HandleAsync(WorkItem item)
    {
        var workflows = _runtime.Block<WorkflowApi>();
        try
        {
            if (item.WorkflowRequest is { } turn)
            {
                var response = McpWorkflow.Run(turn, _runtime.McpServers.ToDictionary(s => s.Name, StringComparer.Ordinal), LogHook);
                response.CompletionToken = item.CompletionToken;
                await AnswerAsync(engine => engine.CompleteTurnAsync(response, _stopping.Token)).ConfigureAwait(false);
            }
            else if (item.ActivityRequest is { } activity)
            {
                var response = new ActivityResponse
                {
                    InstanceId = activity.WorkflowInstance.InstanceId,
                    TaskId = activity.TaskId,
                    CompletionToken = item.CompletionToken,
                    Result = (await OperateAsync(activity.Name, activity.Input).ConfigureAwait(false)).ToJsonString(Json.Options),
                };
                await AnswerAsync(engine => engine.CompleteActivityAsync(response, _stopping.Token)).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Given out again after the restart.
        }
        catch (Exception e) when (e is HubMovedException or RpcException or ApiException or ObjectDisposedException)
        {
            LogNotServing(e.Message);
        }

        Task AnswerAsync(Func<IWorkflowEngine, Task> answer) => workflows.OnEngineAsync(async engine =>
        {
            await answer(engine).ConfigureAwait(false);
            return true;
        }, once: false, _stopping.Token);
    }

    private async Task<JsonObject> OperateAsync(string name, string? input)
    {
        var (server, tool) = McpWorkflow.Parse(name, _servers);
        if (server is null)
            return McpToolServer.Failure($"the MCPServer of {name} is not connected");
        if (tool is null)
            return new JsonObject { ["tools"] = server.Tools.DeepClone() };
        var arguments = JsonSerializer.Deserialize<JsonObject>(input ?? "{}")?.Object("arguments") ?? [];
        return await server.CallAsync(tool, arguments, _stopping.Token).ConfigureAwait(false);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "MCPServer connected: {Name} ({Tools} tools)")]
    private partial void LogConnected(string name, int tools);

    [LoggerMessage(Level = LogLevel.Warning, Message = "MCPServer {Name} cannot be connected to yet: {Reason}")]
    private partial void LogTryingAgain(string name, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "MCPServer {Name} cannot be connected to: {Reason}")]
    private partial void LogNotConnected(string name, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "workflows of MCPServers wait: {Reason}")]
    private partial void LogNotServing(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{What}")]
    private partial void LogHook(string what);
}
