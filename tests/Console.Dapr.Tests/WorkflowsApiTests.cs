using System.Net;
using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Workflow.Tests;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Cli.OpsConsole.Tests;

public sealed class WorkflowsApiTests(ConsoleWorld world) : IClassFixture<ConsoleWorld>
{
    [Fact]
    public async Task An_instance_is_followed_from_its_start_to_its_end()
    {
        await using var worker = await world.WorkerAsync();
        var client = await world.ClientAsync();
        var start = client.StartAsync("order-1", "Order", "{\"n\":1}", null, new TraceContext { TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }, ConsoleWorld.Token);
        var turn = await worker.TurnAsync();
        await worker.AnswerAsync(turn, Act.Task(0, "Charge", "7"), Act.Timer(1, DateTimeOffset.UtcNow.AddHours(1)),
            new WorkflowAction { Id = 2, CreateTimer = new CreateTimerAction { FireAt = Timestamp.FromDateTimeOffset(DateTimeOffset.UtcNow.AddHours(2)), ExternalEvent = new TimerOriginExternalEvent { Name = "approval" } } });
        await start.WaitAsync(ConsoleWorld.Patience, ConsoleWorld.Token);

        var running = await world.GetAsync("workflows/shop/order-1");
        Assert.Equal(("Order", "running", "{\"n\":1}", "0af7651916cd43dd8448eb211c80319c"), ((string?)running["name"], (string?)running["status"], (string?)running["input"], (string?)running["traceId"]));
        Assert.Equal(["activity Charge", "event approval", "timer"], running["awaiting"]!.AsArray().Select(a => (string?)a!["kind"] == "timer" ? "timer" : $"{a["kind"]} {a["name"]}").Order());

        var charged = worker.AnswerAsync(await worker.ActivityAsync(), "\"paid\"");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(3, "RefundPayment", "7"));
        await charged;
        var refunded = worker.AnswerAsync(await worker.ActivityAsync(), "\"back\"");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(4, "\"over\""));
        await refunded;

        var ended = await world.GetAsync("workflows/shop/order-1");
        Assert.Equal(("completed", "\"over\""), ((string?)ended["status"], (string?)ended["output"]));
        Assert.Empty(ended["awaiting"]!.AsArray());
        var history = await world.GetAsync("workflows/shop/order-1/history");
        Assert.Equal(3, (int)history["turns"]!);
        var events = history["events"]!.AsArray();
        Assert.Equal(Enumerable.Range(1, events.Count), events.Select(e => (int)e!["number"]!));
        Assert.Equal((1, "Charge"), events.Where(e => (string?)e!["type"] == "taskScheduled").Select(e => ((int)e!["turn"]!, (string?)e["name"])).First());
        Assert.Equal((2, 0), events.Where(e => (string?)e!["type"] == "taskCompleted").Select(e => ((int)e!["turn"]!, (int)e["detail"]!["of"]!)).First());
        var charge = history["steps"]!.AsArray().First(s => (string?)s!["name"] == "Charge")!;
        Assert.Equal((0, "succeeded", "7", "\"paid\"", 1, 1), ((int)charge["action"]!, (string?)charge["state"], (string?)charge["input"], (string?)charge["output"], (int)charge["attempt"]!, (int)charge["turn"]!));
        Assert.Null(charge["compensation"]);
        Assert.True((bool)history["steps"]!.AsArray().First(s => (string?)s!["name"] == "RefundPayment")!["compensation"]!);

        var (status, rerun) = await world.SendAsync("POST", "workflows/shop/order-1/rerun", """{"from":0,"newId":"order-1-again","input":8}""");
        Assert.Equal((HttpStatusCode.OK, "order-1-again"), (status, (string?)rerun!["id"]));
        var charge8 = await worker.ActivityAsync();
        Assert.Equal("8", charge8.Input);
        Assert.Equal("order-1", (string?)(await world.GetAsync("workflows/shop/order-1-again"))["rerunOf"]);
        Assert.Equal(HttpStatusCode.Conflict, (await world.SendAsync("DELETE", "workflows/shop/order-1-again")).Status);
        Assert.Equal(HttpStatusCode.OK, (await world.SendAsync("DELETE", "workflows/shop/order-1")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", "workflows/shop/order-1")).Status);
        var again = worker.AnswerAsync(charge8, "\"paid\"");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(3, "\"over\""));
        await again;
    }

    [Fact]
    public async Task An_operator_raises_suspends_resumes_and_terminates()
    {
        await using var worker = await world.WorkerAsync();
        await StartedAsync(worker, "acted", "Wait");
        await DoneAsync(worker, world.SendAsync("POST", "workflows/shop/acted/raise", """{"event":"approval","data":{"ok":true}}"""));
        await DoneAsync(worker, world.SendAsync("POST", "workflows/shop/acted/suspend", """{"reason":"lunch"}"""));
        Assert.Equal("suspended", (string?)(await world.GetAsync("workflows/shop/acted"))["status"]);
        Assert.Contains((await world.GetAsync("workflows?status=suspended"))["items"]!.AsArray(), i => (string?)i!["id"] == "acted");
        await DoneAsync(worker, world.SendAsync("POST", "workflows/shop/acted/resume"));
        Assert.Equal("running", (string?)(await world.GetAsync("workflows/shop/acted"))["status"]);
        var terminate = world.SendAsync("POST", "workflows/shop/acted/terminate", """{"output":"enough"}""");
        var turn = await worker.TurnAsync();
        await worker.AnswerAsync(turn, new WorkflowAction { Id = 9, CompleteWorkflow = new CompleteWorkflowAction { WorkflowStatus = OrchestrationStatus.Terminated, Result = "\"enough\"" } });
        Assert.Equal(HttpStatusCode.NoContent, (await terminate).Status);
        Assert.Contains((await world.GetAsync("workflows?status=terminated,failed"))["items"]!.AsArray(), i => (string?)i!["id"] == "acted");
        Assert.Equal(HttpStatusCode.Conflict, (await world.SendAsync("POST", "workflows/shop/acted/suspend")).Status);
        var events = (await world.GetAsync("workflows/shop/acted/history"))["events"]!.AsArray();
        Assert.Contains(events, e => (string?)e!["type"] == "eventRaised" && (string?)e["name"] == "approval" && (string?)e["input"] == "{\"ok\":true}");
        Assert.Contains(events, e => (string?)e!["type"] == "executionSuspended" && (string?)e["input"] == "lunch");
    }

    [Fact]
    public async Task Instances_are_listed_newest_first_by_pages_and_filters()
    {
        await using var worker = await world.WorkerAsync();
        for (var i = 0; i < 5; i++)
            await StartedAsync(worker, $"listed-{i}", i % 2 == 0 ? "Even" : "Odd");
        var first = await world.GetAsync("workflows?text=LISTED&limit=2");
        Assert.Equal(["listed-4", "listed-3"], first["items"]!.AsArray().Select(i => (string?)i!["id"]));
        var second = await world.GetAsync($"workflows?text=LISTED&limit=2&after={first["next"]}");
        Assert.Equal(["listed-2", "listed-1"], second["items"]!.AsArray().Select(i => (string?)i!["id"]));
        var last = await world.GetAsync($"workflows?text=LISTED&limit=2&after={second["next"]}");
        Assert.Equal("listed-0", (string?)Assert.Single(last["items"]!.AsArray())!["id"]);
        Assert.Null(last["next"]);
        Assert.Equal(["listed-3", "listed-1"], (await world.GetAsync("workflows?name=Odd&app=shop&status=running"))["items"]!.AsArray().Select(i => (string?)i!["id"]));
        var newest = (DateTimeOffset)first["items"]![0]!["createdAt"]!;
        Assert.Empty((await world.GetAsync($"workflows?text=listed&from={Uri.EscapeDataString(newest.AddHours(1).ToString("O"))}"))["items"]!.AsArray());
        Assert.Equal(5, (await world.GetAsync($"workflows?text=listed&to={Uri.EscapeDataString(newest.AddHours(1).ToString("O"))}"))["items"]!.AsArray().Count);
        Assert.True((long)(await world.GetAsync("workflows?app=shop&limit=1"))["total"]! >= 5);
        Assert.Empty((await world.GetAsync("workflows?app=nobody"))["items"]!.AsArray());
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("GET", "workflows?status=happy")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("GET", "workflows?after=x")).Status);
    }

    [Fact]
    public async Task The_stream_tells_instances_that_change()
    {
        await using var worker = await world.WorkerAsync();
        var told = await world.ToldAsync("workflows", d => (string?)d["id"] == "told", () => StartedAsync(worker, "told", "Told"));
        Assert.Equal(("shop", "Told", "running"), ((string?)told["app"], (string?)told["name"], (string?)told["status"]));
    }

    [Fact]
    public async Task What_is_not_there_or_not_said_is_refused()
    {
        await using var worker = await world.WorkerAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", "workflows/shop/nothing")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("GET", "workflows/shop/nothing/history")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("POST", "workflows/shop/nothing/suspend")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("POST", "workflows/nobody/nothing/suspend")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("DELETE", "workflows/shop/nothing")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await world.SendAsync("POST", "workflows/shop/nothing/rerun", """{"from":0}""")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("POST", "workflows/shop/nothing/raise", "{}")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.SendAsync("POST", "workflows/shop/nothing/rerun", "{}")).Status);
    }

    private async Task StartedAsync(FakeWorker worker, string id, string name)
    {
        var started = (await world.ClientAsync()).StartAsync(id, name, null, null, null, ConsoleWorld.Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await started.WaitAsync(ConsoleWorld.Patience, ConsoleWorld.Token);
    }

    // An action on an instance is a turn of its own.
    private static async Task DoneAsync(FakeWorker worker, Task<(HttpStatusCode Status, JsonNode? Body)> action)
    {
        var turn = worker.TurnAsync();
        if (await Task.WhenAny(action, turn) == action)
            Assert.Fail($"refused: {(await action).Status} {(await action).Body?.ToJsonString()}");
        await worker.AnswerAsync(await turn);
        Assert.Equal(HttpStatusCode.NoContent, (await action).Status);
    }
}
