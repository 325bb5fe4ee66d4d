using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>What clients can do with instances: run them again, end and remove them, hold them, use their ids again; and what instances do with each other.</summary>
public sealed class OperationsTests : IAsyncDisposable
{
    private static readonly WorkflowSettings NoLimits = new(null, null, null, null, null, null);
    private readonly DiskStore _disk = new();
    private readonly ManualTime _time = new();
    private WorkflowHub _hub;
    private WorkflowClient _client;

    public OperationsTests()
    {
        _hub = Open();
        _client = new WorkflowClient(_hub);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_rerun_begins_at_its_action_with_another_input_and_keeps_what_came_before()
    {
        await using var worker = new FakeWorker(_hub);
        await ChainAsync(worker, "first");
        var id = await RerunAsync("first", 1, r => (r.Input, r.OverwriteInput) = ("changed", true));
        Assert.NotEqual("first", id);
        var step = await worker.ActivityAsync();
        Assert.Equal((id, 1, "two", "changed"), (step.WorkflowInstance.InstanceId, step.TaskId, step.Name, step.Input));
        var turn = await AnswerAsync(worker, step, "b2");
        Assert.Equal(["a"], turn.PastEvents.Where(e => e.TaskCompleted is not null).Select(e => e.TaskCompleted.Result));
        Assert.Equal("first", turn.PastEvents.Single(e => e.TaskScheduled?.Name == "two").TaskScheduled.RerunParentInstanceInfo.InstanceID);
        await worker.AnswerAsync(turn, Act.Done(2, "again"));
        Assert.Equal("again", (await StateAsync(id))!.Output);
        // The source is as it was.
        Assert.Equal("done", (await StateAsync("first"))!.Output);

        // A rerun can be run again itself.
        await RerunAsync(id, 0, r => r.NewInstanceID = "third");
        Assert.Equal(("third", "one"), ((step = await worker.ActivityAsync()).WorkflowInstance.InstanceId, step.Name));
    }

    [Fact]
    public async Task A_rerun_runs_what_was_open_beside_its_action_too_and_survives_a_restart()
    {
        await using (var worker = new FakeWorker(_hub))
        {
            var started = StartAsync("fan");
            await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "a"), Act.Task(1, "b"), Act.Task(2, "c"));
            await started;
            var activities = new[] { await worker.ActivityAsync(), await worker.ActivityAsync(), await worker.ActivityAsync() };
            var answers = activities.Select(a => worker.AnswerAsync(a, a.Name)).ToArray();
            await EndAsync(worker, "fan");
            await Task.WhenAll(answers);
            await RerunAsync("fan", 1, r => r.NewInstanceID = "again");
            Assert.Equal(["a", "b"], new[] { (await worker.ActivityAsync()).Name, (await worker.ActivityAsync()).Name }.Order());
        }

        await RestartAsync();
        await using var next = new FakeWorker(_hub);
        Assert.Equal(["a", "b"], new[] { (await next.ActivityAsync()).Name, (await next.ActivityAsync()).Name }.Order());
        Assert.False(next.HasItem);
    }

    [Fact]
    public async Task A_rerun_from_a_child_makes_a_new_child()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("parent");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid"));
        await started;
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(0));
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(1));
        await RerunAsync("parent", 0, r => (r.NewInstanceID, r.Input, r.OverwriteInput) = ("second", "new", true));
        var child = await worker.TurnAsync();
        Assert.Equal(("second:0000", "new"), (child.InstanceId, child.NewEvents[^1].ExecutionStarted.Input));
        await RerunAsync("parent", 0, r => (r.NewInstanceID, r.NewChildWorkflowInstanceID) = ("third", "named"));
        Assert.Equal("named", (await worker.TurnAsync()).InstanceId);
        var refused = await Assert.ThrowsAsync<WorkflowException>(() => RerunAsync("parent:0000", 0));
        Assert.Equal(WorkflowRefusal.InvalidRequest, refused.Refusal);
    }

    [Fact]
    public async Task What_cannot_be_run_again_is_refused()
    {
        await using var worker = new FakeWorker(_hub);
        await ChainAsync(worker, "ended");
        var started = StartAsync("running");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Timer(0, _time.GetUtcNow() + TimeSpan.FromHours(1)));
        await started;
        Assert.Equal(WorkflowRefusal.NotFound, await RefusalAsync("nobody", 0));
        Assert.Equal(WorkflowRefusal.InvalidRequest, await RefusalAsync("running", 0));
        Assert.Equal(WorkflowRefusal.NotFound, await RefusalAsync("ended", 17));
        Assert.Equal(WorkflowRefusal.NotFound, await RefusalAsync("ended", 2));
        Assert.Equal(WorkflowRefusal.InvalidRequest, await RefusalAsync("ended", 0, r => r.NewInstanceID = "ended"));
        Assert.Equal(WorkflowRefusal.AlreadyExists, await RefusalAsync("ended", 0, r => r.NewInstanceID = "running"));
        Assert.Equal(WorkflowRefusal.InvalidRequest, await RefusalAsync("ended", 0, r => r.NewChildWorkflowInstanceID = "child"));
        Assert.False(worker.HasItem);
    }

    [Fact]
    public async Task A_timer_is_run_again_only_if_it_has_fired_and_takes_no_input()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("timed");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Timer(0, _time.GetUtcNow() + TimeSpan.FromSeconds(1)), Act.Timer(1, _time.GetUtcNow() + TimeSpan.FromHours(1)));
        await started;
        _time.Advance(TimeSpan.FromSeconds(1));
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(2));
        Assert.Equal(WorkflowRefusal.NotFound, await RefusalAsync("timed", 1));
        Assert.Equal(WorkflowRefusal.InvalidRequest, await RefusalAsync("timed", 0, r => r.OverwriteInput = true));
        await RerunAsync("timed", 0, r => r.NewInstanceID = "again");
        Assert.Equal(("again", 0), (await worker.TurnAsync()) is var turn ? (turn.InstanceId, turn.NewEvents[^1].TimerFired.TimerId) : default);
    }

    [Fact]
    public async Task A_purge_takes_children_first_and_nothing_that_still_runs_unless_it_is_forced()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("parent");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-1"));
        await started;
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Timer(0, _time.GetUtcNow() + TimeSpan.FromHours(1)));
        Assert.Equal(WorkflowRefusal.NoSuchInstance, (await Assert.ThrowsAsync<WorkflowException>(() => PurgeAsync("nobody"))).Refusal);
        Assert.Equal(WorkflowRefusal.NotCompleted, (await Assert.ThrowsAsync<WorkflowException>(() => PurgeAsync("parent"))).Refusal);
        var terminated = _client.TerminateAsync("parent", "enough", recurse: false, Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await terminated;
        // The child was left alone, and stands in the way.
        Assert.Equal(OrchestrationStatus.Running, (await StateAsync("kid-1"))!.WorkflowStatus);
        Assert.Equal(WorkflowRefusal.NotCompleted, (await Assert.ThrowsAsync<WorkflowException>(() => PurgeAsync("parent"))).Refusal);
        Assert.NotNull(await StateAsync("parent"));
        Assert.Equal(2, await _client.PurgeAsync("parent", recurse: true, force: true, Token));
        Assert.Empty(_disk.Keys);
        // What was under way for it has no effect any more.
        _time.Advance(TimeSpan.FromHours(2));
        Assert.Null(await StateAsync("kid-1"));
    }

    [Fact]
    public async Task An_id_is_free_again_once_its_instance_and_its_children_have_ended()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("order");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-1"), Act.Timer(1, _time.GetUtcNow() + TimeSpan.FromMinutes(1)));
        await started;
        var child = await worker.TurnAsync();
        await worker.AnswerAsync(child);
        Assert.Equal(WorkflowRefusal.AlreadyExists, (await Assert.ThrowsAsync<WorkflowException>(() => StartAsync("order"))).Refusal);
        var terminated = _client.TerminateAsync("order", null, recurse: false, Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await terminated;
        Assert.Equal(WorkflowRefusal.AlreadyExists, (await Assert.ThrowsAsync<WorkflowException>(() => StartAsync("order"))).Refusal);
        terminated = _client.TerminateAsync("kid-1", null, recurse: true, Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await terminated;

        var again = StartAsync("order", "other");
        var turn = await worker.TurnAsync();
        Assert.Equal(("other", 0), (turn.NewEvents[^1].ExecutionStarted.Name, turn.PastEvents.Count));
        await worker.AnswerAsync(turn);
        await again;
        // The timer of the first life does not fire into the second.
        _time.Advance(TimeSpan.FromMinutes(2));
        var raised = _client.RaiseAsync("order", "ping", null, Token);
        turn = await worker.TurnAsync();
        Assert.DoesNotContain(turn.NewEvents, e => e.TimerFired is not null);
        await worker.AnswerAsync(turn);
        await raised;
    }

    [Fact]
    public async Task Continue_as_new_carries_events_over_in_order_and_drops_answers_to_the_execution_before()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("loop");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "old"));
        await started;
        var old = await worker.ActivityAsync();
        var first = _client.RaiseAsync("loop", "one", null, Token);
        var turn = await worker.TurnAsync();
        var second = _client.RaiseAsync("loop", "two", null, Token);
        var again = Act.Again(1, "next");
        again.CompleteWorkflow.CarryoverEvents.Add(turn.NewEvents[^1]);
        await worker.AnswerAsync(turn, again);
        await first;
        var next = await worker.TurnAsync();
        Assert.Empty(next.PastEvents);
        Assert.Equal(["one", "two"], next.NewEvents.Where(e => e.EventRaised is not null).Select(e => e.EventRaised.Name));
        Assert.Equal("next", next.NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Input);
        Assert.NotEqual(turn.PastEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.WorkflowInstance.ExecutionId, next.NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.WorkflowInstance.ExecutionId);
        // Answered to the first execution, with the id of an action that the second has open, too.
        await worker.AnswerAsync(old, "late");
        await worker.AnswerAsync(next, Act.Task(0, "new"));
        await second;
        var fresh = await worker.ActivityAsync();
        Assert.Equal("new", fresh.Name);
        Assert.Equal("fresh", (await AnswerAsync(worker, fresh, "fresh")).NewEvents[^1].TaskCompleted.Result);
    }

    [Fact]
    public async Task While_it_is_suspended_events_make_turns_and_the_status_says_so()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("held");
        await worker.AnswerAsync(await worker.TurnAsync());
        await started;
        var suspended = _client.SuspendAsync("held", "lunch", Token);
        var turn = await worker.TurnAsync();
        Assert.Equal("lunch", turn.NewEvents[^1].ExecutionSuspended.Input);
        await worker.AnswerAsync(turn);
        await suspended;
        Assert.Equal(OrchestrationStatus.Suspended, (await StateAsync("held"))!.WorkflowStatus);
        var raised = _client.RaiseAsync("held", "ping", "1", Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await raised;
        Assert.Equal(OrchestrationStatus.Suspended, (await StateAsync("held"))!.WorkflowStatus);
        var resumed = _client.ResumeAsync("held", null, Token);
        turn = await worker.TurnAsync();
        Assert.Contains(turn.PastEvents, e => e.EventRaised?.Name == "ping");
        await worker.AnswerAsync(turn, Act.Done(0));
        await resumed;
        Assert.Equal(OrchestrationStatus.Completed, (await StateAsync("held"))!.WorkflowStatus);
        // An ended one takes nothing in, and says nothing against it.
        await _client.RaiseAsync("held", "late", null, Token);
        await _client.SuspendAsync("held", null, Token);
        await _client.TerminateAsync("held", null, recurse: true, Token);
        Assert.Equal(OrchestrationStatus.Completed, (await StateAsync("held"))!.WorkflowStatus);
        Assert.False(worker.HasItem);
    }

    [Fact]
    public async Task A_detached_workflow_is_nobodys_child()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("maker");
        // The maker's turn is committed once what it makes is durable: with the first turn of that, here.
        var answered = worker.AnswerAsync(await worker.TurnAsync(), Detached(0, "free", "job", "7"), Detached(1, "maker", "job", ""), Act.Done(2));
        var turn = await worker.TurnAsync();
        var start = turn.NewEvents[^1].ExecutionStarted;
        Assert.Equal(("free", "job", "7", "b"), (turn.InstanceId, start.Name, start.Input, start.Tags["a"]));
        Assert.Null(start.ParentInstance);
        await worker.AnswerAsync(turn, Act.Task(0, "work"));
        await answered;
        await started;
        Assert.Equal(["free", "maker"], (await _client.HistoryAsync("maker", Token))!.Where(e => e.DetachedWorkflowInstanceCreated is not null).Select(e => e.DetachedWorkflowInstanceCreated.InstanceId));
        // Its id was the maker's own, which was active: that one was not begun.
        Assert.Equal("workflow", (await StateAsync("maker"))!.Name);
        Assert.Equal(1, await PurgeAsync("maker"));
        Assert.Equal(OrchestrationStatus.Running, (await StateAsync("free"))!.WorkflowStatus);
    }

    [Fact]
    public async Task A_detached_workflow_of_a_later_time_waits_for_it()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("maker");
        var later = Detached(0, "later", "job", "");
        later.CreateDetachedWorkflow.ScheduledStartTimestamp = Timestamp.FromDateTimeOffset(_time.GetUtcNow() + TimeSpan.FromHours(1));
        var answered = worker.AnswerAsync(await worker.TurnAsync(), later, Act.Done(1));
        // Its start is written by itself: no turn takes it with it.
        while (!answered.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(60));
            await Task.Yield();
        }

        await answered;
        await started;
        Assert.Equal(OrchestrationStatus.Pending, (await StateAsync("later"))!.WorkflowStatus);
        Assert.False(worker.HasItem);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal("later", (await worker.TurnAsync()).InstanceId);
    }

    [Fact]
    public async Task Events_that_resolve_the_same_action_twice_count_once()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("twice");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-1"));
        await started;
        var child = await worker.TurnAsync();
        await worker.AnswerAsync(child, Act.Done(0, "end"));
        var turn = await worker.TurnAsync();
        var end = turn.NewEvents[^1];
        // As after a crash between the parent's commit and what follows from the child's.
        await _client.PostAsync("twice", end.Clone(), Token);
        await worker.AnswerAsync(turn, Act.Timer(1, _time.GetUtcNow() + TimeSpan.FromHours(1)));
        await _client.PostAsync("twice", end.Clone(), Token);
        Assert.Single((await _client.HistoryAsync("twice", Token))!, e => e.ChildWorkflowInstanceCompleted is not null);
        Assert.False(worker.HasItem);
        // Events that are raised are no resolutions: each counts.
        var raised = Task.WhenAll(_client.RaiseAsync("twice", "ping", "1", Token), _client.RaiseAsync("twice", "ping", "1", Token));
        var seen = 0;
        while (seen < 2)
        {
            turn = await worker.TurnAsync();
            seen += turn.NewEvents.Count(e => e.EventRaised is not null);
            await worker.AnswerAsync(turn);
        }

        await raised;
    }

    [Fact]
    public async Task Lists_come_in_pages_in_the_order_of_ids()
    {
        await using var worker = new FakeWorker(_hub);
        // An id may have in it what separates the parts of a key.
        foreach (var id in new[] { "c", "a", "b", "a||x", "d||history-1" })
        {
            var started = StartAsync(id);
            await worker.AnswerAsync(await worker.TurnAsync(), [.. Enumerable.Range(0, id == "b" ? 600 : 1).Select(i => Act.Timer(i, _time.GetUtcNow() + TimeSpan.FromHours(1)))]);
            await started;
        }

        var (first, next) = await _client.ListAsync(null, 2, Token);
        var (second, last) = await _client.ListAsync(next, 3, Token);
        Assert.Equal(["a", "a||x", "b", "c", "d||history-1"], first.Concat(second));
        Assert.Null(last);
        var (none, end) = await _client.ListAsync("d||history-1", 2, Token);
        Assert.Empty(none);
        Assert.Null(end);
    }

    public async ValueTask DisposeAsync() => await _hub.DisposeAsync();

    private static WorkflowAction Detached(int id, string instanceId, string name, string input) => new()
    {
        Id = id,
        CreateDetachedWorkflow = new CreateDetachedWorkflowAction { InstanceId = instanceId, Name = name, Input = input, Tags = { { "a", "b" } } },
    };

    private static async Task<WorkflowRequest> AnswerAsync(FakeWorker worker, ActivityRequest activity, string result)
    {
        _ = worker.AnswerAsync(activity, result);
        return await worker.TurnAsync();
    }

    // Turns until all has come, then the end.
    private async Task EndAsync(FakeWorker worker, string id)
    {
        while (true)
        {
            var turn = await worker.TurnAsync();
            Assert.Equal(id, turn.InstanceId);
            var open = turn.PastEvents.Count(e => e.TaskScheduled is not null) - turn.PastEvents.Concat(turn.NewEvents).Count(e => e.TaskCompleted is not null);
            await worker.AnswerAsync(turn, open == 0 ? [Act.Done(9)] : []);
            if (open == 0)
                return;
        }
    }

    // Two activities, one after the other.
    private async Task ChainAsync(FakeWorker worker, string id)
    {
        var started = StartAsync(id);
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "one", "in"));
        await started;
        await worker.AnswerAsync(await AnswerAsync(worker, await worker.ActivityAsync(), "a"), Act.Task(1, "two", "a"));
        await worker.AnswerAsync(await AnswerAsync(worker, await worker.ActivityAsync(), "b"), Act.Done(2, "done"));
    }

    private Task StartAsync(string id, string name = "workflow") => _client.StartAsync(id, name, null, null, null, Token);

    private Task<WorkflowState?> StateAsync(string id) => _client.GetAsync(id, withPayloads: true, Token);

    private Task<int> PurgeAsync(string id) => _client.PurgeAsync(id, recurse: true, force: false, Token);

    private Task<string> RerunAsync(string source, uint eventId, Action<RerunWorkflowFromEventRequest>? more = null)
    {
        var request = new RerunWorkflowFromEventRequest { SourceInstanceID = source, EventID = eventId };
        more?.Invoke(request);
        return _client.RerunAsync(request, Token);
    }

    private async Task<WorkflowRefusal> RefusalAsync(string source, uint eventId, Action<RerunWorkflowFromEventRequest>? more = null) =>
        (await Assert.ThrowsAsync<WorkflowException>(() => RerunAsync(source, eventId, more))).Refusal;

    private WorkflowHub Open() => new(new WorkflowStorage(_disk, "app", "default"), "app", NoLimits, _time, NullLoggerFactory.Instance);

    private async Task RestartAsync()
    {
        await _hub.DisposeAsync();
        _hub = Open();
        _client = new WorkflowClient(_hub);
    }
}
