using System.Net;
using Dapr.Proto.Runtime.V1;
using Grpc.Net.Client;
using DaprRuntime = Dapr.Proto.Runtime.V1.Dapr;

namespace DaprPlatform.Sidecar.Hosting.Tests;

public sealed class HotReloadTests
{
    [Fact]
    public async Task Input_bindings_begin_and_end_while_the_sidecar_runs()
    {
        await using var app = (await StandInApp.StartAsync()).On("/asked").On("/told");
        await using var sidecar = await RunningSidecar.StartAsync([], app.Port);

        sidecar.Write("b.yaml", RunningSidecar.Component("asked", "bindings.cron", ("schedule", "@every 1s")) + "---\n" + RunningSidecar.Component("told", "bindings.cron", ("schedule", "@every 1s"), ("direction", "input")));

        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Contains("POST /asked") && app.Calls.Contains("POST /told")), "both bindings run");
        Assert.Contains("OPTIONS /asked", app.Calls);
        Assert.DoesNotContain("OPTIONS /told", app.Calls);

        // The one that is left has a clock of its own: once it has called several times, the other would have too.
        sidecar.Write("b.yaml", RunningSidecar.Component("told", "bindings.cron", ("schedule", "@every 1s"), ("direction", "input")));
        await RunningSidecar.UntilAsync(async () => !(await sidecar.SendAsync("GET", "/v1.0/metadata")).Text.Contains("\"asked\"", StringComparison.Ordinal), "the binding is taken away");
        await WaitForMoreAsync(app, "POST /told", 1);
        var before = app.Calls.Count(c => c == "POST /asked");
        await WaitForMoreAsync(app, "POST /told", 3);
        Assert.Equal(before, app.Calls.Count(c => c == "POST /asked"));
    }

    [Fact]
    public async Task An_app_is_asked_for_a_binding_once_however_much_else_changes()
    {
        await using var app = await StandInApp.StartAsync();
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("refused", "bindings.cron", ("schedule", "@every 1h"))], app.Port);
        Assert.Single(app.Calls, "OPTIONS /refused");

        sidecar.Write("s.yaml", RunningSidecar.Component("s", "state.in-memory"));
        sidecar.Write("b.yaml", RunningSidecar.Component("later", "bindings.cron", ("schedule", "@every 1h")));
        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Contains("OPTIONS /later")), "the new binding is asked for");
        Assert.Single(app.Calls, "OPTIONS /refused");

        sidecar.Write("r0.yaml", RunningSidecar.Component("refused", "bindings.cron", ("schedule", "@every 2h")));
        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Count(c => c == "OPTIONS /refused") == 2), "the changed binding is asked for");
    }

    [Fact]
    public async Task An_app_is_asked_for_its_subscriptions_when_the_first_pub_sub_comes()
    {
        await using var app = (await StandInApp.StartAsync()).On("/dapr/subscribe", """[{"pubsubname":"late","topic":"t","route":"/t"}]""").On("/t");
        await using var sidecar = await RunningSidecar.StartAsync([], app.Port);
        Assert.DoesNotContain("GET /dapr/subscribe", app.Calls);

        sidecar.Write("p.yaml", RunningSidecar.Component("late", "pubsub.in-memory"));

        await RunningSidecar.UntilAsync(async () =>
        {
            await sidecar.SendAsync("POST", "/v1.0/publish/late/t", "1");
            return app.Calls.Contains("POST /t");
        }, "the app gets a message");
    }

    [Fact]
    public async Task The_metadata_show_resources_of_all_kinds_as_they_come_and_go()
    {
        await using var sidecar = await RunningSidecar.StartAsync([Resource("MCPServer", "tools", "endpoint: {sse: {url: 'http://localhost/'}}"), Resource("WorkflowAccessPolicy", "who", "rules: []"), Resource("Resiliency", "tough", "policies: {}")]);
        async Task<bool> ShowAsync(string text) => (await sidecar.SendAsync("GET", "/v1.0/metadata")).Text.Contains(text, StringComparison.Ordinal);
        Assert.True(await ShowAsync("""
            "mcpServers":[{"name":"tools"}],"workflowAccessPolicies":[{"name":"who"}],"resiliencies":[{"name":"tough"}]
            """.Trim()));
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{sidecar.Sidecar.Options.GrpcPort}");
        var metadata = await new DaprRuntime.DaprClient(channel).GetMetadataAsync(new GetMetadataRequest(), cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(("tools", "who", "tough"), (Assert.Single(metadata.McpServers).Name, Assert.Single(metadata.WorkflowAccessPolicies).Name, Assert.Single(metadata.Resiliencies).Name));

        sidecar.Write("more.yaml", Resource("WorkflowAccessPolicy", "whoelse", "rules: []"));
        await RunningSidecar.UntilAsync(() => ShowAsync("whoelse"), "the policy is shown");
        sidecar.Delete("r0.yaml");
        await RunningSidecar.UntilAsync(async () => !await ShowAsync("mcpServers"), "the server is gone");
    }

    [Fact]
    public async Task A_component_that_cannot_be_changed_is_gone_where_its_errors_are_to_be_ignored()
    {
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("s", "state.in-memory"), RunningSidecar.Component("other", "state.in-memory")]);

        sidecar.Write("r0.yaml", RunningSidecar.Component("s", "state.nosuch").Replace("  version: v1\n", "  version: v1\n  ignoreErrors: true\n", StringComparison.Ordinal));

        await RunningSidecar.UntilAsync(async () => !(await sidecar.SendAsync("GET", "/v1.0/metadata")).Text.Contains("\"name\":\"s\"", StringComparison.Ordinal), "the component is gone");
        Assert.Equal(HttpStatusCode.BadRequest, (await sidecar.SendAsync("GET", "/v1.0/state/s/k")).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await sidecar.SendAsync("GET", "/v1.0/state/other/k")).Status);

        sidecar.Write("r0.yaml", RunningSidecar.Component("s", "state.in-memory"));
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("GET", "/v1.0/state/s/k")).Status == HttpStatusCode.NoContent, "the component is there again");
    }

    [Fact]
    public async Task A_component_comes_with_the_secret_store_it_waits_for()
    {
        var waiting = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: s\nspec:\n  type: state.in-memory\n  version: v1\n  metadata:\n  - name: any\n    secretKeyRef:\n      name: PATH\n      key: PATH\nauth:\n  secretStore: later\n";
        await using var sidecar = await RunningSidecar.StartAsync([waiting, RunningSidecar.Component("other", "state.in-memory")]);
        Assert.Equal(HttpStatusCode.BadRequest, (await sidecar.SendAsync("GET", "/v1.0/state/s/k")).Status);

        sidecar.Write("later.yaml", RunningSidecar.Component("later", "secretstores.local.env"));

        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("GET", "/v1.0/state/s/k")).Status == HttpStatusCode.NoContent, "the component is there");
    }

    [Fact]
    public async Task A_message_that_is_no_proper_text_does_not_end_its_subscription()
    {
        var subscription = "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: s\nspec:\n  pubsubname: p\n  topic: t\n  routes:\n    rules:\n    - match: event.data.exists(x, x == 'right')\n      path: /right\n    default: /other\n";
        await using var app = (await StandInApp.StartAsync()).On("/right").On("/other");
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("p", "pubsub.in-memory"), subscription], app.Port);

        await sidecar.SendAsync("POST", "/v1.0/publish/p/t?metadata.rawPayload=true", """{"id":"1","data":{"\ud800":1}}""");
        await sidecar.SendAsync("POST", "/v1.0/publish/p/t", """["right"]""");

        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Contains("POST /right")), "the second message is delivered");
    }

    [Fact]
    public async Task A_change_that_waits_for_a_delivery_does_not_keep_the_sidecar_from_ending()
    {
        var forever = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StandInApp.StartAsync();
        app.Answers["/t"] = _ => forever.Task;
        var subscription = "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: s\nspec:\n  pubsubname: p\n  topic: t\n  routes:\n    default: /t\n";
        await using var sidecar = await RunningSidecar.StartAsync([RunningSidecar.Component("p", "pubsub.in-memory"), subscription], app.Port, change: o => o with { GracefulShutdown = TimeSpan.FromSeconds(1) });
        Assert.Equal(HttpStatusCode.NoContent, (await sidecar.SendAsync("POST", "/v1.0/publish/p/t", "1")).Status);
        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Contains("POST /t")), "the message is being delivered");
        sidecar.Delete("r0.yaml");
        await RunningSidecar.UntilAsync(async () => !(await sidecar.SendAsync("GET", "/v1.0/metadata")).Text.Contains("pubsub.in-memory", StringComparison.Ordinal), "the component is gone");

        Assert.False(await sidecar.Sidecar.StopAsync().WaitAsync(RunningSidecar.Patience));
        forever.SetResult();
    }

    [Fact]
    public async Task A_subscription_that_cannot_begin_is_tried_again()
    {
        using var log = new LogLines();
        await using var app = await StandInApp.StartAsync();
        var broker = RunningSidecar.Component("p", "pubsub.kafka", ("brokers", "here:9092"), ("authType", "none"));
        var refused = Resource("Subscription", "s", "pubsubname: p\n  topic: no such name\n  route: /t");
        await using var sidecar = await RunningSidecar.StartAsync([broker, refused], app.Port, loggers: log);

        await RunningSidecar.UntilAsync(() => Task.FromResult(log.Count("error occurred while beginning pubsub for topic no such name on component p") >= 3), "two more attempts");
        sidecar.Write("r1.yaml", Resource("Subscription", "s", "pubsubname: p\n  topic: a-name\n  route: /t"));
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("GET", "/v1.0/metadata")).Text.Contains("a-name", StringComparison.Ordinal), "the subscription is mended");
        await RunningSidecar.UntilAsync(async () =>
        {
            await sidecar.SendAsync("POST", "/v1.0/publish/p/a-name", "1");
            return app.Calls.Contains("POST /t");
        }, "a message is delivered");
    }

    private static Task WaitForMoreAsync(StandInApp app, string call, int more)
    {
        var before = app.Calls.Count(c => c == call);
        return RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Count(c => c == call) >= before + more), $"{more} more of {call}");
    }

    private static string Resource(string kind, string name, string spec) => $"apiVersion: dapr.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n  {spec}\n";
}
