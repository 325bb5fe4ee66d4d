using Dapr.Workflow;
using Dapr.Workflow.Serialization;
using Dapr.Workflow.Worker;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using P = Dapr.DurableTask.Protobuf;

namespace Sdk.Workflow.Tests;

public class PropagationTests
{
    [Theory]
    [InlineData("None", 0)]
    [InlineData("OwnHistory", 1)]
    [InlineData("Lineage", 2)]
    public void The_scope_of_a_call_goes_with_its_action(string name, int number)
    {
        var (scope, wire) = (Enum.Parse<HistoryPropagationScope>(name), (P.HistoryPropagationScope)number);
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            await Task.WhenAll(
                context.CallActivityAsync("Audit", null, new WorkflowTaskOptions(TargetAppId: "books").WithHistoryPropagation(scope)),
                context.CallChildWorkflowAsync("Pay", null, new ChildWorkflowTaskOptions(InstanceId: "pay-1").WithHistoryPropagation(scope)));
            return null;
        }));

        var actions = instance.Turn().Actions;
        Assert.Equal((wire, "books"), (actions[0].ScheduleTask.HistoryPropagationScope, actions[0].Router.TargetAppID));
        Assert.Equal((wire, "pay-1"), (actions[1].CreateChildWorkflow.HistoryPropagationScope, actions[1].CreateChildWorkflow.InstanceId));
    }

    [Fact]
    public void A_workflow_without_propagation_reads_none()
    {
        foreach (var nothing in new[] { null, new P.PropagatedHistory() })
        {
            var instance = new Instance(options => options.RegisterWorkflow<object?, bool>("Subject", (context, _) => Task.FromResult(context.GetPropagatedHistory() is null))) { Propagated = nothing };
            Assert.Equal("true", instance.Turn().Output());
        }
    }

    [Fact]
    public void A_workflow_reads_what_its_ancestors_had_done_the_oldest_first()
    {
        PropagatedHistory? seen = null;
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", (context, _) =>
        {
            seen = context.GetPropagatedHistory();
            Assert.Same(seen, context.GetPropagatedHistory());
            return Task.FromResult<object?>(null);
        })) { Propagated = Lineage() };

        instance.Turn().Output();

        Assert.NotNull(seen);
        Assert.Equal(["intake:PatientIntake:root", "pharmacy:Prescribe:child"], seen.Events.Select(e => $"{e.AppId}:{e.Name}:{e.InstanceId}"));
        Assert.Equal(["intake", "pharmacy"], seen.GetAppIds());
        Assert.Equal("child", Assert.Single(seen.GetByAppId("pharmacy")).InstanceId);
        Assert.Equal("PatientIntake", Assert.Single(seen.GetByInstanceId("root")).Name);
        Assert.Empty(seen.GetEventsByWorkflowName("Other"));
        Assert.False(seen.TryGetLastWorkflowEventByName("Other", out _));

        Assert.True(seen.TryGetLastWorkflowEventByName("Prescribe", out var prescribe));
        Assert.Equal(
            ["Check:Completed:\"in\":\"ok\"", "Check:Failed::", "Wait:Pending::"],
            prescribe.Activities.Select(a => $"{a.Name}:{a.Status}:{a.Input}:{a.Output}"));
        Assert.True(prescribe.TryGetLastActivityByName("Check", out var check));
        Assert.Equal("no stock", check.FailureDetails?.ErrorMessage);
        Assert.Equal(2, prescribe.GetActivitiesByName("Check").Count);
        Assert.Equal(["Insure:Completed:\"yes\"", "Ship:Failed:", "Bill:Pending:"], prescribe.Workflows.Select(w => $"{w.Name}:{w.Status}:{w.Output}"));
        // A child that was terminated has failed without details.
        Assert.True(prescribe.TryGetLastWorkflowByName("Ship", out var ship));
        Assert.Null(ship.FailureDetails);
        Assert.Single(prescribe.GetWorkflowsByName("Bill"));
    }

    [Fact]
    public void A_replay_reads_the_same_history()
    {
        var reads = new List<int>();
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            reads.Add(context.GetPropagatedHistory()!.Events.Count);
            await context.CallActivityAsync("Step");
            reads.Add(context.GetPropagatedHistory()!.Events.Count);
            return null;
        })) { Propagated = Lineage() };

        instance.Turn();
        instance.Turn(Instance.Completed(0)).Output();

        Assert.Equal([2, 2, 2], reads);
    }

    [Fact]
    public void What_is_no_history_fails_the_workflow_that_reads_it()
    {
        var broken = Lineage();
        broken.Chunks[0].RawEvents.Add(ByteString.CopyFrom(0xff, 0xff, 0xff));
        var instance = new Instance(options => options.RegisterWorkflow<object?, int>("Subject", (context, _) => Task.FromResult(context.GetPropagatedHistory()!.Events.Count))) { Propagated = broken };

        Assert.Equal(typeof(InvalidProtocolBufferException).FullName, instance.Turn().Failure().ErrorType);
    }

    [Fact]
    public async Task An_activity_reads_what_its_workflow_had_done()
    {
        var options = new WorkflowRuntimeOptions();
        options.RegisterActivity<object?, string>("Audit", (context, _) => Task.FromResult(string.Join(',', context.GetPropagatedHistory()?.GetAppIds() ?? ["none"])));
        var runner = new ActivityRunner(options.BuildRegistry(), new JsonWorkflowSerializer(), new ServiceCollection().BuildServiceProvider(), NullLogger<ActivityRunner>.Instance);
        var request = new P.ActivityRequest { Name = "Audit", WorkflowInstance = new() { InstanceId = "child" } };

        Assert.Equal("\"none\"", (await runner.RunAsync(request, "")).Result);
        request.PropagatedHistory = Lineage();
        Assert.Equal("\"intake,pharmacy\"", (await runner.RunAsync(request, "")).Result);
    }

    private static P.PropagatedHistory Lineage() => new()
    {
        Scope = P.HistoryPropagationScope.Lineage,
        Chunks =
        {
            Chunk("intake", "root", "PatientIntake", new P.HistoryEvent { EventId = -1, ExecutionStarted = new() { Name = "PatientIntake" } }),
            Chunk(
                "pharmacy",
                "child",
                "Prescribe",
                new P.HistoryEvent { EventId = 0, TaskScheduled = new() { Name = "Check", Input = "\"in\"" } },
                new P.HistoryEvent { EventId = 1, TaskScheduled = new() { Name = "Check", Input = "" } },
                Child(2, "Insure"),
                Child(3, "Ship"),
                Instance.Completed(0, "\"ok\""),
                Instance.Failed(1, "no stock"),
                Instance.ChildCompleted(2, "\"yes\""),
                Instance.ChildFailed(3, null),
                Instance.Fired(9),
                Child(4, "Bill"),
                new P.HistoryEvent { EventId = 5, TaskScheduled = new() { Name = "Wait" } }),
        },
    };

    private static P.HistoryEvent Child(int id, string name) => new() { EventId = id, ChildWorkflowInstanceCreated = new() { Name = name, InstanceId = $"{name}-{id}" } };

    private static P.PropagatedHistoryChunk Chunk(string app, string instance, string workflow, params P.HistoryEvent[] events)
    {
        var chunk = new P.PropagatedHistoryChunk { AppId = app, InstanceId = instance, WorkflowName = workflow };
        chunk.RawEvents.AddRange(events.Select(e => e.ToByteString()));
        return chunk;
    }
}
