using Dapr.DurableTask.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>What workflows show the activities and children they schedule of their own history and of what they were shown.</summary>
public sealed class PropagationTests : IAsyncDisposable
{
    private static readonly WorkflowSettings NoLimits = new(null, null, null, null, null, null);
    private readonly Dictionary<string, DiskStore> _disks = [];
    private readonly ManualTime _time = new();
    private readonly Neighbours _apps = new();
    private WorkflowHub _hub;
    private WorkflowClient _client;

    public PropagationTests()
    {
        _hub = Open("app");
        _client = new WorkflowClient(_hub);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_is_shown_unless_it_is_asked_for()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("quiet");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "step"), Act.Child(1, "kid", "kid-1"));
        await started;
        var items = new[] { await worker.NextAsync(), await worker.NextAsync() };
        Assert.All(items, i => Assert.Null(i.WorkflowRequest is { } turn ? turn.PropagatedHistory : i.ActivityRequest.PropagatedHistory));
    }

    [Fact]
    public async Task An_activity_is_shown_the_events_before_it_and_nothing_after()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("order");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "validate"));
        await started;
        var validated = worker.AnswerAsync(await worker.ActivityAsync(), "valid");
        await worker.AnswerAsync(await worker.TurnAsync(), Showing(Act.Task(1, "audit"), HistoryPropagationScope.OwnHistory), Act.Task(2, "later"));
        await validated;
        var audit = await worker.ActivityAsync();

        Assert.Equal(HistoryPropagationScope.OwnHistory, audit.PropagatedHistory.Scope);
        var chunk = Assert.Single(audit.PropagatedHistory.Chunks);
        Assert.Equal(("app", "order", "workflow"), (chunk.AppId, chunk.InstanceId, chunk.WorkflowName));
        Assert.Equal([Kind.WorkflowStarted, Kind.ExecutionStarted, Kind.TaskScheduled, Kind.WorkflowStarted, Kind.TaskCompleted], Events(chunk).Select(e => e.EventTypeCase));
        // As they were written, byte for byte.
        var history = await _client.HistoryAsync("order", Token);
        Assert.Equal(history!.Take(5), Events(chunk));
        Assert.Equal(HistoryPropagationScope.OwnHistory, history!.Single(e => e.TaskScheduled?.Name == "audit").TaskScheduled.HistoryPropagationScope);
        Assert.Null((await worker.ActivityAsync()).PropagatedHistory);
    }

    [Fact]
    public async Task Lineage_hands_on_what_was_received_and_own_history_does_not()
    {
        await using var worker = new FakeWorker(_hub);
        var parent = await ParentAndChildAsync(worker);
        Assert.Equal(["root"], parent.PropagatedHistory.Chunks.Select(c => c.InstanceId));
        await worker.AnswerAsync(parent,
            Showing(Act.Child(0, "kid", "grandchild"), HistoryPropagationScope.Lineage),
            Showing(Act.Child(1, "kid", "stranger"), HistoryPropagationScope.OwnHistory));
        var turns = new[] { await worker.TurnAsync(), await worker.TurnAsync() }.ToDictionary(t => t.InstanceId, t => t.PropagatedHistory);

        Assert.Equal((HistoryPropagationScope.Lineage, "root,child"), (turns["grandchild"].Scope, string.Join(',', turns["grandchild"].Chunks.Select(c => c.InstanceId))));
        Assert.Equal((HistoryPropagationScope.OwnHistory, "child"), (turns["stranger"].Scope, string.Join(',', turns["stranger"].Chunks.Select(c => c.InstanceId))));
    }

    [Fact]
    public async Task Every_turn_of_a_child_shows_it_again_after_continue_as_new_too()
    {
        await using var worker = new FakeWorker(_hub);
        var child = await ParentAndChildAsync(worker);
        await worker.AnswerAsync(child, Act.Again(0, "next"));
        var again = await worker.TurnAsync();
        Assert.Equal(child.PropagatedHistory, again.PropagatedHistory);
        await worker.AnswerAsync(again, Act.Task(0, "step"));
        _ = worker.AnswerAsync(await worker.ActivityAsync(), "done");
        Assert.Equal(child.PropagatedHistory, (await worker.TurnAsync()).PropagatedHistory);
    }

    [Fact]
    public async Task A_restart_shows_children_and_activities_the_same_again()
    {
        PropagatedHistory shown, audited;
        await using (var worker = new FakeWorker(_hub))
        {
            var child = await ParentAndChildAsync(worker);
            shown = child.PropagatedHistory;
            await worker.AnswerAsync(child, Showing(Act.Task(0, "audit"), HistoryPropagationScope.Lineage));
            audited = (await worker.ActivityAsync()).PropagatedHistory;
        }

        await _hub.DisposeAsync();
        _hub = Open("app");
        _client = new WorkflowClient(_hub);
        await using var next = new FakeWorker(_hub);
        var activity = await next.ActivityAsync();
        Assert.Equal(("child", audited), (activity.WorkflowInstance.InstanceId, activity.PropagatedHistory));
        _ = next.AnswerAsync(activity, "ok");
        Assert.Equal(shown, (await next.TurnAsync()).PropagatedHistory);
    }

    [Fact]
    public async Task A_child_whose_start_was_lost_is_shown_the_same_as_the_first_time()
    {
        await using (var worker = new FakeWorker(_hub))
        {
            var started = StartAsync("root");
            await worker.AnswerAsync(await worker.TurnAsync(), Showing(Act.Child(0, "kid", "child"), HistoryPropagationScope.OwnHistory), Act.Task(1, "after"));
            await started;
        }

        await _hub.DisposeAsync();
        // As if the process had died between the parent's commit and the child's.
        _disks["app"].Remove("||child||");
        _hub = Open("app");
        await using var next = new FakeWorker(_hub);
        var items = new[] { await next.NextAsync(), await next.NextAsync() };
        var child = items.Single(i => i.WorkflowRequest is not null).WorkflowRequest;
        Assert.Equal("child", child.InstanceId);
        Assert.Equal([Kind.WorkflowStarted, Kind.ExecutionStarted], Events(Assert.Single(child.PropagatedHistory.Chunks)).Select(e => e.EventTypeCase));
    }

    [Fact]
    public async Task Other_apps_are_shown_it_too()
    {
        var other = Open("other");
        await using var worker = new FakeWorker(_hub);
        await using var there = new FakeWorker(other);
        var started = StartAsync("order");
        await worker.AnswerAsync(await worker.TurnAsync(),
            Showing(Act.Task(0, "charge", "other", "7"), HistoryPropagationScope.OwnHistory),
            Showing(Act.Child(1, "kid", "kid-1", "other"), HistoryPropagationScope.Lineage));
        await started;
        var items = new[] { await there.NextAsync(), await there.NextAsync() };
        var activity = items.Single(i => i.ActivityRequest is not null).ActivityRequest;
        var child = items.Single(i => i.WorkflowRequest is not null).WorkflowRequest;
        Assert.Equal(("app", "order"), (activity.PropagatedHistory.Chunks[0].AppId, activity.PropagatedHistory.Chunks[0].InstanceId));
        await there.AnswerAsync(child, Showing(Act.Child(0, "kid", "kid-2", "app"), HistoryPropagationScope.Lineage));
        var home = await worker.TurnAsync();
        Assert.Equal(["app:order", "other:kid-1"], home.PropagatedHistory.Chunks.Select(c => $"{c.AppId}:{c.InstanceId}"));
    }

    [Fact]
    public async Task A_rerun_shows_what_the_first_run_showed()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("first");
        await worker.AnswerAsync(await worker.TurnAsync(), Showing(Act.Task(0, "audit"), HistoryPropagationScope.Lineage));
        await started;
        var first = await worker.ActivityAsync();
        var answered = worker.AnswerAsync(first, "ok");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(1));
        await answered;

        await _client.RerunAsync(new RerunWorkflowFromEventRequest { SourceInstanceID = "first", EventID = 0, NewInstanceID = "second" }, Token);
        var second = await worker.ActivityAsync();
        Assert.Equal(("second", first.PropagatedHistory.Scope), (second.WorkflowInstance.InstanceId, second.PropagatedHistory.Scope));
        Assert.Equal(first.PropagatedHistory.Chunks[0].RawEvents, second.PropagatedHistory.Chunks[0].RawEvents);
    }

    [Fact]
    public async Task A_purge_leaves_nothing_of_it_and_a_reused_id_is_shown_nothing()
    {
        await using var worker = new FakeWorker(_hub);
        await worker.AnswerAsync(await ParentAndChildAsync(worker), Act.Done(0));
        Assert.Contains(_disks["app"].Keys, k => k.EndsWith("||child||propagated-history", StringComparison.Ordinal));
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(1));
        var started = StartAsync("child");
        var turn = await worker.TurnAsync();
        Assert.Null(turn.PropagatedHistory);
        await worker.AnswerAsync(turn, Act.Done(0));
        await started;
        Assert.DoesNotContain(_disks["app"].Keys, k => k.Contains("propagated", StringComparison.Ordinal));
        await _client.PurgeAsync("root", recurse: true, force: false, Token);
        Assert.Empty(_disks["app"].Keys);
    }

    [Fact]
    public async Task What_is_shown_counts_towards_the_largest_message()
    {
        var hub = Open("small", NoLimits with { MaxMessageSize = 6000 });
        var client = new WorkflowClient(hub);
        await using var worker = new FakeWorker(hub);
        var started = client.StartAsync("root", "workflow", new string('x', 3500), null, null, Token);
        // A child gets its own input and that of the root with it.
        var child = Showing(Act.Child(0, "kid", "child"), HistoryPropagationScope.OwnHistory);
        child.CreateChildWorkflow.Input = new string('y', 3500);
        await worker.AnswerAsync(await worker.TurnAsync(), child);
        await started;
        var state = await client.WaitAsync("child", forEnd: false, withPayloads: false, Token);
        Assert.Equal(OrchestrationStatus.Stalled, state!.WorkflowStatus);
    }

    [Fact]
    public async Task An_activity_that_would_be_given_too_much_stalls_its_workflow_and_runs_once_messages_may_be_larger()
    {
        var hub = Open("small", NoLimits with { MaxMessageSize = 4000 });
        var worker = new FakeWorker(hub);
        var started = new WorkflowClient(hub).StartAsync("root", "workflow", new string('x', 2500), null, null, Token);
        var audit = Showing(Act.Task(0, "audit", new string('y', 1800)), HistoryPropagationScope.OwnHistory);
        await worker.AnswerAsync(await worker.TurnAsync(), audit);
        await started;
        var stalled = Task.CompletedTask;
        await hub.OnAsync("root", instance =>
        {
            stalled = instance.WaitAsync(static s => s == OrchestrationStatus.Stalled);
            return Task.FromResult(true);
        }, Token);
        await stalled.WaitAsync(TimeSpan.FromSeconds(60), Token);
        Assert.False(worker.HasItem);
        Assert.Equal(StalledReason.PayloadSizeExceeded, (await new WorkflowClient(hub).HistoryAsync("root", Token))![^1].ExecutionStalled.Reason);
        await worker.DisposeAsync();
        await hub.DisposeAsync();

        var larger = Open("small", NoLimits with { MaxMessageSize = 40_000 });
        await using var next = new FakeWorker(larger);
        var activity = await next.ActivityAsync();
        Assert.Equal("audit", activity.Name);
        _ = next.AnswerAsync(activity, "seen");
        await next.AnswerAsync(await next.TurnAsync(), Act.Done(1, "done"));
        Assert.Equal("done", (await new WorkflowClient(larger).GetAsync("root", withPayloads: true, Token))!.Output);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var hub in _apps.Hubs)
            await hub.DisposeAsync();
    }

    private static List<HistoryEvent> Events(PropagatedHistoryChunk chunk) => [.. chunk.RawEvents.Select(HistoryEvent.Parser.ParseFrom)];

    private static WorkflowAction Showing(WorkflowAction action, HistoryPropagationScope scope)
    {
        if (action.ScheduleTask is { } task)
            task.HistoryPropagationScope = scope;
        else
            action.CreateChildWorkflow.HistoryPropagationScope = scope;
        return action;
    }

    // The child's first turn; its parent showed it its history.
    private async Task<WorkflowRequest> ParentAndChildAsync(FakeWorker worker)
    {
        var started = StartAsync("root");
        await worker.AnswerAsync(await worker.TurnAsync(), Showing(Act.Child(0, "kid", "child"), HistoryPropagationScope.Lineage));
        await started;
        return await worker.TurnAsync();
    }

    private Task StartAsync(string id) => _client.StartAsync(id, "workflow", null, null, null, Token);

    private WorkflowHub Open(string app, WorkflowSettings? settings = null)
    {
        if (!_disks.TryGetValue(app, out var disk))
            _disks[app] = disk = new DiskStore();
        var hub = new WorkflowHub(new WorkflowStorage(disk, app, "default"), app, settings ?? NoLimits, _time, NullLoggerFactory.Instance, peers: _apps);
        _apps.Add(app, hub);
        return hub;
    }

    private sealed class Neighbours : IWorkflowPeers
    {
        private readonly Dictionary<string, WorkflowHub> _hubs = [];

        public IEnumerable<WorkflowHub> Hubs => _hubs.Values;

        public void Add(string app, WorkflowHub hub) => _hubs[app] = hub;

        public ValueTask<IWorkflowEngine?> FindAsync(string appId, CancellationToken cancellationToken) => new(_hubs.TryGetValue(appId, out var hub) ? new WorkflowClient(hub) : null);
    }
}
