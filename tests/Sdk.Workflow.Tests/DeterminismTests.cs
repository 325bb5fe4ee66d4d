using Dapr.Workflow;
using P = Dapr.DurableTask.Protobuf;
using static Sdk.Workflow.Tests.Instance;

namespace Sdk.Workflow.Tests;

public class DeterminismTests
{
    private const string ErrorType = "Dapr.Workflow.Worker.NonDeterminismException";

    [Fact]
    public void Another_activity_at_an_id_of_the_history_fails_the_instance()
    {
        var instance = Old();
        var answer = instance.TurnWith(Code(async context =>
        {
            await context.CallActivityAsync("Charge");
            return "wrong";
        }), Completed(0));

        Assert.Equal(["0:Failed"], answer.Trace());
        Assert.Equal(ErrorType, answer.Failure().ErrorType);
        Assert.Contains("Action 0 is now activity 'Charge', but the history of this instance has activity 'Reserve' there.", answer.Failure().ErrorMessage);
        Assert.Contains("IsPatched", answer.Failure().ErrorMessage);
    }

    [Fact]
    public void Another_kind_of_action_fails_the_instance()
    {
        var answer = Old().TurnWith(Code(async context =>
        {
            await context.CreateTimer(TimeSpan.FromSeconds(1));
            return "wrong";
        }), Completed(0));

        Assert.Contains("Action 0 is now a timer, but the history", answer.Failure().ErrorMessage);
    }

    [Fact]
    public void A_call_put_in_front_fails_the_instance_although_the_code_catches_everything()
    {
        var compensated = false;
        var answer = Old().TurnWith(Code(async context =>
        {
            try
            {
                await context.CallChildWorkflowAsync("Check");
                await context.CallActivityAsync("Reserve");
            }
            catch (Exception)
            {
                compensated = true;
            }

            return "wrong";
        }), Completed(0));

        Assert.Equal(ErrorType, answer.Failure().ErrorType);
        Assert.False(compensated);
    }

    [Fact]
    public void A_call_that_is_gone_fails_the_instance()
    {
        var answer = Old().TurnWith(Code(_ => Task.FromResult("wrong")), Completed(0));

        Assert.Contains("has activity 'Reserve' as action 0, but the code no longer takes that action", answer.Failure().ErrorMessage);
    }

    [Fact]
    public void A_call_at_the_end_that_is_gone_fails_the_instance_when_its_answer_comes()
    {
        var instance = Old();
        instance.Turn(Completed(0));

        var answer = instance.TurnWith(Code(async context =>
        {
            await context.CallActivityAsync("Reserve");
            return "wrong";
        }), Completed(1));
        Assert.Contains("activity 'Pay' as action 1", answer.Failure().ErrorMessage);
    }

    [Fact]
    public void A_wait_for_another_event_fails_the_instance()
    {
        var instance = new Instance(Code(context => context.WaitForExternalEventAsync<string>("approve", TimeSpan.FromDays(1))));
        instance.Turn();

        var answer = instance.TurnWith(Code(context => context.WaitForExternalEventAsync<string>("reject", TimeSpan.FromDays(1))), Raised("reject", "1"));
        Assert.Contains("is now a wait for event 'reject', but the history of this instance has a wait for event 'approve' there", answer.Failure().ErrorMessage);
    }

    [Fact]
    public void Continuing_as_new_where_the_history_has_an_action_fails_the_instance()
    {
        var answer = Old().TurnWith(Code(context =>
        {
            context.ContinueAsNew();
            return Task.FromResult("wrong");
        }), Completed(0));

        Assert.Contains("Action 0 is now to continue as new", answer.Failure().ErrorMessage);
    }

    [Fact]
    public void A_change_of_letter_case_or_input_is_none()
    {
        var answer = Old().TurnWith(Code(async context =>
        {
            await context.CallActivityAsync("RESERVE", "other input");
            return await context.CallActivityAsync<string>("Pay");
        }), Completed(0));

        Assert.Equal(["1:activity Pay"], answer.Trace());
    }

    [Fact]
    public void A_timer_of_a_sidecar_that_keeps_no_origins_is_accepted()
    {
        var instance = new Instance(Code(context => context.WaitForExternalEventAsync<string>("approve", TimeSpan.FromDays(1))));
        instance.Turn();
        instance.Past.Single(entry => entry.TimerCreated is not null).TimerCreated.ClearOrigin();

        Assert.Equal("\"yes\"", instance.Turn(Raised("approve", "\"yes\"")).Output());
    }

    [Fact]
    public void A_patch_runs_for_new_instances_and_is_recorded()
    {
        var instance = new Instance(Patched);
        var first = instance.Turn();
        Assert.Equal(["0:activity Check"], first.Trace());
        Assert.Equal(["check-first"], first.Version.Patches);
        Assert.Equal("Subject", first.Version.Name);

        var second = instance.Turn(Completed(0));
        Assert.Equal(["1:activity Reserve"], second.Trace());
        Assert.Equal(["check-first"], second.Version.Patches);
        Assert.Equal("\"done\"", instance.Turn(Completed(1, "\"done\"")).Output());
    }

    [Fact]
    public void A_patch_does_not_run_for_instances_that_passed_it_before()
    {
        var instance = new Instance(Code(context => context.CallActivityAsync<string>("Reserve")));
        instance.Turn();

        var answer = instance.TurnWith(Patched, Completed(0, "\"done\""));
        Assert.Equal("\"done\"", answer.Output());
        Assert.Null(answer.Version);
    }

    [Fact]
    public void A_completion_that_names_no_known_id_is_matched_by_its_execution()
    {
        var instance = Old();
        var executionId = instance.Past.Single(entry => entry.TaskScheduled is not null).TaskScheduled.TaskExecutionId;

        Assert.Equal(["1:activity Pay"], instance.Turn(Completed(77, null, executionId)).Trace());
    }

    [Fact]
    public void A_second_completion_of_the_same_action_changes_nothing()
    {
        var instance = Old();
        instance.Turn(Completed(0));

        Assert.Empty(instance.Turn(Completed(0)).Actions);
        Assert.Equal("\"p\"", instance.Turn(Failed(0), Completed(1, "\"p\"")).Output());
    }

    [Fact]
    public void A_completion_that_comes_before_its_action_waits_for_it()
    {
        var instance = new Instance(Code(async context =>
        {
            await context.WaitForExternalEventAsync<string>("go");
            return await context.CallActivityAsync<string>("Reserve");
        }));
        instance.Turn(Completed(0, "\"early\""));

        Assert.Equal("\"early\"", instance.Turn(Raised("go")).Output());
    }

    private static Instance Old()
    {
        var instance = new Instance(Code(async context =>
        {
            await context.CallActivityAsync("Reserve");
            return await context.CallActivityAsync<string>("Pay");
        }));
        instance.Turn();
        return instance;
    }

    private static void Patched(WorkflowRuntimeOptions options) => Code(async context =>
    {
        if (context.IsPatched("check-first") && context.IsPatched("check-first"))
            await context.CallActivityAsync("Check");
        return await context.CallActivityAsync<string>("Reserve");
    })(options);

    private static Action<WorkflowRuntimeOptions> Code(Func<WorkflowContext, Task<string>> code) =>
        options => options.RegisterWorkflow<object?, string>("Subject", (context, _) => code(context));
}
