using System.Net;
using System.Text.Json.Nodes;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>The workflow API on the workflows of another app, and the policies that say what may be done so.</summary>
public sealed class WorkflowAppTests : IAsyncLifetime
{
    private const string Workflows = "/v1.0/workflows/dapr";
    private RunningSidecar _here = null!;
    private RunningSidecar _there = null!;
    private InstantWorker _worker = null!;

    public async ValueTask InitializeAsync()
    {
        _here = await StartAsync("here", null);
        _there = await StartAsync("there", _here);
        _worker = new InstantWorker(_there.Sidecar.Options.GrpcPort, (name, input) => name == "wait" ? null : input.ToJsonString(), ends: name => name != "wait");
        await RunningSidecar.UntilAsync(async () => (await _there.SendAsync("GET", "/v1.0/metadata")).Text.Contains("connectedWorkers", StringComparison.Ordinal), "the worker is connected");
    }

    public async ValueTask DisposeAsync()
    {
        await _worker.DisposeAsync();
        await _there.DisposeAsync();
        await _here.DisposeAsync();
    }

    [Fact]
    public async Task The_workflows_of_another_app_are_managed_by_its_id()
    {
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("echo/start", "instanceID=one&appID=there", "7"));
        var state = JsonNode.Parse((await _here.SendAsync("GET", $"{Workflows}/one?appID=there")).Text)!;
        Assert.Equal(("echo", "COMPLETED", "7"), ((string)state["workflowName"]!, (string)state["runtimeStatus"]!, (string)state["properties"]!["dapr.workflow.output"]!));
        // It is there and nowhere else.
        Assert.Equal(HttpStatusCode.NotFound, (await _here.SendAsync("GET", $"{Workflows}/one")).Status);
        Assert.Equal(HttpStatusCode.OK, (await _there.SendAsync("GET", $"{Workflows}/one")).Status);

        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("wait/start", "instanceID=two&appID=there", "7"));
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("two/pause", "appID=there"));
        Assert.Contains("SUSPENDED", (await _here.SendAsync("GET", $"{Workflows}/two?appID=there")).Text);
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("two/resume", "appID=there"));
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("two/raiseEvent/go", "appID=there", "1"));
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("two/terminate", "appID=there"));
        Assert.Contains("TERMINATED", (await _here.SendAsync("GET", $"{Workflows}/two?appID=there")).Text);
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("two/purge", "appID=there"));
        Assert.Equal(HttpStatusCode.NotFound, (await _here.SendAsync("GET", $"{Workflows}/two?appID=there")).Status);
    }

    [Fact]
    public async Task The_own_id_is_the_own_app_and_an_unknown_one_is_an_error()
    {
        Assert.Equal(HttpStatusCode.Accepted, (await _there.SendAsync("POST", $"{Workflows}/echo/start?instanceID=own&appID=there", "1")).Status);
        Assert.Contains("COMPLETED", (await _there.SendAsync("GET", $"{Workflows}/own")).Text);
        var (status, text) = await _here.SendAsync("POST", $"{Workflows}/echo/start?appID=nobody", "1");
        Assert.Equal(HttpStatusCode.InternalServerError, status);
        Assert.Contains("ERR_START_WORKFLOW", text);
    }

    [Fact]
    public async Task A_policy_that_comes_changes_and_goes_while_the_sidecar_runs_decides_from_then_on()
    {
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("echo/start", "appID=there", "1"));

        _there.Write("p.yaml", Policy("nobody", "schedule, get"));
        await BecomesAsync(HttpStatusCode.Forbidden);
        // The own app is never asked.
        Assert.Equal(HttpStatusCode.Accepted, (await _there.SendAsync("POST", $"{Workflows}/echo/start?instanceID=mine", "1")).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await _here.SendAsync("GET", $"{Workflows}/mine?appID=there")).Status);

        _there.Write("p.yaml", Policy("here", "schedule"));
        await BecomesAsync(HttpStatusCode.Accepted);
        Assert.Equal(HttpStatusCode.Forbidden, (await _here.SendAsync("GET", $"{Workflows}/mine?appID=there")).Status);
        Assert.Equal(HttpStatusCode.Forbidden, await PostAsync("mine/terminate", "appID=there"));

        // While it is malformed, what it said before holds.
        _there.Write("p.yaml", Policy("nobody", "get") + "  rules: [");
        _there.Write("q.yaml", Policy("here", "get").Replace("who", "whoelse", StringComparison.Ordinal));
        await RunningSidecar.UntilAsync(async () => (await _here.SendAsync("GET", $"{Workflows}/mine?appID=there")).Status == HttpStatusCode.OK, "the second policy holds");
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("echo/start", "appID=there", "1"));

        _there.Delete("p.yaml");
        await BecomesAsync(HttpStatusCode.Forbidden);
        _there.Delete("q.yaml");
        await BecomesAsync(HttpStatusCode.Accepted);

        Task BecomesAsync(HttpStatusCode status) => RunningSidecar.UntilAsync(async () => await PostAsync("echo/start", "appID=there", "1") == status, $"a start is {status}");
    }

    [Fact]
    public async Task Operations_of_clients_are_counted_where_they_were_asked_for()
    {
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("echo/start", "instanceID=counted&appID=there", "1"));
        Assert.Equal(HttpStatusCode.OK, (await _here.SendAsync("GET", $"{Workflows}/counted?appID=there")).Status);
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("counted/raiseEvent/late", "appID=there", "1"));
        Assert.Equal(HttpStatusCode.Accepted, await PostAsync("counted/purge", "appID=there"));
        Assert.Equal(HttpStatusCode.NotFound, await PostAsync("counted/purge", "appID=there"));
        var text = await _here.MetricsAsync();
        foreach (var (operation, status) in new[] { ("create_workflow", "success"), ("get_workflow", "success"), ("add_event", "success"), ("purge_workflow", "success"), ("purge_workflow", "failed") })
            Assert.Contains($$"""dapr_runtime_workflow_operation_count{app_id="here",namespace="",operation="{{operation}}",status="{{status}}"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""dapr_runtime_workflow_operation_latency_count{app_id="here",namespace="",operation="create_workflow",status="success"} 1""", text, StringComparison.Ordinal);
        Assert.DoesNotContain("dapr_runtime_workflow_operation_count{", await _there.MetricsAsync(), StringComparison.Ordinal);
    }

    private static string Policy(string caller, string operations) =>
        $"apiVersion: dapr.io/v1alpha1\nkind: WorkflowAccessPolicy\nmetadata:\n  name: who\nspec:\n  rules:\n  - callers: [{{appID: {caller}}}]\n    workflows: [{{name: '*', operations: [{operations}]}}]\n";

    private static Task<RunningSidecar> StartAsync(string appId, RunningSidecar? beside) => RunningSidecar.StartAsync(
        [RunningSidecar.Component("store", "state.in-memory", ("actorStateStore", "true"))],
        change: o => o with { AppId = appId, PlacementHostAddress = "localhost:50005", SchedulerHostAddress = "localhost:50006" },
        beside: beside);

    private async Task<HttpStatusCode> PostAsync(string path, string query, string? body = null) => (await _here.SendAsync("POST", $"{Workflows}/{path}?{query}", body)).Status;
}
