using System.Net;
using System.Text.Json.Nodes;

namespace DaprPlatform.Sidecar.Hosting.Tests;

/// <summary>The actor state store comes, goes and is replaced while the sidecar runs.</summary>
public sealed class ActorStoreReloadTests
{
    private const string Workflows = "/v1.0/workflows/dapr";
    private const string Call = "/v1.0/actors/cat/tom/method/meow";

    [Fact]
    public async Task Actors_are_hosted_as_long_as_there_is_a_store_for_their_state()
    {
        await using var app = (await StandInApp.StartAsync()).On("/dapr/config", """{"entities":["cat"]}""").On("/actors/cat/tom/method/meow").On("/actors/cat/tom");
        await using var sidecar = await StartAsync([], app.Port);
        Assert.Contains("ERR_ACTOR_RUNTIME_NOT_FOUND", (await sidecar.SendAsync("GET", "/v1.0/actors/cat/tom/state/k")).Text);

        sidecar.Write("s.yaml", Store("first"));
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("POST", Call)).Status == HttpStatusCode.OK, "the actor is called");
        Assert.Equal(HttpStatusCode.NoContent, (await sidecar.SendAsync("POST", "/v1.0/actors/cat/tom/state", """[{"operation":"upsert","request":{"key":"k","value":1}}]""")).Status);

        // A second store is no reason to end, and changes nothing.
        sidecar.Write("t.yaml", Store("second"));
        sidecar.Write("u.yaml", RunningSidecar.Component("plain", "state.in-memory"));
        await RunningSidecar.UntilAsync(async () => (await MetadataAsync(sidecar)).Contains("plain", StringComparison.Ordinal), "the change was read");
        Assert.DoesNotContain("second", await MetadataAsync(sidecar));
        Assert.DoesNotContain("DELETE /actors/cat/tom", app.Calls);
        Assert.Equal("1", (await sidecar.SendAsync("GET", "/v1.0/actors/cat/tom/state/k")).Text);

        // When the first goes the second takes over; the actor is deactivated between them.
        sidecar.Delete("s.yaml");
        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Contains("DELETE /actors/cat/tom")), "the actor is deactivated");
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("POST", Call)).Status == HttpStatusCode.OK, "the actor is called again");
        Assert.Equal(HttpStatusCode.NoContent, (await sidecar.SendAsync("GET", "/v1.0/actors/cat/tom/state/k")).Status);

        sidecar.Delete("t.yaml");
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("GET", "/v1.0/actors/cat/tom/state/k")).Text.Contains("ERR_ACTOR_RUNTIME_NOT_FOUND", StringComparison.Ordinal), "there is no store");
        await RunningSidecar.UntilAsync(() => Task.FromResult(app.Calls.Count(c => c == "DELETE /actors/cat/tom") == 2), "the actor is deactivated again");
    }

    [Fact]
    public async Task A_worker_that_was_there_before_the_store_runs_workflows_once_it_is_there_and_again_after_it_was_gone()
    {
        await using var sidecar = await StartAsync([], null);
        await using var worker = new InstantWorker(sidecar.Sidecar.Options.GrpcPort, (_, input) => input.ToJsonString());
        await RunningSidecar.UntilAsync(async () => (await MetadataAsync(sidecar)).Contains("connectedWorkers", StringComparison.Ordinal), "the worker is connected");
        Assert.Contains("ERR_START_WORKFLOW", (await sidecar.SendAsync("POST", $"{Workflows}/echo/start", "1")).Text);

        foreach (var round in new[] { "one", "two" })
        {
            sidecar.Write("s.yaml", Store("store"));
            await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("POST", $"{Workflows}/echo/start?instanceID={round}", "7")).Status == HttpStatusCode.Accepted, "a workflow is started");
            await RunningSidecar.UntilAsync(async () => (string?)JsonNode.Parse((await sidecar.SendAsync("GET", $"{Workflows}/{round}")).Text)!["runtimeStatus"] == "COMPLETED", "it ends");
            sidecar.Delete("s.yaml");
            await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("GET", $"{Workflows}/{round}")).Status == HttpStatusCode.InternalServerError, "there is no store");
        }
    }

    [Fact]
    public async Task Workflows_go_on_with_what_the_changed_store_holds()
    {
        await using var sidecar = await StartAsync([Sqlite("5s")], null);
        await using var worker = new InstantWorker(sidecar.Sidecar.Options.GrpcPort, (_, input) => input.ToJsonString());
        Assert.Equal(HttpStatusCode.Accepted, (await sidecar.SendAsync("POST", $"{Workflows}/echo/start?instanceID=one", "7")).Status);
        sidecar.Write("r0.yaml", Sqlite("6s"));
        sidecar.Write("u.yaml", RunningSidecar.Component("plain", "state.in-memory"));
        await RunningSidecar.UntilAsync(async () => (await MetadataAsync(sidecar)).Contains("plain", StringComparison.Ordinal), "the change was read");
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("GET", $"{Workflows}/one")).Text.Contains("COMPLETED", StringComparison.Ordinal), "the instance is there");
        await RunningSidecar.UntilAsync(async () => (await sidecar.SendAsync("POST", $"{Workflows}/echo/start?instanceID=two", "8")).Status == HttpStatusCode.Accepted, "another is started");
    }

    private static string Store(string name) => RunningSidecar.Component(name, "state.in-memory", ("actorStateStore", "true"));

    private static string Sqlite(string busy) => RunningSidecar.Component("store", "state.sqlite", ("connectionString", "$DIR/state.db"), ("busyTimeout", busy), ("actorStateStore", "true"));

    private static async Task<string> MetadataAsync(RunningSidecar sidecar) => (await sidecar.SendAsync("GET", "/v1.0/metadata")).Text;

    private static Task<RunningSidecar> StartAsync(IEnumerable<string> resources, int? appPort) =>
        RunningSidecar.StartAsync(resources, appPort, change: o => o with { PlacementHostAddress = "localhost:50005", SchedulerHostAddress = "localhost:50006" });
}
