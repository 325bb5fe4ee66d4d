using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>What belongs to which execution of an instance, what is over with an event, and what the metrics say.</summary>
public sealed class ExecutionTests : IAsyncDisposable
{
    private static readonly WorkflowSettings Limits = new(null, null, null, null, null, null) { MaxMessageSize = 1_000_000 };
    private readonly DiskStore _disk = new();
    private readonly ManualTime _time = new();
    private readonly MetricsRegistry _metrics = new("app", enabled: true);
    private WorkflowHub _hub;
    private WorkflowClient _client;

    public ExecutionTests()
    {
        _hub = Open();
        _client = new WorkflowClient(_hub);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_end_of_a_child_of_an_earlier_execution_is_not_taken_for_that_of_a_new_one()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("loop");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-1"));
        await started;
        await worker.AnswerAsync(await worker.TurnAsync());
        var raised = _client.RaiseAsync("loop", "again", null, Token);
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Again(1, "next"));
        await raised;
        // Ids of actions begin anew.
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "kid-2"));
        await worker.AnswerAsync(await worker.TurnAsync());

        foreach (var (id, result) in new[] { ("kid-1", "old"), ("kid-2", "new") })
        {
            raised = _client.RaiseAsync(id, "end", null, Token);
            var end = await worker.TurnAsync();
            Assert.Equal(id, end.InstanceId);
            await worker.AnswerAsync(end, Act.Done(0, result));
            await raised;
        }

        var turn = await worker.TurnAsync();
        Assert.Equal(("loop", "new"), (turn.InstanceId, turn.NewEvents[^1].ChildWorkflowInstanceCompleted.Result));
        Assert.DoesNotContain(turn.PastEvents, e => e.ChildWorkflowInstanceCompleted is not null);
        await worker.AnswerAsync(turn, Act.Done(1));
    }

    [Fact]
    public async Task The_time_limit_of_a_wait_does_not_fire_once_the_event_has_come()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("waiting");
        var (first, second) = (Limit(0, "Approval", 1), Limit(1, "approval", 2));
        await worker.AnswerAsync(await worker.TurnAsync(), first, second, Act.Timer(2, _time.GetUtcNow() + TimeSpan.FromMinutes(3)));
        await started;
        var raised = _client.RaiseAsync("waiting", "approval", null, Token);
        await worker.AnswerAsync(await worker.TurnAsync());
        await raised;

        // The event ended the first wait alone.
        _time.Advance(TimeSpan.FromMinutes(1));
        _time.Advance(TimeSpan.FromMinutes(1));
        var turn = await worker.TurnAsync();
        Assert.Equal([1], turn.PastEvents.Concat(turn.NewEvents).Where(e => e.TimerFired is not null).Select(e => e.TimerFired.TimerId));
        await worker.AnswerAsync(turn);
        _time.Advance(TimeSpan.FromMinutes(1));
        turn = await worker.TurnAsync();
        Assert.Equal([1, 2], turn.PastEvents.Concat(turn.NewEvents).Where(e => e.TimerFired is not null).Select(e => e.TimerFired.TimerId));
        await worker.AnswerAsync(turn, Act.Done(3));

        WorkflowAction Limit(int id, string name, int minutes)
        {
            var timer = Act.Timer(id, _time.GetUtcNow() + TimeSpan.FromMinutes(minutes));
            timer.CreateTimer.ExternalEvent = new TimerOriginExternalEvent { Name = name };
            return timer;
        }
    }

    [Fact]
    public async Task A_rerun_makes_children_of_its_own_of_all_that_were_under_way_and_leaves_those_of_the_source_alone()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("first");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Child(0, "kid", "a"), Act.Child(1, "kid", "b"));
        await started;
        foreach (var kid in new[] { await worker.TurnAsync(), await worker.TurnAsync() })
            await worker.AnswerAsync(kid, Act.Done(0, "from " + kid.InstanceId));
        for (var open = 2; open > 0;)
        {
            var turn = await worker.TurnAsync();
            open = 2 - turn.PastEvents.Concat(turn.NewEvents).Count(e => e.ChildWorkflowInstanceCompleted is not null);
            await worker.AnswerAsync(turn, open == 0 ? [Act.Done(2)] : []);
        }

        await _client.RerunAsync(new RerunWorkflowFromEventRequest { SourceInstanceID = "first", EventID = 1, NewInstanceID = "second" }, Token);
        var kids = new[] { await worker.TurnAsync(), await worker.TurnAsync() };
        Assert.Equal(["second:0000", "second:0001"], kids.Select(k => k.InstanceId).Order());
        Assert.All(kids, k => Assert.Equal("second", k.NewEvents[^1].ExecutionStarted.ParentInstance.WorkflowInstance.InstanceId));
        Assert.Equal("from a", (await _client.GetAsync("a", withPayloads: true, Token))!.Output);
    }

    [Fact]
    public async Task What_no_worker_is_left_for_can_be_removed_by_force()
    {
        await using (var worker = new FakeWorker(_hub))
        {
            var started = StartAsync("stuck");
            await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "never"));
            await started;
        }

        Assert.Equal(1, await _client.PurgeAsync("stuck", recurse: true, force: true, Token).WaitAsync(TimeSpan.FromSeconds(60), Token));
        Assert.Empty(_disk.Keys);
    }

    [Fact]
    public async Task An_instance_that_cannot_be_read_keeps_no_other_from_going_on_and_is_removed_by_force_alone()
    {
        await using (var worker = new FakeWorker(_hub))
        {
            foreach (var id in new[] { "a", "broken", "broken||other", "c" })
            {
                var started = StartAsync(id);
                await worker.AnswerAsync(await worker.TurnAsync(), Act.Timer(0, _time.GetUtcNow() + TimeSpan.FromMinutes(1)));
                await started;
            }
        }

        _disk.Remove("||broken||history-000001");
        await _hub.DisposeAsync();
        _hub = Open();
        _client = new WorkflowClient(_hub);
        await using var next = new FakeWorker(_hub);
        _time.Advance(TimeSpan.FromMinutes(1));
        var turns = new[] { await next.TurnAsync(), await next.TurnAsync(), await next.TurnAsync() };
        Assert.Equal(["a", "broken||other", "c"], turns.Select(t => t.InstanceId).Order(StringComparer.Ordinal));
        Assert.Contains("history key 'history-000001' declared in metadata (historyLength=3)", (await Assert.ThrowsAsync<InvalidDataException>(() => _client.GetAsync("broken", withPayloads: false, Token))).Message);
        await Assert.ThrowsAsync<InvalidDataException>(() => _client.PurgeAsync("broken", recurse: true, force: false, Token));
        Assert.Equal(1, await _client.PurgeAsync("broken", recurse: true, force: true, Token));
        Assert.Null(await _client.GetAsync("broken", withPayloads: false, Token));
        Assert.NotNull(await _client.GetAsync("broken||other", withPayloads: false, Token));
        Assert.DoesNotContain(_disk.Keys, k => k.Contains("||broken||", StringComparison.Ordinal) && !k.Contains("||other||", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Activities_are_counted_when_they_are_asked_for_and_measured_against_the_largest_message_like_turns()
    {
        await using var worker = new FakeWorker(_hub);
        var started = StartAsync("one");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "work", new string('x', 300_000)));
        await started;
        var activity = await worker.ActivityAsync();
        var text = _metrics.Text();
        Assert.Contains("""dapr_runtime_workflow_activity_operation_count{activity_name="work",app_id="app",namespace="",status="success"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""dapr_runtime_workflow_activity_operation_latency_count{activity_name="work",app_id="app",namespace="",status="success"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""dapr_runtime_workflow_activity_payload_size_ratio_bucket{activity_name="work",app_id="app",namespace="",workflow_name="workflow",le="0.25"} 0""", text, StringComparison.Ordinal);
        Assert.Contains("""dapr_runtime_workflow_activity_payload_size_ratio_bucket{activity_name="work",app_id="app",namespace="",workflow_name="workflow",le="0.5"} 1""", text, StringComparison.Ordinal);
        _ = worker.AnswerAsync(activity, "done");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(1));
        text = _metrics.Text();
        Assert.Contains("""dapr_runtime_workflow_payload_size_ratio_bucket{app_id="app",namespace="",workflow_name="workflow",le="0.1"} 1""", text, StringComparison.Ordinal);
        Assert.Contains("""dapr_runtime_workflow_payload_size_ratio_count{app_id="app",namespace="",workflow_name="workflow"} 2""", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Histories_that_are_to_be_signed_are_refused_without_the_identity_that_signs_them()
    {
        var features = (bool enabled) => JsonNode.Parse($$"""{"features":[{"name":"WorkflowHistorySigning","enabled":{{(enabled ? "true" : "false")}}}]}""")!.AsObject();
        Assert.Contains("mTLS", Assert.Throws<ResourceException>(() => WorkflowSettings.From(features(true))).Message);
        Assert.Null(WorkflowSettings.From(features(false)).MaxWorkflows);
    }

    public async ValueTask DisposeAsync() => await _hub.DisposeAsync();

    private WorkflowHub Open() =>
        new(new WorkflowStorage(_disk, "app", "default"), "app", Limits, _time, NullLoggerFactory.Instance, new WorkflowTelemetry(Tracer.Off, new WorkflowMetrics(_metrics, "")));

    private Task StartAsync(string id) => _client.StartAsync(id, "workflow", null, null, null, Token);
}
