using Dapr.DurableTask.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Sidecar.Workflow.Tests;

public sealed class EngineTests : IAsyncDisposable
{
    private static readonly WorkflowSettings NoLimits = new(null, null, null, null, null, null);
    private readonly DiskStore _disk = new();
    private readonly ManualTime _time = new();
    private WorkflowHub _hub;
    private WorkflowClient _client;

    public EngineTests()
    {
        _hub = Open();
        _client = new WorkflowClient(_hub);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_chain_of_two_activities_costs_one_commit_a_turn()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("chain");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "first"));
        await started;
        await AnswerActivityAndTurnAsync(worker, "a", Act.Task(1, "second"));
        await AnswerActivityAndTurnAsync(worker, "b", Act.Done(2, "ab"));

        Assert.Equal(3, _disk.Commits.Count);
        var state = await _client.GetAsync("chain", withPayloads: true, Token);
        Assert.Equal(OrchestrationStatus.Completed, state!.WorkflowStatus);
        Assert.Equal("ab", state.Output);
    }

    [Fact]
    public async Task A_start_is_answered_only_after_its_commit()
    {
        var commit = new TaskCompletionSource();
        _disk.BeforeCommit = () => commit.Task;
        await using var worker = new FakeWorker(_hub);
        var started = Start("held");
        var answer = worker.AnswerAsync(await worker.TurnAsync());
        Assert.False(started.IsCompleted);
        Assert.Empty(_disk.Commits);
        commit.SetResult();
        await answer;
        await started;
        Assert.NotEmpty(_disk.Commits);
    }

    [Fact]
    public async Task An_activity_is_handed_out_only_after_the_commit_that_schedules_it()
    {
        await using var worker = new FakeWorker(_hub);
        _ = Start("order");
        var turn = await worker.TurnAsync();
        var commit = new TaskCompletionSource();
        _disk.BeforeCommit = () => commit.Task;
        var answer = worker.AnswerAsync(turn, Act.Task(0, "late"));
        Assert.False(worker.HasItem);
        commit.SetResult();
        await answer;
        Assert.Equal("late", (await worker.ActivityAsync()).Name);
    }

    [Fact]
    public async Task An_event_that_no_turn_takes_is_written_on_its_own()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("busy");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "slow"));
        await started;
        var raise = _client.RaiseAsync("busy", "one", "1", Token);
        await worker.ActivityAsync();
        await worker.TurnAsync();
        Assert.False(raise.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(50));
        await raise.WaitAsync(TimeSpan.FromSeconds(30), Token);
        Assert.Contains(_disk.Keys, k => k.EndsWith("||busy||inbox-000000", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_turn_that_the_store_refuses_is_tried_again_and_loses_nothing()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("unlucky");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "work"));
        await started;
        var activity = await worker.ActivityAsync();
        _disk.BeforeCommit = () => Task.FromException(new IOException("disk full"));
        var answered = worker.AnswerAsync(activity, "done");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(1));
        await Assert.ThrowsAsync<IOException>(() => answered);

        _disk.BeforeCommit = () => Task.CompletedTask;
        _time.Advance(TimeSpan.FromSeconds(1));
        var again = await worker.ActivityAsync();
        Assert.Equal(activity.TaskId, again.TaskId);
        var second = worker.AnswerAsync(again, "done");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(1, "ok"));
        await second;
        Assert.Equal("ok", (await _client.GetAsync("unlucky", withPayloads: true, Token))!.Output);
    }

    [Fact]
    public async Task A_timer_is_never_early()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("timer");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Timer(0, _time.GetUtcNow() + TimeSpan.FromSeconds(10)));
        await started;
        _time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(worker.HasItem);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        var turn = await worker.TurnAsync();
        Assert.Equal(0, turn.NewEvents[^1].TimerFired.TimerId);
        await worker.AnswerAsync(turn, Act.Done(1));
    }

    [Fact]
    public async Task Work_of_a_worker_that_leaves_goes_to_the_next_one()
    {
        var first = new FakeWorker(_hub);
        var started = Start("handed-over");
        await first.TurnAsync();
        await using var second = new FakeWorker(_hub);
        await first.DisposeAsync();
        var turn = await second.TurnAsync();
        Assert.Equal("handed-over", turn.InstanceId);
        Assert.Empty(turn.PastEvents);
        await second.AnswerAsync(turn, Act.Done(0));
        await started;
    }

    [Fact]
    public async Task After_a_restart_open_activities_and_timers_go_on_and_completed_ones_do_not_run_again()
    {
        var worker = new FakeWorker(_hub);
        var started = Start("survivor");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "done before"), Act.Task(1, "open"), Act.Timer(2, _time.GetUtcNow() + TimeSpan.FromHours(1)));
        await started;
        var before = await worker.ActivityAsync();
        await worker.ActivityAsync();
        var answered = worker.AnswerAsync(before, "kept");
        await worker.AnswerAsync(await worker.TurnAsync());
        await answered;

        await RestartAsync();
        await using var next = new FakeWorker(_hub);
        var open = await next.ActivityAsync();
        Assert.Equal("open", open.Name);
        var rest = next.AnswerAsync(open, "x");
        var turn = await next.TurnAsync();
        Assert.Contains(turn.PastEvents, e => e.TaskCompleted?.Result == "kept");
        await next.AnswerAsync(turn);
        await rest;
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(Kind.TimerFired, (await next.TurnAsync()).NewEvents[^1].EventTypeCase);
        await worker.DisposeAsync();
    }

    [Fact]
    public async Task A_child_lost_between_its_parents_commit_and_its_own_is_made_after_the_restart()
    {
        var worker = new FakeWorker(_hub);
        var started = Start("parent");
        var turn = await worker.TurnAsync();
        var commits = 0;
        // The parent's commit succeeds; nothing after it reaches the disk, as if the power went out.
        _disk.BeforeCommit = () => Interlocked.Increment(ref commits) == 1 ? Task.CompletedTask : new TaskCompletionSource().Task;
        await worker.AnswerAsync(turn, Act.Child(0, "kid"));
        await started;

        _disk.BeforeCommit = () => Task.CompletedTask;
        await RestartAsync();
        await using var next = new FakeWorker(_hub);
        var child = await next.TurnAsync();
        Assert.Equal("parent:0000", child.InstanceId);
        await next.AnswerAsync(child, Act.Done(0, "grown"));
        var parent = await next.TurnAsync();
        Assert.Equal("grown", parent.NewEvents[^1].ChildWorkflowInstanceCompleted.Result);
        await next.AnswerAsync(parent, Act.Done(1));
    }

    [Fact]
    public async Task The_second_answer_to_an_activity_has_no_effect()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("twice");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "work"));
        await started;
        var activity = await worker.ActivityAsync();
        var first = worker.AnswerAsync(activity, "first");
        await worker.AnswerAsync(activity, "second");
        var turn = await worker.TurnAsync();
        Assert.Equal("first", Assert.Single(turn.NewEvents, e => e.TaskCompleted is not null).TaskCompleted.Result);
        await worker.AnswerAsync(turn, Act.Done(1));
        await first;
    }

    [Fact]
    public async Task Continue_as_new_forgets_the_history_and_its_timers()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("loop");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Timer(0, _time.GetUtcNow() + TimeSpan.FromSeconds(5)));
        await started;
        var raised = _client.RaiseAsync("loop", "go", null, Token);
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Again(1, "2"));
        await raised;
        var turn = await worker.TurnAsync();
        Assert.Empty(turn.PastEvents);
        Assert.Equal("2", turn.NewEvents[1].ExecutionStarted.Input);
        await worker.AnswerAsync(turn);
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.False(worker.HasItem);
    }

    [Fact]
    public async Task A_purged_instance_leaves_no_row_behind()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("gone");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(0));
        await started;
        Assert.Equal(1, await _client.PurgeAsync("gone", recurse: true, force: false, Token));
        Assert.Empty(_disk.Keys);
    }

    [Fact]
    public async Task An_active_id_cannot_be_started_again_and_an_ended_one_can()
    {
        await using var worker = new FakeWorker(_hub);
        var started = Start("id");
        await worker.AnswerAsync(await worker.TurnAsync());
        await started;
        var refusal = await Assert.ThrowsAsync<WorkflowException>(() => Start("id"));
        Assert.Equal(WorkflowRefusal.AlreadyExists, refusal.Refusal);

        var terminated = _client.TerminateAsync("id", "stop", recurse: true, Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await terminated;
        var again = Start("id");
        var turn = await worker.TurnAsync();
        Assert.Empty(turn.PastEvents);
        await worker.AnswerAsync(turn, Act.Done(0, "second life"));
        await again;
        Assert.Equal("second life", (await _client.GetAsync("id", withPayloads: true, Token))!.Output);
    }

    public async ValueTask DisposeAsync() => await _hub.DisposeAsync();

    private Task Start(string id) => _client.StartAsync(id, "workflow", null, null, null, Token);

    private static async Task AnswerActivityAndTurnAsync(FakeWorker worker, string result, params WorkflowAction[] actions)
    {
        var answered = worker.AnswerAsync(await worker.ActivityAsync(), result);
        await worker.AnswerAsync(await worker.TurnAsync(), actions);
        await answered;
    }

    private WorkflowHub Open() => new(new WorkflowStorage(_disk, "app", "default"), "app", NoLimits, _time, NullLoggerFactory.Instance);

    private async Task RestartAsync()
    {
        await _hub.DisposeAsync();
        _hub = Open();
        _client = new WorkflowClient(_hub);
    }
}
