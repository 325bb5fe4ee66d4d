using System.Security.Cryptography;
using System.Text;
using Dapr.Workflow;
using Microsoft.Extensions.DependencyInjection;
using P = Dapr.DurableTask.Protobuf;
using static Sdk.Workflow.Tests.Instance;

namespace Sdk.Workflow.Tests;

public class TurnTests
{
    [Fact]
    public void Activities_in_a_chain_are_scheduled_one_after_the_other()
    {
        var instance = new Instance(Chain, input: "in");

        var first = instance.Turn();
        Assert.Equal(["0:activity Upper"], first.Trace());
        Assert.Equal("\"in\"", first.Actions[0].ScheduleTask.Input);
        Assert.Equal("token", first.CompletionToken);
        Assert.Equal(["1:activity Upper"], instance.Turn(Completed(0, "\"A\"")).Trace());
        var last = instance.Turn(Completed(1, "\"AB\""));
        Assert.Equal(["0:Completed"], last.Trace());
        Assert.Equal("\"AB\"", last.Output());
    }

    [Fact]
    public void Parallel_activities_are_scheduled_in_one_turn_and_may_complete_in_any_order()
    {
        var instance = new Instance(options => options.RegisterWorkflow<int, int[]>("Subject", async (context, count) =>
            await Task.WhenAll(Enumerable.Range(0, count).Select(i => context.CallActivityAsync<int>("Square", i)))), input: 3);

        Assert.Equal(["0:activity Square", "1:activity Square", "2:activity Square"], instance.Turn().Trace());
        Assert.Empty(instance.Turn(Completed(2, "4")).Actions);
        Assert.Equal("[0,1,4]", instance.Turn(Completed(0, "0"), Completed(1, "1")).Output());
    }

    [Fact]
    public void Results_nobody_reads_are_not_parsed_and_missing_ones_are_the_default()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            await context.CallActivityAsync("Void");
            return $"{await context.CallActivityAsync<int>("Number")} {await context.CallActivityAsync<string?>("Text") ?? "null"}";
        }));

        Assert.Equal("", instance.Turn().Actions[0].ScheduleTask.Input);
        instance.Turn(Completed(0, "not json"));
        instance.Turn(Completed(1));
        Assert.Equal("\"0 null\"", instance.Turn(Completed(2, "")).Output());
    }

    [Fact]
    public void A_result_that_does_not_fit_fails_the_await_and_so_the_workflow()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, int>("Subject", (context, _) => context.CallActivityAsync<int>("Number")));
        instance.Turn();

        Assert.Equal("System.Text.Json.JsonException", instance.Turn(Completed(0, "\"many\"")).Failure().ErrorType);
    }

    [Fact]
    public void Task_execution_ids_and_guids_are_uuid5_of_the_execution()
    {
        var guids = new List<Guid>();
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            guids.Clear();
            guids.Add(context.NewGuid());
            guids.Add(context.NewGuid());
            await context.CallActivityAsync("Pay");
            guids.Add(context.NewGuid());
            return null;
        }));

        var action = instance.Turn().Actions[0].ScheduleTask;
        instance.Turn(Completed(0));

        Guid[] expected = [Uuid5(DefaultExecutionId, "order-1_0"), Uuid5(DefaultExecutionId, "order-1_1"), Uuid5(DefaultExecutionId, "order-1_2")];
        Assert.Equal(expected, guids);
        Assert.Equal(Uuid5(DefaultExecutionId, "order-1|activity|0|Pay").ToString("N"), action.TaskExecutionId);
    }

    [Fact]
    public void An_execution_id_that_is_no_uuid_gives_a_namespace_of_its_own()
    {
        // From Python: uuid5(uuid5(UUID('6f927a2e-9c7e-4a1d-9b8d-7a86f2e7f62f'), 'not-a-uuid'), 'order-1_0')
        var id = Guid.Empty;
        var instance = new Instance(
            options => options.RegisterWorkflow<object?, object?>("Subject", (context, _) =>
            {
                id = context.NewGuid();
                return Task.FromResult<object?>(null);
            }),
            executionId: "not-a-uuid");
        instance.Turn();

        Assert.Equal(Guid.Parse("42209683-e0ab-5763-9573-0e52564ded90"), id);
    }

    [Fact]
    public void The_clock_is_the_start_of_the_turn_that_the_code_is_at()
    {
        var seen = new List<(DateTime Time, bool Replaying)>();
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            seen.Clear();
            seen.Add((context.CurrentUtcDateTime, context.IsReplaying));
            await context.CallActivityAsync("A");
            seen.Add((context.CurrentUtcDateTime, context.IsReplaying));
            await context.CallActivityAsync("B");
            seen.Add((context.CurrentUtcDateTime, context.IsReplaying));
            return null;
        }));
        var start = instance.Now;
        instance.Turn();
        instance.Now = start.AddMinutes(1);
        instance.Turn(Completed(0));
        instance.Now = start.AddMinutes(2);
        instance.Turn(Completed(1));

        Assert.Equal([(start, true), (start.AddMinutes(1), true), (start.AddMinutes(2), false)], seen);
    }

    [Fact]
    public void Replaying_the_same_turn_gives_the_same_answer()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            var child = context.CallChildWorkflowAsync<string>("Child");
            var timer = context.CreateTimer(TimeSpan.FromMinutes(1));
            context.SetCustomStatus(context.NewGuid());
            await Task.WhenAny(child, timer);
            context.SendEvent("other", "done", new { context.CurrentUtcDateTime });
            return await context.CallActivityAsync<string>("Last", await child);
        }));
        var first = instance.Turn();
        var again = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            var child = context.CallChildWorkflowAsync<string>("Child");
            var timer = context.CreateTimer(TimeSpan.FromMinutes(1));
            context.SetCustomStatus(context.NewGuid());
            await Task.WhenAny(child, timer);
            context.SendEvent("other", "done", new { context.CurrentUtcDateTime });
            return await context.CallActivityAsync<string>("Last", await child);
        })).Turn();

        Assert.Equal(first, again);
        Assert.Equal(["2:event done", "3:activity Last"], instance.Turn(ChildCompleted(0, "\"ok\"")).Trace());
        Assert.Equal("\"end\"", instance.Turn(Completed(3, "\"end\"")).Output());
    }

    [Fact]
    public void An_exception_fails_the_workflow_with_its_type_and_message()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", (_, _) => throw new ArgumentException("no such coupon")));

        var failure = instance.Turn().Failure();
        Assert.Equal("System.ArgumentException", failure.ErrorType);
        Assert.Equal("no such coupon", failure.ErrorMessage);
        Assert.True(failure.IsNonRetriable);
    }

    [Fact]
    public void A_failed_activity_can_be_caught_and_compensated()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            try
            {
                await context.CallActivityAsync("Pay");
                return "paid";
            }
            catch (WorkflowTaskFailedException failure) when (failure.FailureDetails.IsCausedBy<InvalidOperationException>())
            {
                await context.CallActivityAsync("Release");
                return failure.Message;
            }
        }));
        instance.Turn();

        Assert.Equal(["1:activity Release"], instance.Turn(Failed(0, "card declined")).Trace());
        Assert.Equal("\"Task failed: card declined\"", instance.Turn(Completed(1)).Output());
    }

    [Fact]
    public void An_uncaught_failure_of_an_activity_fails_the_workflow()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", (context, _) => context.CallActivityAsync<object?>("Pay")));
        instance.Turn();

        var failure = instance.Turn(Failed(0, "card declined")).Failure();
        Assert.Equal("Dapr.Workflow.WorkflowTaskFailedException", failure.ErrorType);
        Assert.Equal("Task failed: card declined", failure.ErrorMessage);
    }

    [Fact]
    public void A_child_gets_a_repeatable_id_and_its_failure_says_which_child()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            await context.CallChildWorkflowAsync("Ship", "parcel", new ChildWorkflowTaskOptions(InstanceId: "ship-1"));
            return await context.CallChildWorkflowAsync<string>("Bill");
        }));

        var first = instance.Turn().Actions[0].CreateChildWorkflow;
        Assert.Equal(("ship-1", "Ship", "\"parcel\""), (first.InstanceId, first.Name, first.Input));
        var second = instance.Turn(ChildCompleted(0, "7")).Actions[0].CreateChildWorkflow;
        Assert.Equal(Uuid5(DefaultExecutionId, "order-1_0").ToString(), second.InstanceId);
        Assert.Equal("Child workflow 'Bill' failed", instance.Turn(ChildFailed(1, new() { ErrorType = "X", ErrorMessage = "y" })).Failure().ErrorMessage);
    }

    [Fact]
    public void A_terminated_child_fails_the_call_although_it_left_no_details()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            try
            {
                await context.CallChildWorkflowAsync("Ship");
                return "shipped";
            }
            catch (WorkflowTaskFailedException failure)
            {
                return failure.FailureDetails.ErrorType;
            }
        }));
        instance.Turn();

        Assert.Equal("\"WorkflowTerminated\"", instance.Turn(ChildFailed(0, null)).Output());
    }

    [Fact]
    public void A_timer_fires_once_and_a_cancelled_one_is_only_forgotten()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            using var stop = new CancellationTokenSource();
            var timer = context.CreateTimer(TimeSpan.FromHours(1), stop.Token);
            var work = context.CallActivityAsync<string>("Work");
            if (await Task.WhenAny(timer, work) == timer)
                return "late";
            stop.Cancel();
            Assert.True(timer.IsCanceled);
            await context.CreateTimer(context.CurrentUtcDateTime.AddSeconds(5), CancellationToken.None);
            return await work;
        }));

        var first = instance.Turn();
        Assert.Equal(["0:timer", "1:activity Work"], first.Trace());
        Assert.Equal(instance.Now.AddHours(1), first.Actions[0].CreateTimer.FireAt.ToDateTime());
        Assert.NotNull(first.Actions[0].CreateTimer.CreateTimer);
        Assert.Equal(["2:timer"], instance.Turn(Completed(1, "\"done\"")).Trace());
        Assert.Empty(instance.Turn(Fired(0)).Actions);
        Assert.Equal("\"done\"", instance.Turn(Fired(2)).Output());
    }

    [Fact]
    public void A_timer_must_be_in_utc()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            await context.CreateTimer(DateTime.SpecifyKind(context.CurrentUtcDateTime, DateTimeKind.Local), CancellationToken.None);
            return null;
        }));

        Assert.Equal("System.ArgumentException", instance.Turn().Failure().ErrorType);
    }

    [Fact]
    public void The_custom_status_is_sent_with_every_answer()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            context.SetCustomStatus(new { Step = "reserve" });
            await context.CallActivityAsync("A");
            await context.CallActivityAsync("B");
            context.SetCustomStatus("done");
            return null;
        }));

        Assert.Equal("{\"step\":\"reserve\"}", instance.Turn().CustomStatus);
        Assert.Equal("{\"step\":\"reserve\"}", instance.Turn(Completed(0)).CustomStatus);
        Assert.Equal("\"done\"", instance.Turn(Completed(1)).CustomStatus);
    }

    [Fact]
    public void Without_a_custom_status_none_is_sent()
    {
        Assert.Null(new Instance(Chain, input: "in").Turn().CustomStatus);
    }

    [Fact]
    public void A_suspension_as_the_newest_event_stops_the_turn_and_nothing_is_lost()
    {
        var instance = new Instance(Chain, input: "in");
        instance.Turn();

        Assert.Empty(instance.Turn(Completed(0, "\"A\""), Suspended()).Actions);
        Assert.Equal(["1:activity Upper"], instance.Turn(Resumed()).Trace());
        Assert.Equal("\"AB\"", instance.Turn(Completed(1, "\"AB\"")).Output());
    }

    [Fact]
    public void A_suspended_instance_stands_still_whatever_comes()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            context.SetCustomStatus("waiting");
            var answer = await context.WaitForExternalEventAsync<string>("approve");
            context.SetCustomStatus("approved");
            return await context.CallActivityAsync<string>("After", answer);
        }));
        instance.Turn();
        Assert.Equal("\"waiting\"", instance.Turn(Suspended()).CustomStatus);
        var still = instance.Turn(Raised("approve", "\"yes\""));
        Assert.Empty(still.Actions);
        Assert.Equal("\"waiting\"", still.CustomStatus);
        Assert.Empty(instance.Turn(Suspended(), Raised("other")).Actions);

        var resumed = instance.Turn(Resumed());
        Assert.Equal(["0:activity After"], resumed.Trace());
        Assert.Equal("\"approved\"", resumed.CustomStatus);
        Assert.Equal("\"done\"", instance.Turn(Completed(0, "\"done\"")).Output());
    }

    [Fact]
    public void What_came_during_a_suspension_is_new_to_the_code_when_it_goes_on()
    {
        var seen = new List<bool>();
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            seen.Clear();
            seen.Add(context.IsReplaying);
            await context.WaitForExternalEventAsync<string>("one");
            seen.Add(context.IsReplaying);
            await context.WaitForExternalEventAsync<string>("two");
            seen.Add(context.IsReplaying && !context.IsPatched("late"));
            return await context.CallActivityAsync<object?>("After");
        }));
        instance.Turn();
        instance.Turn(Raised("one"));
        instance.Turn(Suspended());
        Assert.Null(instance.Turn(Raised("two")).Version);
        instance.Turn(Resumed());

        Assert.Equal([true, true, false], seen);
    }

    [Fact]
    public void A_history_of_a_worker_that_went_on_while_suspended_is_accepted()
    {
        var instance = new Instance(Chain, input: "in");
        instance.Turn();
        instance.Turn(Suspended());
        instance.Turn(Completed(0, "\"A\""));
        instance.AppendToPast(new P.HistoryEvent { EventId = 1, TaskScheduled = new() { Name = "Upper" } });
        Assert.Empty(instance.Turn(Raised("x")).Actions);

        Assert.Empty(instance.Turn(Resumed()).Actions);
        Assert.Equal("\"AB\"", instance.Turn(Completed(1, "\"AB\"")).Output());
    }

    [Fact]
    public void A_termination_ends_a_suspended_instance_and_one_with_more_to_do()
    {
        var instance = new Instance(Chain, input: "in");
        instance.Turn();
        instance.Turn(Suspended());

        Assert.Equal(["0:Terminated"], instance.Turn(Terminated(null), Completed(0, "\"A\"")).Trace());
    }

    [Fact]
    public void A_termination_as_the_newest_event_ends_the_instance_with_its_output()
    {
        var instance = new Instance(Chain, input: "in");
        instance.Turn();

        var end = instance.Turn(Terminated("\"cut\"")).Completion();
        Assert.Equal(P.OrchestrationStatus.Terminated, end.WorkflowStatus);
        Assert.Equal("\"cut\"", end.Result);
    }

    [Fact]
    public void An_unknown_workflow_fails_for_good()
    {
        var failure = new Instance(Chain, "Ghost").Turn().Failure();

        Assert.Equal(("WorkflowNotFound", "Workflow 'Ghost' is not registered in this app.", true), (failure.ErrorType, failure.ErrorMessage, failure.IsNonRetriable));
    }

    [Fact]
    public void Names_of_workflows_are_found_in_any_case()
    {
        Assert.Equal(["0:activity Upper"], new Instance(Chain, "sUBJECT", "in").Turn().Trace());
    }

    [Fact]
    public void A_history_without_a_start_says_that_the_name_is_missing()
    {
        var instance = new Instance(Chain, workflow: "");

        Assert.Equal("WorkflowNameMissing", instance.Turn().Failure().ErrorType);
    }

    [Fact]
    public void A_class_gets_its_services_and_one_that_cannot_be_made_fails_the_instance()
    {
        var services = new ServiceCollection().AddScoped(_ => new Greeting("hello")).BuildServiceProvider(validateScopes: true);

        Assert.Equal("\"hello Ada\"", new Instance(options => options.RegisterWorkflow<Greeter>(), nameof(Greeter), "Ada", services: services).Turn().Output());
        Assert.Equal("System.InvalidOperationException", new Instance(options => options.RegisterWorkflow<Greeter>(), nameof(Greeter), "Ada").Turn().Failure().ErrorType);
    }

    [Fact]
    public void A_value_type_input_that_is_missing_is_refused()
    {
        var instance = new Instance(options => options.RegisterWorkflow<int, int>("Subject", (_, number) => Task.FromResult(number)));

        Assert.Contains("takes a Int32", instance.Turn().Failure().ErrorMessage);
    }

    [Fact]
    public void Another_app_is_named_on_the_action_and_in_it()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            var activity = context.CallActivityAsync("Far", null, new WorkflowTaskOptions(TargetAppId: "stock", PropagationScope: HistoryPropagationScope.Lineage));
            await Task.WhenAll(activity, context.CallChildWorkflowAsync("FarToo", null, new ChildWorkflowTaskOptions(TargetAppId: "stock")));
            return null;
        }));

        var actions = instance.Turn().Actions;
        var router = new P.TaskRouter { SourceAppID = "orders", TargetAppID = "stock" };
        Assert.Equal([router, router, router, router], [actions[0].Router, actions[0].ScheduleTask.Router, actions[1].Router, actions[1].CreateChildWorkflow.Router]);
        Assert.Equal(P.HistoryPropagationScope.Lineage, actions[0].ScheduleTask.HistoryPropagationScope);
    }

    [Fact]
    public void Inputs_run_in_parallel_within_the_limit_and_failures_come_together()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            try
            {
                return string.Join(',', await context.ProcessInParallelAsync([1, 2, 3, 4], i => context.CallActivityAsync<int>("Do", i), maxConcurrency: 2));
            }
            catch (AggregateException failures)
            {
                return $"{failures.InnerExceptions.Count} failed";
            }
        }));

        Assert.Equal(["0:activity Do", "1:activity Do"], instance.Turn().Trace());
        Assert.Equal(["2:activity Do"], instance.Turn(Completed(1, "20")).Trace());
        Assert.Equal(["3:activity Do"], instance.Turn(Failed(0)).Trace());
        Assert.Equal("\"1 failed\"", instance.Turn(Completed(2, "30"), Completed(3, "40")).Output());
    }

    [Fact]
    public void Inputs_processed_in_parallel_give_results_in_their_order()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, int[]>("Subject", (context, _) =>
            context.ProcessInParallelAsync([1, 2, 3], i => context.CallActivityAsync<int>("Do", i), maxConcurrency: 3)));
        instance.Turn();

        Assert.Equal("[10,20,30]", instance.Turn(Completed(2, "30"), Completed(0, "10"), Completed(1, "20")).Output());
    }

    private static void Chain(WorkflowRuntimeOptions options) => options.RegisterWorkflow<string, string>("Subject", async (context, text) =>
    {
        var once = await context.CallActivityAsync<string>("Upper", text);
        return await context.CallActivityAsync<string>("Upper", once + "B");
    });

    // Written apart from the code under test, byte by byte from RFC 9562.
    internal static Guid Uuid5(string space, string name)
    {
        var bytes = Convert.FromHexString(space.Replace("-", "", StringComparison.Ordinal)).Concat(Encoding.UTF8.GetBytes(name)).ToArray();
        var hash = Convert.ToHexString(SHA1.HashData(bytes)).ToLowerInvariant();
        var variant = "89ab"[Convert.ToInt32(hash[16].ToString(), 16) & 3];
        return Guid.Parse($"{hash[..8]}-{hash[8..12]}-5{hash[13..16]}-{variant}{hash[17..20]}-{hash[20..32]}");
    }

    private sealed record Greeting(string Word);

    private sealed class Greeter(Greeting greeting) : Workflow<string, string>
    {
        public override Task<string> RunAsync(WorkflowContext context, string input) => Task.FromResult($"{greeting.Word} {input}");
    }
}
