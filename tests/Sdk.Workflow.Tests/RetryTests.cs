using Dapr.Workflow;
using P = Dapr.DurableTask.Protobuf;
using static Sdk.Workflow.Tests.Instance;

namespace Sdk.Workflow.Tests;

public class RetryTests
{
    [Fact]
    public void A_failing_activity_is_scheduled_again_under_new_ids_after_durable_timers()
    {
        var instance = Subject(new WorkflowRetryPolicy(3, TimeSpan.FromSeconds(2), backoffCoefficient: 3), before: 4);
        instance.Turn();
        var first = instance.Turn([.. Enumerable.Range(0, 4).Select(id => Completed(id))]);
        Assert.Equal(["4:activity Fail"], first.Trace());
        var executionId = first.Actions[0].ScheduleTask.TaskExecutionId;

        var pause = instance.Turn(Failed(4, "one"));
        Assert.Equal(["5:timer"], pause.Trace());
        Assert.Equal(instance.Now.AddSeconds(2), pause.Actions[0].CreateTimer.FireAt.ToDateTime());
        Assert.Equal(executionId, pause.Actions[0].CreateTimer.ActivityRetry.TaskExecutionId);

        instance.Now += TimeSpan.FromSeconds(2);
        var second = instance.Turn(Fired(5));
        Assert.Equal(["6:activity Fail"], second.Trace());
        Assert.NotEqual(executionId, second.Actions[0].ScheduleTask.TaskExecutionId);

        pause = instance.Turn(Failed(6, "two"));
        Assert.Equal(["7:timer"], pause.Trace());
        Assert.Equal(instance.Now.AddSeconds(6), pause.Actions[0].CreateTimer.FireAt.ToDateTime());
        Assert.Equal(executionId, pause.Actions[0].CreateTimer.ActivityRetry.TaskExecutionId);

        Assert.Equal(["8:activity Fail"], instance.Turn(Fired(7)).Trace());
        var end = instance.Turn(Failed(8, "three")).Failure();
        Assert.Equal("Task failed: three", end.ErrorMessage);
    }

    [Fact]
    public void A_retry_that_succeeds_ends_the_retries()
    {
        var instance = Subject(new WorkflowRetryPolicy(5, TimeSpan.FromSeconds(1)));
        instance.Turn();
        instance.Turn(Failed(0));
        instance.Turn(Fired(1));

        Assert.Equal("\"fine\"", instance.Turn(Completed(2, "\"fine\"")).Output());
    }

    [Fact]
    public void No_pause_is_longer_than_the_longest()
    {
        var instance = Subject(new WorkflowRetryPolicy(5, TimeSpan.FromSeconds(10), 10, maxRetryInterval: TimeSpan.FromSeconds(15)));
        instance.Turn();
        instance.Turn(Failed(0));
        instance.Turn(Fired(1));

        Assert.Equal(instance.Now.AddSeconds(15), instance.Turn(Failed(2)).Actions[0].CreateTimer.FireAt.ToDateTime());
    }

    [Fact]
    public void A_pause_beyond_the_end_of_time_is_cut_there()
    {
        var instance = Subject(new WorkflowRetryPolicy(5, TimeSpan.FromDays(1), 1e12, maxRetryInterval: TimeSpan.MaxValue));
        instance.Turn();
        instance.Turn(Failed(0));
        instance.Turn(Fired(1));

        Assert.Equal(9999, instance.Turn(Failed(2)).Actions[0].CreateTimer.FireAt.ToDateTime().Year);
    }

    [Fact]
    public void No_attempt_follows_when_the_time_for_retries_has_passed()
    {
        var instance = Subject(new WorkflowRetryPolicy(100, TimeSpan.FromSeconds(1), retryTimeout: TimeSpan.FromSeconds(10)));
        instance.Turn();
        instance.Now += TimeSpan.FromSeconds(9);
        Assert.Equal(["1:timer"], instance.Turn(Failed(0)).Trace());
        instance.Now += TimeSpan.FromSeconds(1);
        instance.Turn(Fired(1));

        Assert.Equal("Task failed: late", instance.Turn(Failed(2, "late")).Failure().ErrorMessage);
    }

    [Fact]
    public void A_child_is_retried_under_its_given_id_or_a_new_one()
    {
        var policy = new WorkflowRetryPolicy(2, TimeSpan.FromSeconds(1));
        string[] Ids(string? id)
        {
            var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
            {
                await context.CallChildWorkflowAsync("Child", null, new ChildWorkflowTaskOptions(id, policy));
                return null;
            }));
            var first = instance.Turn().Actions[0].CreateChildWorkflow.InstanceId;
            var timer = instance.Turn(ChildFailed(0, null)).Actions[0];
            Assert.Equal((1, first), (timer.Id, timer.CreateTimer.ChildWorkflowRetry.InstanceId));
            return [first, instance.Turn(Fired(1)).Actions[0].CreateChildWorkflow.InstanceId];
        }

        Assert.Equal(["given", "given"], Ids("given"));
        Assert.Equal([TurnTests.Uuid5(DefaultExecutionId, "order-1_0").ToString(), TurnTests.Uuid5(DefaultExecutionId, "order-1_1").ToString()], Ids(null));
    }

    [Fact]
    public void Other_work_goes_on_while_a_retry_waits()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            var flaky = context.CallActivityAsync<string>("Flaky", null, new WorkflowTaskOptions(new WorkflowRetryPolicy(3, TimeSpan.FromMinutes(1))));
            var steady = await context.CallActivityAsync<string>("Steady");
            steady = await context.CallActivityAsync<string>("Steady", steady);
            return steady + await flaky;
        }));
        Assert.Equal(["0:activity Flaky", "1:activity Steady"], instance.Turn().Trace());
        Assert.Equal(["2:timer", "3:activity Steady"], instance.Turn(Failed(0), Completed(1, "\"a\"")).Trace());
        Assert.Equal(["4:activity Flaky"], instance.Turn(Fired(2)).Trace());

        Assert.Equal("\"bc\"", instance.Turn(Completed(4, "\"c\""), Completed(3, "\"b\"")).Output());
    }

    [Theory]
    [InlineData(0, 1, 1.0, null, null)]
    [InlineData(1, 0, 1.0, null, null)]
    [InlineData(1, 1, 0.9, null, null)]
    [InlineData(1, 1, double.NaN, null, null)]
    [InlineData(1, 10, 1.0, 9, null)]
    [InlineData(1, 10, 1.0, null, 9)]
    [InlineData(1, 3601, 1.0, null, null)]
    public void A_policy_that_makes_no_sense_is_refused(int attempts, int first, double coefficient, int? longest, int? timeout) =>
        Assert.ThrowsAny<ArgumentOutOfRangeException>(() => new WorkflowRetryPolicy(
            attempts,
            TimeSpan.FromSeconds(first),
            coefficient,
            longest is { } l ? TimeSpan.FromSeconds(l) : null,
            timeout is { } t ? TimeSpan.FromSeconds(t) : null));

    private static Instance Subject(WorkflowRetryPolicy policy, int before = 0) => new(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
    {
        await Task.WhenAll(Enumerable.Range(0, before).Select(_ => context.CallActivityAsync("Before")));
        return await context.CallActivityAsync<string>("Fail", null, new WorkflowTaskOptions(policy));
    }));
}
