using Dapr.DurableTask.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>Workflows that use other apps, send to other instances, or meet workers of another version.</summary>
public sealed class AppsTests : IAsyncDisposable
{
    private static readonly WorkflowSettings NoLimits = new(null, null, null, null, null, null);
    private readonly Directory _apps = new();
    private readonly ManualTime _time = new();
    private readonly WorkflowHub _hub;
    private readonly WorkflowClient _client;

    public AppsTests()
    {
        _hub = Open("app");
        _client = new WorkflowClient(_hub);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_activity_of_another_app_runs_at_its_workers()
    {
        var other = Open("other");
        await using var worker = new FakeWorker(_hub);
        await using var there = new FakeWorker(other);
        var started = Start("order");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "charge", "other", "7"));
        await started;
        var activity = await there.ActivityAsync();
        Assert.Equal(("charge", "7", "order"), (activity.Name, activity.Input, activity.WorkflowInstance.InstanceId));
        await there.AnswerAsync(activity, "paid");
        var turn = await worker.TurnAsync();
        Assert.Equal("paid", turn.NewEvents[^1].TaskCompleted.Result);
        await worker.AnswerAsync(turn, Act.Done(1));
    }

    [Fact]
    public async Task An_activity_of_an_app_that_is_not_there_waits_for_it()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("order");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "charge", "other", "7"));
        await started;
        await _apps.Asked(2, () => _time.Advance(TimeSpan.FromSeconds(1)));
        var other = Open("other");
        await using var there = new FakeWorker(other);
        await _apps.Asked(1, () => _time.Advance(TimeSpan.FromSeconds(1)));
        Assert.Equal("charge", (await there.ActivityAsync()).Name);
    }

    [Fact]
    public async Task A_child_of_another_app_lives_there_and_its_end_comes_back()
    {
        var other = Open("other");
        await using var worker = new FakeWorker(_hub);
        await using var there = new FakeWorker(other);
        var started = Start("parent");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-1", "other"));
        await started;
        var child = await there.TurnAsync();
        Assert.Equal("app", child.NewEvents[1].ExecutionStarted.ParentInstance.AppID);
        await there.AnswerAsync(child, Act.Done(0, "grown"));
        var turn = await worker.TurnAsync();
        Assert.Equal("grown", turn.NewEvents[^1].ChildWorkflowInstanceCompleted.Result);
        await worker.AnswerAsync(turn, Act.Done(1));
        Assert.Null(await _client.GetAsync("kid-1", withPayloads: false, Token));
        Assert.NotNull(await new WorkflowClient(other).GetAsync("kid-1", withPayloads: false, Token));

        Assert.Equal(2, await _client.PurgeAsync("parent", recurse: true, force: false, Token));
        Assert.Null(await new WorkflowClient(other).GetAsync("kid-1", withPayloads: false, Token));
    }

    [Fact]
    public async Task An_id_is_not_free_while_a_child_of_a_child_runs_at_another_app()
    {
        var other = Open("other");
        await using var worker = new FakeWorker(_hub);
        await using var there = new FakeWorker(other);
        var started = Start("root");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-1"));
        await started;
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-2", "other"));
        await there.AnswerAsync(await there.TurnAsync());
        var terminated = _client.TerminateAsync("kid-1", null, recurse: false, Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await terminated;
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(1));

        var refusal = await Assert.ThrowsAsync<WorkflowException>(() => Start("root"));
        Assert.Equal(WorkflowRefusal.AlreadyExists, refusal.Refusal);
        Assert.Contains("child workflow 'kid-2'", refusal.Message);

        terminated = new WorkflowClient(other).TerminateAsync("kid-2", null, recurse: false, Token);
        await there.AnswerAsync(await there.TurnAsync());
        await terminated;
        started = Start("root");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(0));
        await started;
    }

    [Fact]
    public async Task A_recursive_termination_reaches_children_of_other_apps()
    {
        var other = Open("other");
        await using var worker = new FakeWorker(_hub);
        await using var there = new FakeWorker(other);
        var started = Start("parent");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-1", "other"));
        await started;
        await there.AnswerAsync(await there.TurnAsync());
        var terminated = _client.TerminateAsync("parent", "enough", recurse: true, Token);
        var answered = worker.AnswerAsync(await worker.TurnAsync());
        var child = await there.TurnAsync();
        Assert.Equal("enough", child.NewEvents[^1].ExecutionTerminated.Input);
        await there.AnswerAsync(child);
        await answered;
        await terminated;
    }

    [Fact]
    public async Task An_event_that_a_workflow_sends_arrives_and_is_in_its_history()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("receiver");
        await worker.AnswerAsync(await worker.TurnAsync());
        await started;
        _ = Start("sender");
        var turn = await worker.TurnAsync();
        var sent = worker.AnswerAsync(turn, Act.Send(0, "receiver", "ping", "1"), Act.Done(1));
        var receiver = await worker.TurnAsync();
        Assert.Equal(("ping", "1"), (receiver.NewEvents[^1].EventRaised.Name, receiver.NewEvents[^1].EventRaised.Input));
        await worker.AnswerAsync(receiver, Act.Done(0));
        await sent;
        Assert.Equal("receiver", (await _client.HistoryAsync("sender", Token))!.Single(e => e.EventSent is not null).EventSent.InstanceId);
    }

    [Fact]
    public async Task A_worker_without_the_patches_of_the_history_stalls_the_instance_until_another_comes()
    {
        var old = new FakeWorker(_hub);
        var started = Start("patched");
        await old.AnswerAsync(await old.TurnAsync(), "", Patches("new-tax"), Act.Timer(0, _time.GetUtcNow() + TimeSpan.FromSeconds(1)));
        await started;
        _time.Advance(TimeSpan.FromSeconds(1));
        await old.AnswerAsync(await old.TurnAsync(), "", null, Act.Done(1, "wrong"));
        var state = await _client.GetAsync("patched", withPayloads: false, Token);
        Assert.Equal((OrchestrationStatus.Stalled, "workflow"), (state!.WorkflowStatus, state.Name));
        Assert.Equal(StalledReason.PatchMismatch, (await _client.HistoryAsync("patched", Token))![^1].ExecutionStalled.Reason);
        await old.DisposeAsync();

        await using var next = new FakeWorker(_hub);
        var turn = await next.TurnAsync();
        Assert.NotNull(turn.NewEvents[^1].TimerFired);
        await next.AnswerAsync(turn, "", Patches("new-tax"), Act.Done(1, "right"));
        Assert.Equal("right", (await _client.GetAsync("patched", withPayloads: true, Token))!.Output);
    }

    [Fact]
    public async Task A_worker_without_the_version_stalls_the_instance_in_its_first_turn()
    {
        var old = new FakeWorker(_hub);
        _ = Start("versioned");
        await old.AnswerAsync(await old.TurnAsync(), new WorkflowAction { Id = 0, WorkflowVersionNotAvailable = new WorkflowVersionNotAvailableAction() });
        Assert.Equal(OrchestrationStatus.Stalled, (await _client.GetAsync("versioned", withPayloads: false, Token))!.WorkflowStatus);
        Assert.Equal("Version not available: workflow", (await _client.HistoryAsync("versioned", Token))![^1].ExecutionStalled.Description);
        await old.DisposeAsync();
        await using var next = new FakeWorker(_hub);
        var turn = await next.TurnAsync();
        Assert.Equal("workflow", turn.NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Name);
        await next.AnswerAsync(turn, Act.Done(0, "ok"));
        Assert.Equal("ok", (await _client.GetAsync("versioned", withPayloads: true, Token))!.Output);
    }

    [Fact]
    public async Task A_history_that_outgrows_a_message_stalls_the_instance()
    {
        var hub = Open("small", NoLimits with { MaxMessageSize = 4000 });
        var client = new WorkflowClient(hub);
        await using var worker = new FakeWorker(hub);
        var started = client.StartAsync("big", "workflow", null, null, null, Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await started;
        var raised = client.RaiseAsync("big", "blob", new string('x', 5000), Token);
        var stalled = await client.WaitAsync("big", forEnd: false, withPayloads: false, Token);
        Assert.NotNull(stalled);
        await raised;
        Assert.Equal(OrchestrationStatus.Stalled, (await client.GetAsync("big", withPayloads: false, Token))!.WorkflowStatus);
        Assert.False(worker.HasItem);
        Assert.Equal(1, await client.PurgeAsync("big", recurse: false, force: true, Token));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var hub in _apps.Hubs)
            await hub.DisposeAsync();
    }

    private static WorkflowVersion Patches(params string[] patches)
    {
        var version = new WorkflowVersion();
        version.Patches.AddRange(patches);
        return version;
    }

    private Task Start(string id) => _client.StartAsync(id, "workflow", null, null, null, Token);

    private WorkflowHub Open(string app, WorkflowSettings? settings = null)
    {
        var hub = new WorkflowHub(new WorkflowStorage(new DiskStore(), app, "default"), app, settings ?? NoLimits, _time, NullLoggerFactory.Instance, peers: _apps);
        _apps.Add(app, hub);
        return hub;
    }

    private sealed class Directory : IWorkflowPeers
    {
        private readonly Dictionary<string, WorkflowHub> _hubs = [];
        private readonly SemaphoreSlim _asked = new(0);

        public IEnumerable<WorkflowHub> Hubs => _hubs.Values;

        public void Add(string app, WorkflowHub hub) => _hubs[app] = hub;

        public ValueTask<IWorkflowEngine?> FindAsync(string appId, CancellationToken cancellationToken)
        {
            _asked.Release();
            return new(_hubs.TryGetValue(appId, out var hub) ? new WorkflowClient(hub) : null);
        }

        /// <summary>Moves the clock until it was asked so often.</summary>
        public async Task Asked(int times, Action advance)
        {
            for (var i = 0; i < times;)
            {
                if (await _asked.WaitAsync(TimeSpan.FromMilliseconds(20), Token))
                    i++;
                else
                    advance();
            }
        }
    }
}
