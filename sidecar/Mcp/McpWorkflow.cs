using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>
/// The workflows that stand for a server's tools (https://docs.dapr.io/developing-ai/mcp/mcp-server-resource/): hooks as children, one after the other, and the
/// operation itself as an activity between them. Each turn runs from the beginning; what the history knows is not done again.
/// </summary>
internal sealed class McpWorkflow
{
    /// <summary>Names of these workflows begin so, and so do those of their activities.</summary>
    public const string Prefix = "dapr.internal.mcp.";
    private const string List = ".ListTools";
    private const string Call = ".CallTool.";
    private readonly Dictionary<int, string> _known = [];
    private readonly Dictionary<int, string?> _results = [];
    private readonly Dictionary<int, string> _failures = [];
    private readonly WorkflowResponse _response;
    private readonly Action<string> _log;
    private readonly bool _rests;
    private int _next;

    private McpWorkflow(WorkflowRequest request, Action<string> log)
    {
        _log = log;
        _response = new WorkflowResponse { InstanceId = request.InstanceId };
        foreach (var e in request.PastEvents.Concat(request.NewEvents))
        {
            switch (e.EventTypeCase)
            {
                case HistoryEvent.EventTypeOneofCase.TaskScheduled:
                    _known[e.EventId] = e.TaskScheduled.Name;
                    break;
                case HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceCreated:
                    _known[e.EventId] = e.ChildWorkflowInstanceCreated.Name;
                    break;
                case HistoryEvent.EventTypeOneofCase.TaskCompleted:
                    _results[e.TaskCompleted.TaskScheduledId] = e.TaskCompleted.Result;
                    break;
                case HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceCompleted:
                    _results[e.ChildWorkflowInstanceCompleted.TaskScheduledId] = e.ChildWorkflowInstanceCompleted.Result;
                    break;
                case HistoryEvent.EventTypeOneofCase.TaskFailed:
                    _failures[e.TaskFailed.TaskScheduledId] = e.TaskFailed.FailureDetails?.ErrorMessage ?? "the activity failed";
                    break;
                case HistoryEvent.EventTypeOneofCase.ChildWorkflowInstanceFailed:
                    _failures[e.ChildWorkflowInstanceFailed.TaskScheduledId] = e.ChildWorkflowInstanceFailed.FailureDetails?.ErrorMessage ?? "the workflow ended without success";
                    break;
                case HistoryEvent.EventTypeOneofCase.ExecutionSuspended:
                    _rests = true;
                    break;
                case HistoryEvent.EventTypeOneofCase.ExecutionResumed:
                    _rests = false;
                    break;
            }
        }
    }

    private enum Step
    {
        Open,
        Done,
        Failed,
    }

    public static string ListName(string server) => Prefix + server + List;

    public static string CallName(string server, string tool) => Prefix + server + Call + tool;

    /// <summary>The server that a workflow or an activity belongs to, and the tool that it calls; both null where the name is no such name. Names of servers may hold dots.</summary>
    public static (T? Server, string? Tool) Parse<T>(string name, IEnumerable<KeyValuePair<string, T>> servers) where T : class
    {
        foreach (var (server, value) in servers)
        {
            if (name == ListName(server))
                return (value, null);
            if (name.StartsWith(CallName(server, ""), StringComparison.Ordinal))
                return (value, name[CallName(server, "").Length..]);
        }

        return (null, null);
    }

    /// <summary>Runs a turn.</summary>
    /// <param name="servers">The declared ones by name.</param>
    /// <param name="log">Takes errors of hooks that may only watch.</param>
    public static WorkflowResponse Run(WorkflowRequest request, IReadOnlyDictionary<string, McpServer> servers, Action<string> log)
    {
        var start = request.NewEvents.Concat(request.PastEvents.Reverse()).Select(e => e.ExecutionStarted).First(s => s is not null);
        var workflow = new McpWorkflow(request, log);
        if (workflow._rests)
            return workflow._response;
        try
        {
            var (server, tool) = Parse(start.Name, servers);
            if (server is null)
            {
                var text = $"MCPServer of workflow \"{start.Name}\" is not loaded";
                if (start.Name.Contains(Call, StringComparison.Ordinal))
                    workflow.End(McpToolServer.Failure(text).ToJsonString(Json.Options));
                else
                    workflow.Fail(text);
            }
            else if (tool is null)
            {
                workflow.ListTools(server, start.Name);
            }
            else
            {
                workflow.CallTool(server, start.Name, tool, start.Input);
            }
        }
        catch (Exception e) when (e is McpException or JsonException or FormatException or InvalidOperationException)
        {
            workflow._response.Actions.Clear();
            workflow.Fail(e.Message);
        }

        return workflow._response;
    }

    private void CallTool(McpServer server, string name, string tool, string? input)
    {
        JsonObject arguments;
        switch (string.IsNullOrEmpty(input) ? new JsonObject() : JsonNode.Parse(input))
        {
            case null:
                arguments = [];
                break;
            case JsonObject json when json.Member("arguments") is null:
                arguments = [];
                break;
            case JsonObject json when json.Object("arguments") is { } given:
                arguments = given;
                break;
            default:
                End(McpToolServer.Failure("the input must be a JSON object with an object \"arguments\"").ToJsonString(Json.Options));
                return;
        }

        foreach (var hook in server.BeforeCallTool)
        {
            switch (Take(hook.Workflow, () => Child(hook, Described(null)), out var value, out var failure))
            {
                case Step.Open:
                    return;
                case Step.Failed:
                    End(McpToolServer.Failure(failure).ToJsonString(Json.Options));
                    return;
            }

            // The form that it was given, or the arguments alone.
            if (hook.Mutates && Parsed(value) is { } changed)
                arguments = changed.Member("arguments") is JsonObject inner ? inner : changed;
        }

        var request = new JsonObject { ["arguments"] = arguments.DeepClone() }.ToJsonString(Json.Options);
        if (!Operate(name, request, out var result))
            return;
        foreach (var hook in server.AfterCallTool)
        {
            switch (Take(hook.Workflow, () => Child(hook, Described(result)), out var value, out var failure))
            {
                case Step.Open:
                    return;
                case Step.Failed:
                    Fail(failure);
                    return;
            }

            if (hook.Mutates)
                result = Changed(value, "content") ?? result;
        }

        End(result);

        JsonObject Described(string? result)
        {
            var json = new JsonObject { ["name"] = server.Name, ["toolName"] = tool, ["arguments"] = arguments.DeepClone() };
            if (result is not null)
                json["result"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(result));
            return json;
        }
    }

    private void ListTools(McpServer server, string name)
    {
        foreach (var hook in server.BeforeListTools)
        {
            switch (Take(hook.Workflow, () => Child(hook, new JsonObject { ["name"] = server.Name }), out _, out var failure))
            {
                case Step.Open:
                    return;
                case Step.Failed:
                    Fail(failure);
                    return;
            }
        }

        if (!Operate(name, "{}", out var result))
            return;
        foreach (var hook in server.AfterListTools)
        {
            var before = result;
            var step = Take(hook.Workflow, () => Child(hook, new JsonObject { ["name"] = server.Name, ["result"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(before)) }), out var value, out var failure);
            if (step == Step.Open)
                return;
            if (step == Step.Failed)
                _log($"MCPServer {server.Name}: afterListTools {hook.Workflow}: {failure}");
            else if (hook.Mutates)
                result = Changed(value, "tools") ?? result;
        }

        End(result);
    }

    // The operation itself. Its activity has the name of the workflow: so it is seen which tool was called wherever activities are seen.
    private bool Operate(string name, string request, out string result)
    {
        result = "";
        switch (Take(name, () => new WorkflowAction { ScheduleTask = new ScheduleTaskAction { Name = name, Input = request } }, out var value, out var failure))
        {
            case Step.Open:
                return false;
            case Step.Failed:
                Fail(failure);
                return false;
        }

        result = value ?? "{}";
        return true;
    }

    private Step Take(string name, Func<WorkflowAction> make, out string? value, out string failure)
    {
        var id = _next++;
        (value, failure) = (null, "");
        if (!_known.TryGetValue(id, out var was))
        {
            var action = make();
            action.Id = id;
            _response.Actions.Add(action);
            return Step.Open;
        }

        if (was != name)
            throw new McpException($"the hooks of the MCPServer have changed while this call was under way: its history has {was} where {name} is now");
        if (_failures.TryGetValue(id, out var reason))
        {
            failure = reason;
            return Step.Failed;
        }

        return _results.TryGetValue(id, out value) ? Step.Done : Step.Open;
    }

    private static WorkflowAction Child(McpHook hook, JsonObject input)
    {
        var child = new CreateChildWorkflowAction { Name = hook.Workflow, Input = input.ToJsonString(Json.Options) };
        if (hook.AppId is { } app)
            child.Router = new TaskRouter { TargetAppID = app };
        return new WorkflowAction { CreateChildWorkflow = child };
    }

    private static JsonObject? Parsed(string? json) => string.IsNullOrEmpty(json) ? null : JsonNode.Parse(json) as JsonObject;

    // A changed result comes in the form that the hook was given it, or as itself. Null: nothing came.
    private static string? Changed(string? value, string member)
    {
        if (Parsed(value) is not { } json)
            return null;
        switch (json.Member("result"))
        {
            case JsonObject result:
                return result.ToJsonString(Json.Options);
            case JsonValue text when text.TryGetValue<string>(out var encoded):
                var decoded = encoded.StartsWith('{') ? encoded : Encoding.UTF8.GetString(Convert.FromBase64String(encoded));
                return (JsonNode.Parse(decoded) as JsonObject)?.ToJsonString(Json.Options);
            default:
                return json.ContainsKey(member) ? json.ToJsonString(Json.Options) : null;
        }
    }

    private void End(string result) => Complete(new CompleteWorkflowAction { WorkflowStatus = OrchestrationStatus.Completed, Result = result });

    private void Fail(string reason) => Complete(new CompleteWorkflowAction
    {
        WorkflowStatus = OrchestrationStatus.Failed,
        FailureDetails = new TaskFailureDetails { ErrorType = "MCPServerError", ErrorMessage = reason, IsNonRetriable = true },
    });

    private void Complete(CompleteWorkflowAction action) => _response.Actions.Add(new WorkflowAction { Id = _next, CompleteWorkflow = action });
}
