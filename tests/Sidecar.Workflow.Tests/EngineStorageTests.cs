using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>Instances in the engine's own tables, on a real file.</summary>
public sealed class EngineStorageTests : IAsyncLifetime
{
    private static readonly WorkflowSettings NoLimits = new(null, null, null, null, null, null);
    private readonly string _folder = Directory.CreateTempSubdirectory("workflow-storage-").FullName;
    private readonly ManualTime _time = new();
    private DurableStore _store = null!;
    private WorkflowHub _hub = null!;
    private WorkflowClient _client = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        Open();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task An_instance_goes_on_from_its_history_after_a_restart()
    {
        await using (var worker = new FakeWorker(_hub))
        {
            var started = Start("survivor");
            await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "done before"), Act.Task(1, "open"));
            await started;
            var before = await worker.ActivityAsync();
            await worker.ActivityAsync();
            var answered = worker.AnswerAsync(before, "kept");
            await worker.AnswerAsync(await worker.TurnAsync());
            await answered;
        }

        await RestartAsync();
        await using var next = new FakeWorker(_hub);
        var open = await next.ActivityAsync();
        Assert.Equal("open", open.Name);
        var rest = next.AnswerAsync(open, "x");
        var turn = await next.TurnAsync();
        Assert.Contains(turn.PastEvents, e => e.TaskCompleted?.Result == "kept");
        await next.AnswerAsync(turn, Act.Done(2, "ok"));
        await rest;
        await RestartAsync();
        Assert.Equal("ok", (await _client.GetAsync("survivor", withPayloads: true, Token))!.Output);
    }

    [Fact]
    public async Task What_a_parent_showed_of_its_history_is_kept_as_long_as_the_instance()
    {
        PropagatedHistory shown;
        await using (var worker = new FakeWorker(_hub))
        {
            var started = Start("parent");
            var child = Act.Child(0, "kid", "child");
            child.CreateChildWorkflow.HistoryPropagationScope = HistoryPropagationScope.Lineage;
            await worker.AnswerAsync(await worker.TurnAsync(), child);
            await started;
            var turn = await worker.TurnAsync();
            shown = turn.PropagatedHistory;
            await worker.AnswerAsync(turn, Act.Again(0, "next"));
            await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "step"));
        }

        await RestartAsync();
        await using var next = new FakeWorker(_hub);
        _ = next.AnswerAsync(await next.ActivityAsync(), "x");
        var again = await next.TurnAsync();
        Assert.Equal(("parent", shown), (Assert.Single(shown.Chunks).InstanceId, again.PropagatedHistory));
        await next.AnswerAsync(again, Act.Done(1));
        await next.AnswerAsync(await next.TurnAsync(), Act.Done(1));
        await _client.PurgeAsync("parent", recurse: true, force: false, Token);
        Assert.Equal(0, await _store.ReadAsync(connection =>
        {
            var rows = connection.Prepared("SELECT count(*) FROM wf_propagated");
            rows.Read();
            var count = rows.Integer(0);
            rows.Reset();
            return count;
        }));
    }

    [Fact]
    public async Task An_event_without_a_turn_and_a_custom_status_are_kept()
    {
        await using (var worker = new FakeWorker(_hub))
        {
            var started = Start("busy");
            var response = new WorkflowResponse { InstanceId = (await worker.TurnAsync()).InstanceId, CustomStatus = "waiting" };
            await _hub.CompleteTurnAsync(response, Token);
            await started;
            var raise = _client.RaiseAsync("busy", "one", "1", Token);
            await worker.TurnAsync();
            _time.Advance(TimeSpan.FromMilliseconds(60));
            await raise.WaitAsync(TimeSpan.FromSeconds(30), Token);
        }

        await RestartAsync();
        Assert.Equal("waiting", (await _client.GetAsync("busy", withPayloads: true, Token))!.CustomStatus);
        await using var next = new FakeWorker(_hub);
        Assert.Equal("one", (await next.TurnAsync()).NewEvents[^1].EventRaised.Name);
    }

    [Fact]
    public async Task An_activity_whose_result_waits_for_its_turn_does_not_run_again_after_a_restart()
    {
        await using (var worker = new FakeWorker(_hub))
        {
            var started = Start("answered");
            await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "once"));
            await started;
            var answered = worker.AnswerAsync(await worker.ActivityAsync(), "kept");
            await worker.TurnAsync();
            _time.Advance(TimeSpan.FromMilliseconds(60));
            await answered;
        }

        await RestartAsync();
        await using var next = new FakeWorker(_hub);
        var turn = await next.TurnAsync();
        Assert.Equal("kept", turn.NewEvents[^1].TaskCompleted.Result);
        await next.AnswerAsync(turn, Act.Done(1));
        Assert.False(next.HasItem);
    }

    [Fact]
    public async Task Continue_as_new_and_reuse_of_an_id_leave_nothing_of_the_history_before()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("loop");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "work"));
        await started;
        var done = worker.AnswerAsync(await worker.ActivityAsync(), "x");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Again(1, "2"));
        await done;
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(0, "first"));
        Assert.Equal(3, (await _client.HistoryAsync("loop", Token))!.Count);
        var again = Start("loop");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(0, "second"));
        await again;
        await RestartAsync();
        Assert.Equal(3, (await _client.HistoryAsync("loop", Token))!.Count);
        Assert.Equal("second", (await _client.GetAsync("loop", withPayloads: true, Token))!.Output);
    }

    [Fact]
    public async Task Instances_are_listed_in_pages_and_a_purged_one_is_gone()
    {
        await using var worker = new FakeWorker(_hub);
        foreach (var id in (string[])["c", "a", "b"])
        {
            var started = Start(id);
            await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(0));
            await started;
        }

        var (first, next) = await _client.ListAsync(null, 2, Token);
        var (second, last) = await _client.ListAsync(next, 2, Token);
        Assert.Equal(["a", "b", "c"], first.Concat(second));
        Assert.Null(last);
        Assert.Equal(1, await _client.PurgeAsync("b", recurse: true, force: false, Token));
        Assert.Equal(["a", "c"], (await _client.ListAsync(null, 10, Token)).Ids);
        await RestartAsync();
        Assert.Null(await _client.GetAsync("b", withPayloads: false, Token));
    }

    [Fact]
    public async Task Hubs_of_different_apps_do_not_see_each_other()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("mine");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(0));
        await started;
        await using var other = new WorkflowHub(new EngineWorkflowStorage(new WorkflowTables(_store), "server|default|other"), "other", NoLimits, _time, NullLoggerFactory.Instance);
        Assert.Null(await new WorkflowClient(other).GetAsync("mine", withPayloads: false, Token));
        Assert.Empty((await new WorkflowClient(other).ListAsync(null, 10, Token)).Ids);
    }

    public async ValueTask DisposeAsync()
    {
        await _hub.DisposeAsync();
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private Task Start(string id) => _client.StartAsync(id, "workflow", null, null, null, Token);

    private void Open()
    {
        _store = DurableStore.Open(Path.Combine(_folder, "engine.db"));
        _hub = new WorkflowHub(new EngineWorkflowStorage(new WorkflowTables(_store), "server|default|app"), "app", NoLimits, _time, NullLoggerFactory.Instance);
        _client = new WorkflowClient(_hub);
    }

    private async Task RestartAsync()
    {
        await _hub.DisposeAsync();
        await _store.DisposeAsync();
        Open();
    }
}
