using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>Workflows that stand for the tools of a declared server of the Model Context Protocol.</summary>
public sealed class McpTests
{
    private const string Workflows = "/v1.0/workflows/dapr";

    [Theory]
    [InlineData("streamableHTTP", "/mcp", false)]
    [InlineData("streamableHTTP", "/mcp", true)]
    [InlineData("sse", "/sse", false)]
    public async Task The_tools_of_a_server_are_listed_and_called_by_workflows(string transport, string path, bool streams)
    {
        await using var mcp = await StandInMcp.StartAsync(streams);
        await using var sidecar = await StartAsync($"endpoint: {{{transport}: {{url: 'http://127.0.0.1:{mcp.Port}{path}'}}}}");

        var tools = await OutputAsync(sidecar, "dapr.internal.mcp.tools.ListTools", "{}");
        Assert.Equal(["weather", "broken"], tools["tools"]!.AsArray().Select(t => (string)t!["name"]!));
        Assert.Equal("city", (string)tools["tools"]![0]!["inputSchema"]!["required"]![0]!);

        var result = await OutputAsync(sidecar, "dapr.internal.mcp.tools.CallTool.weather", """{"arguments":{"city":"Oslo"}}""");
        Assert.False((bool)result["isError"]!);
        Assert.Equal("Oslo: sunny", (string)result["content"]![0]!["text"]!);
        Assert.Equal(["""{"city":"Oslo"}"""], mcp.Arguments);
        // The list is that of the connection: nobody asked again.
        Assert.Equal(2, mcp.Methods.Count(m => m == "tools/list"));
    }

    [Fact]
    public async Task A_server_that_is_a_process_is_spoken_to_by_its_standard_streams()
    {
        const string Script = """
            while read -r line; do
              id=${line#*\"id\":}; id=${id%%,*}
              case "$line" in
                *'"initialize"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-06-18"}}';;
                *'"tools/list"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"tools":[{"name":"greet"}]}}';;
                *'"tools/call"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"content":[{"type":"text","text":"'$GREETING'"}]}}';;
              esac
            done
            """;
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, Script);
        await using var sidecar = await StartAsync($"endpoint: {{stdio: {{command: /bin/sh, args: ['{file}'], env: [{{name: GREETING, value: hello}}]}}}}");
        var result = await OutputAsync(sidecar, "dapr.internal.mcp.tools.CallTool.greet", "{}");
        Assert.Equal("hello", (string)result["content"]![0]!["text"]!);
        File.Delete(file);
    }

    [Fact]
    public async Task What_is_wrong_with_a_call_is_its_result()
    {
        await using var mcp = await StandInMcp.StartAsync();
        await using var sidecar = await StartAsync(Http(mcp));
        foreach (var (tool, input, words) in new[] { ("weather", """{"arguments":{}}""", "city"), ("weather", "", "city"), ("weather", """{"arguments":[]}""", "arguments"), ("broken", "{}", "it is broken") })
        {
            var result = await OutputAsync(sidecar, $"dapr.internal.mcp.tools.CallTool.{tool}", input);
            Assert.True((bool)result["isError"]!);
            Assert.Contains(words, (string)result["content"]![0]!["text"]!);
        }

        // What lacks an argument never reaches the server.
        Assert.Empty(mcp.Arguments);
    }

    [Fact]
    public async Task Names_of_no_loaded_server_and_of_no_tool_cannot_be_started()
    {
        await using var mcp = await StandInMcp.StartAsync();
        await using var sidecar = await StartAsync(Http(mcp));
        foreach (var name in new[] { "dapr.internal.mcp.other.ListTools", "dapr.internal.mcp.tools.CallTool.nothing", "dapr.internal.mcp.tools" })
        {
            var (status, text) = await sidecar.SendAsync("POST", $"{Workflows}/{name}/start", "{}");
            Assert.Equal(HttpStatusCode.BadRequest, status);
            Assert.Contains("ERR_WORKFLOW_NAME_RESERVED", text);
        }
    }

    [Fact]
    public async Task A_session_that_the_server_has_ended_is_begun_anew()
    {
        await using var mcp = await StandInMcp.StartAsync();
        await using var sidecar = await StartAsync(Http(mcp));
        mcp.EndSession();
        var result = await OutputAsync(sidecar, "dapr.internal.mcp.tools.CallTool.weather", """{"arguments":{"city":"Rome"}}""");
        Assert.Equal("Rome: sunny", (string)result["content"]![0]!["text"]!);
        Assert.Equal(2, mcp.Methods.Count(m => m == "initialize"));
    }

    [Fact]
    public async Task Each_request_carries_the_declared_headers_or_the_token_of_client_credentials()
    {
        await using var mcp = await StandInMcp.StartAsync();
        mcp.App.Answers["/token"] = async context =>
        {
            var form = await context.Request.ReadFormAsync();
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync($$"""{"access_token":"{{form["grant_type"]}}/{{form["scope"]}}/{{form["audience"]}}/{{Encoding.UTF8.GetString(Convert.FromBase64String(context.Request.Headers.Authorization.ToString()["Basic ".Length..]))}}","expires_in":3600}""");
        };
        var url = $"http://127.0.0.1:{mcp.Port}";
        await using (var sidecar = await StartAsync($"endpoint: {{streamableHTTP: {{url: '{url}/mcp', auth: {{secretStore: secrets, oauth2: {{issuer: '{url}/token', clientID: me, audience: aud, scopes: [a, b], secretKeyRef: {{name: hidden, key: hidden}}}}}}}}}}"))
            Assert.All(mcp.Credentials, c => Assert.Equal("Bearer client_credentials/a b/aud/me:pass", c));
        Assert.Single(mcp.App.Calls, c => c == "POST /token");

        mcp.Credentials.Clear();
        await using var fixedHeaders = await StartAsync($"endpoint: {{streamableHTTP: {{url: '{url}/mcp', headers: [{{name: Authorization, secretKeyRef: {{name: hidden, key: hidden}}}}], auth: {{secretStore: secrets}}}}}}");
        Assert.NotEmpty(mcp.Credentials);
        Assert.All(mcp.Credentials, c => Assert.Equal("pass", c));
    }

    [Fact]
    public async Task A_server_that_cannot_be_connected_to_ends_the_sidecar_unless_errors_are_to_be_ignored()
    {
        var nowhere = $"endpoint: {{streamableHTTP: {{url: 'http://127.0.0.1:{DaprSidecar.FreePort()}/mcp'}}}}";
        await Assert.ThrowsAsync<SidecarException>(() => StartAsync(nowhere));
        await Assert.ThrowsAsync<SidecarException>(() => StartAsync("endpoint: {streamableHTTP: {url: 'http://127.0.0.1:9/mcp', auth: {spiffe: {jwt: {header: h, audience: a}}}}}"));
        await using var sidecar = await StartAsync(nowhere + "\n  ignoreErrors: true");
        Assert.Contains("ERR_WORKFLOW_NAME_RESERVED", (await sidecar.SendAsync("POST", $"{Workflows}/dapr.internal.mcp.tools.ListTools/start", "{}")).Text);
    }

    [Fact]
    public async Task A_server_that_is_only_starting_is_waited_for()
    {
        await using var mcp = await StandInMcp.StartAsync();
        var served = mcp.App.Answers["/mcp"];
        var refused = 0;
        mcp.App.Answers["/mcp"] = context =>
        {
            if (Interlocked.Increment(ref refused) > 2)
                return served(context);
            context.Response.StatusCode = StatusCodes.Status502BadGateway;
            return Task.CompletedTask;
        };
        await using var sidecar = await StartAsync(Http(mcp));
        Assert.Equal(2, (await OutputAsync(sidecar, "dapr.internal.mcp.tools.ListTools", "{}"))["tools"]!.AsArray().Count);
    }

    [Fact]
    public async Task A_server_is_connected_to_while_the_sidecar_runs_and_its_workflows_go_with_it()
    {
        await using var mcp = await StandInMcp.StartAsync();
        await using var sidecar = await StartAsync(null);
        sidecar.Write("m.yaml", Server(Http(mcp)));
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("POST", $"{Workflows}/dapr.internal.mcp.tools.ListTools/start", "{}")).Status == HttpStatusCode.Accepted, "the workflow can be started");
        sidecar.Delete("m.yaml");
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("POST", $"{Workflows}/dapr.internal.mcp.tools.ListTools/start", "{}")).Status == HttpStatusCode.BadRequest, "the workflow is gone");
    }

    [Fact]
    public async Task Hooks_see_change_and_refuse_what_they_stand_around()
    {
        await using var mcp = await StandInMcp.StartAsync();
        await using var sidecar = await StartAsync(Http(mcp) + """

              middleware:
                beforeCallTool:
                - workflow: {workflowName: check}
                - workflow: {workflowName: redirect}
                  mutate: true
                afterCallTool:
                - workflow: {workflowName: stamp}
                  mutate: true
                - workflow: {workflowName: gate}
                afterListTools:
                - workflow: {workflowName: gate}
            """);
        var seen = new ConcurrentDictionary<string, JsonNode>();
        await using var worker = new InstantWorker(sidecar.Sidecar.Options.GrpcPort, (name, input) =>
        {
            seen[name] = input;
            switch (name)
            {
                case "check":
                    return (string)input["arguments"]!["city"]! == "Atlantis" ? throw new InvalidOperationException("there is no such city") : null;
                case "redirect":
                    input["arguments"]!["city"] = "Paris";
                    return input.ToJsonString();
                case "stamp":
                    var result = JsonNode.Parse(Convert.FromBase64String((string)input["result"]!))!;
                    result["content"]![0]!["text"] = $"{result["content"]![0]!["text"]} (stamped)";
                    input["result"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(result.ToJsonString()));
                    return input.ToJsonString();
                default:
                    throw new InvalidOperationException("closed");
            }
        });

        var refused = await OutputAsync(sidecar, "dapr.internal.mcp.tools.CallTool.weather", """{"arguments":{"city":"Atlantis"}}""");
        Assert.True((bool)refused["isError"]!);
        Assert.Equal("there is no such city", (string)refused["content"]![0]!["text"]!);
        Assert.Empty(mcp.Arguments);

        // The gate after the call fails the workflow, and only after the others have had their say.
        var failed = await EndAsync(sidecar, "dapr.internal.mcp.tools.CallTool.weather", """{"arguments":{"city":"Rome"}}""");
        Assert.Equal("FAILED", (string)failed["runtimeStatus"]!);
        Assert.Equal("closed", (string)failed["properties"]!["dapr.workflow.failure.error_message"]!);
        Assert.Equal(["""{"city":"Paris"}"""], mcp.Arguments);
        Assert.Equal("tools", (string)seen["gate"]["name"]!);
        Assert.Equal("weather", (string)seen["gate"]["toolName"]!);
        Assert.Contains("Paris: sunny (stamped)", Encoding.UTF8.GetString(Convert.FromBase64String((string)seen["gate"]["result"]!)));

        // Hooks after a list only watch.
        Assert.Equal(2, (await OutputAsync(sidecar, "dapr.internal.mcp.tools.ListTools", "{}"))["tools"]!.AsArray().Count);
    }

    [Fact]
    public async Task The_sidecars_own_work_does_not_hold_up_the_apps_nor_go_to_its_workers()
    {
        await using var mcp = await StandInMcp.StartAsync();
        await using var sidecar = await StartAsync(Http(mcp));
        var gate = new TaskCompletionSource();
        mcp.Gate = gate.Task;
        var (_, started) = await sidecar.SendAsync("POST", $"{Workflows}/dapr.internal.mcp.tools.CallTool.weather/start?instanceID=held", """{"arguments":{"city":"Oslo"}}""");
        Assert.Contains("held", started);
        var seen = new ConcurrentDictionary<string, JsonNode>();
        await using var worker = new InstantWorker(sidecar.Sidecar.Options.GrpcPort, (name, input) =>
        {
            seen[name] = input;
            return input.ToJsonString();
        });
        Assert.Equal("""{"a":1}""", (await OutputAsync(sidecar, "own", """{"a":1}""")).ToJsonString());
        Assert.Equal(["own"], seen.Keys);
        Assert.Contains("RUNNING", (await sidecar.SendAsync("GET", $"{Workflows}/held")).Text);
        gate.SetResult();
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("GET", $"{Workflows}/held")).Text.Contains("Oslo: sunny", StringComparison.Ordinal), "the call ends");
    }

    private static string Http(StandInMcp mcp) => $"endpoint: {{streamableHTTP: {{url: 'http://127.0.0.1:{mcp.Port}/mcp'}}}}";

    private static string Server(string spec) => $"apiVersion: dapr.io/v1alpha1\nkind: MCPServer\nmetadata:\n  name: tools\nspec:\n  {spec}\n";

    private static Task<RunningSidecar> StartAsync(string? spec) => RunningSidecar.StartAsync(
    [
        RunningSidecar.Component("store", "state.in-memory", ("actorStateStore", "true")),
        RunningSidecar.Component("secrets", "secretstores.local.env"),
        .. spec is null ? Array.Empty<string>() : [Server(spec)],
    ], change: o => o with { PlacementHostAddress = "localhost:50005", SchedulerHostAddress = "localhost:50006", Environment = new Dictionary<string, string> { ["hidden"] = "pass" } });

    private static async Task<JsonNode> OutputAsync(RunningSidecar sidecar, string workflow, string input)
    {
        var state = await EndAsync(sidecar, workflow, input);
        Assert.Equal("COMPLETED", (string)state["runtimeStatus"]!);
        return JsonNode.Parse((string)state["properties"]!["dapr.workflow.output"]!)!;
    }

    private static async Task<JsonNode> EndAsync(RunningSidecar sidecar, string workflow, string input)
    {
        var (status, text) = await sidecar.SendAsync("POST", $"{Workflows}/{workflow}/start", input);
        Assert.True(status == HttpStatusCode.Accepted, text);
        var id = (string)JsonNode.Parse(text)!["instanceID"]!;
        JsonNode state = new JsonObject();
        await RunningSidecar.UntilAsync(async () => (string?)(state = JsonNode.Parse((await sidecar.SendAsync("GET", $"{Workflows}/{id}")).Text)!)["runtimeStatus"] is "COMPLETED" or "FAILED", "the workflow ends");
        return state;
    }
}
