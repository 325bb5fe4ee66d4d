using Dapr.DurableTask.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>Activities that the workers of this app run for workflows of other apps.</summary>
public sealed class ActivitiesOfOthersTests : IAsyncDisposable
{
    private readonly WorkflowHub _hub;
    private readonly WorkflowClient _client;

    public ActivitiesOfOthersTests()
    {
        _hub = new WorkflowHub(new WorkflowStorage(new DiskStore(), "app", "default"), "app", new WorkflowSettings(null, null, null, null, null, null), new ManualTime(), NullLoggerFactory.Instance);
        _client = new WorkflowClient(_hub);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_activity_is_not_run_again_for_a_caller_that_was_gone_for_a_while()
    {
        await using var worker = new FakeWorker(_hub);
        var activity = await LeftAsync(worker, "one");
        var again = RunAsync("order", "one");
        await worker.AnswerAsync(activity, "paid");
        Assert.Equal("paid", (await again).Result);

        // It ends before its caller is back.
        activity = await LeftAsync(worker, "two");
        await worker.AnswerAsync(activity, "paid again");
        Assert.Equal("paid again", (await RunAsync("order", "two")).Result);

        activity = await LeftAsync(worker, "three");
        await worker.AnswerAsync(activity, "lost");
        again = RunAsync("order", "four");
        await worker.AnswerAsync(await worker.ActivityAsync(), "of another execution");
        Assert.Equal("of another execution", (await again).Result);
    }

    [Fact]
    public async Task An_activity_whose_caller_left_before_a_worker_came_is_not_run()
    {
        using var leaves = new CancellationTokenSource();
        var asked = RunAsync("order", "one", leaves.Token);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        var other = RunAsync("other", "two");
        await using var worker = new FakeWorker(_hub);
        var activity = await worker.ActivityAsync();
        Assert.Equal("other", activity.WorkflowInstance.InstanceId);
        await worker.AnswerAsync(activity, "done");
        Assert.Equal("done", (await other).Result);
        Assert.False(worker.HasItem);
    }

    [Fact]
    public async Task Activities_of_instances_that_have_the_same_id_at_different_apps_run_one_after_another_and_none_is_lost()
    {
        await using var worker = new FakeWorker(_hub);
        var started = _client.StartAsync("order", "workflow", null, null, null, Token);
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "own"));
        await started;
        var own = await worker.ActivityAsync();
        var (one, two) = (RunAsync("order", "one"), RunAsync("order", "two"));
        var answered = worker.AnswerAsync(own, "mine");
        var turn = default(WorkflowRequest);
        var theirs = new List<string>();
        while (turn is null || theirs.Count < 2)
        {
            var item = await worker.NextAsync();
            turn = item.WorkflowRequest ?? turn;
            if (item.ActivityRequest is not { } activity)
                continue;
            Assert.Equal("charge", activity.Name);
            theirs.Add($"theirs {theirs.Count}");
            await worker.AnswerAsync(activity, theirs[^1]);
        }

        Assert.Equal("mine", turn.NewEvents[^1].TaskCompleted.Result);
        Assert.Equal(theirs, new[] { (await one).Result, (await two).Result }.Order());

        // And an activity of this app waits for theirs.
        one = RunAsync("order", "one", task: 1);
        var charge = await worker.ActivityAsync();
        await worker.AnswerAsync(turn, Act.Task(1, "own"));
        await answered;
        await worker.AnswerAsync(charge, "theirs");
        Assert.Equal("theirs", (await one).Result);
        own = await worker.ActivityAsync();
        Assert.Equal("own", own.Name);
        answered = worker.AnswerAsync(own, "mine");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(2));
        await answered;
    }

    public async ValueTask DisposeAsync() => await _hub.DisposeAsync();

    private async Task<ActivityRequest> LeftAsync(FakeWorker worker, string execution)
    {
        using var leaves = new CancellationTokenSource();
        var asked = RunAsync("order", execution, leaves.Token);
        var activity = await worker.ActivityAsync();
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        return activity;
    }

    private Task<ActivityResponse> RunAsync(string id, string execution, CancellationToken? token = null, int task = 0) => _client.RunActivityAsync(
        new ActivityRequest { Name = "charge", TaskId = task, WorkflowInstance = new Dapr.DurableTask.Protobuf.WorkflowInstance { InstanceId = id, ExecutionId = execution } }, token ?? Token);
}
