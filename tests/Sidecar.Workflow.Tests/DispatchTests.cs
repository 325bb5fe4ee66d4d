using Dapr.DurableTask.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

public sealed class DispatchTests : IAsyncDisposable
{
    private static readonly WorkflowSettings NoLimits = new(null, null, null, null, null, null);
    private readonly DiskStore _disk = new();
    private readonly ManualTime _time = new();
    private WorkflowHub? _hub;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Work_goes_to_the_worker_that_has_least()
    {
        var hub = Open(NoLimits);
        await using var first = new FakeWorker(hub);
        await using var second = new FakeWorker(hub);
        _ = Start(hub, "a");
        _ = Start(hub, "b");
        var one = await first.TurnAsync();
        var other = await second.TurnAsync();
        Assert.NotEqual(one.InstanceId, other.InstanceId);
        await first.AnswerAsync(one, Act.Task(0, "x"), Act.Task(1, "y"), Act.Task(2, "z"));
        // The second has its turn still: it gets one of the three.
        await first.ActivityAsync();
        await second.ActivityAsync();
        await first.ActivityAsync();
    }

    [Fact]
    public async Task A_sidecars_workers_have_at_most_as_many_activities_as_it_allows()
    {
        var hub = Open(NoLimits);
        await using var worker = new FakeWorker(hub, new WorkerGroup("sidecar", null, 2));
        await ScheduleAsync(hub, worker, "one", "a", "b", "c");
        var first = await worker.ActivityAsync();
        await worker.ActivityAsync();
        Assert.False(worker.HasItem);
        _ = worker.AnswerAsync(first, "done");
        var items = new[] { await worker.NextAsync(), await worker.NextAsync() };
        Assert.Contains(items, i => i.ActivityRequest?.Name == "c");
    }

    [Fact]
    public async Task A_limit_on_a_name_holds_back_that_name_alone()
    {
        var hub = Open(NoLimits with { ActivityLimits = new Dictionary<string, int> { ["slow"] = 1 } });
        await using var worker = new FakeWorker(hub);
        await ScheduleAsync(hub, worker, "one", "slow", "slow", "quick");
        Assert.Equal(["slow", "quick"], [(await worker.ActivityAsync()).Name, (await worker.ActivityAsync()).Name]);
        Assert.False(worker.HasItem);
    }

    [Fact]
    public async Task A_global_limit_counts_the_workers_of_all_sidecars()
    {
        var hub = Open(NoLimits with { GlobalActivities = 1 });
        await using var worker = new FakeWorker(hub, new WorkerGroup("here", null, null));
        await ScheduleAsync(hub, worker, "one", "a", "b");
        await using var other = new FakeWorker(hub, new WorkerGroup("there", null, null));
        await worker.ActivityAsync();
        Assert.False(worker.HasItem || other.HasItem);
    }

    [Fact]
    public async Task A_worker_that_leaves_gives_its_slots_back()
    {
        var hub = Open(NoLimits with { GlobalActivities = 1 });
        var worker = new FakeWorker(hub);
        await ScheduleAsync(hub, worker, "one", "a", "b");
        Assert.Equal("a", (await worker.ActivityAsync()).Name);
        await using var next = new FakeWorker(hub);
        await worker.DisposeAsync();
        Assert.Equal("a", (await next.ActivityAsync()).Name);
        Assert.False(next.HasItem);
    }

    [Fact]
    public async Task An_answer_with_the_token_of_an_earlier_hand_out_is_ignored()
    {
        var hub = Open(NoLimits);
        var client = new WorkflowClient(hub);
        await using var worker = new FakeWorker(hub, takesTokens: true);
        var started = Start(hub, "tokens");
        var first = await worker.NextAsync();
        Assert.NotEmpty(first.CompletionToken);
        await worker.AnswerAsync(first.WorkflowRequest, first.CompletionToken, null);
        await started;
        _ = client.RaiseAsync("tokens", "go", null, Token);
        var second = await worker.NextAsync();
        await worker.AnswerAsync(second.WorkflowRequest, first.CompletionToken, null, Act.Done(0, "stale"));
        await worker.AnswerAsync(second.WorkflowRequest, second.CompletionToken, null, Act.Done(0, "right"));
        Assert.Equal("right", (await client.GetAsync("tokens", withPayloads: true, Token))!.Output);
    }

    [Fact]
    public async Task An_answer_that_repeats_actions_of_the_history_is_ignored()
    {
        var hub = Open(NoLimits);
        await using var worker = new FakeWorker(hub);
        await ScheduleAsync(hub, worker, "again", "work");
        var activity = await worker.ActivityAsync();
        _ = worker.AnswerAsync(activity, "x");
        var turn = await worker.TurnAsync();
        await worker.AnswerAsync(turn, Act.Task(0, "work"));
        await worker.AnswerAsync(turn, Act.Done(1));
        var events = await new WorkflowClient(hub).HistoryAsync("again", Token);
        Assert.Single(events!, e => e.TaskScheduled is not null);
        Assert.Equal(OrchestrationStatus.Completed, events![^1].ExecutionCompleted.WorkflowStatus);
    }

    [Fact]
    public async Task A_worker_that_keeps_histories_is_not_sent_a_long_one_again()
    {
        var hub = Open(NoLimits);
        var client = new WorkflowClient(hub);
        await using var worker = new FakeWorker(hub, keepsHistory: true);
        var started = Start(hub, "long");
        await worker.AnswerAsync(await worker.TurnAsync());
        await started;
        var known = 0;
        for (var i = 0; i < 25; i++)
        {
            var raised = client.RaiseAsync("long", "more", null, Token);
            var turn = await worker.TurnAsync();
            var past = 2 + 2 * i;
            Assert.Equal(past, turn.KeptEvents + turn.PastEvents.Count);
            Assert.Equal(known, turn.KeptEvents);
            known = past < 32 ? 0 : past;
            await worker.AnswerAsync(turn);
            await raised;
        }

        Assert.True(known > 0);
    }

    public async ValueTask DisposeAsync()
    {
        if (_hub is not null)
            await _hub.DisposeAsync();
    }

    private WorkflowHub Open(WorkflowSettings settings) => _hub = new WorkflowHub(new WorkflowStorage(_disk, "app", "default"), "app", settings, _time, NullLoggerFactory.Instance);

    private static Task Start(WorkflowHub hub, string id) => new WorkflowClient(hub).StartAsync(id, "workflow", null, null, null, Token);

    private static async Task ScheduleAsync(WorkflowHub hub, FakeWorker worker, string id, params string[] activities)
    {
        var started = Start(hub, id);
        await worker.AnswerAsync(await worker.TurnAsync(), [.. activities.Select((name, i) => Act.Task(i, name))]);
        await started;
    }
}
