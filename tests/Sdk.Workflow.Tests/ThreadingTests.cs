using Dapr.Workflow;
using static Sdk.Workflow.Tests.Instance;

namespace Sdk.Workflow.Tests;

public class ThreadingTests
{
    [Fact]
    public void All_code_of_a_turn_runs_on_its_thread_however_it_awaits()
    {
        var threads = new HashSet<int>();
        var instance = new Instance(Code(async context =>
        {
            threads.Add(Environment.CurrentManagedThreadId);
            await context.CallActivityAsync("A").ConfigureAwait(false);
            threads.Add(Environment.CurrentManagedThreadId);
            await Task.WhenAll(context.CallActivityAsync("B"), context.CallActivityAsync("C"));
            threads.Add(Environment.CurrentManagedThreadId);
            return "done";
        }));
        instance.Turn();
        instance.Turn(Completed(0));

        Assert.Equal("\"done\"", instance.Turn(Completed(1), Completed(2)).Output());
        Assert.Equal([Environment.CurrentManagedThreadId], threads);
    }

    [Fact]
    public void Yielding_and_semaphores_stay_inside_the_turn()
    {
        var thread = 0;
        var instance = new Instance(Code(async context =>
        {
            using var gate = new SemaphoreSlim(1);
            async Task<string> Guarded(string name)
            {
                await gate.WaitAsync();
                try
                {
                    return await context.CallActivityAsync<string>(name);
                }
                finally
                {
                    gate.Release();
                }
            }

            await Task.Yield();
            var both = await Task.WhenAll(Guarded("A"), Guarded("B"));
            thread = Environment.CurrentManagedThreadId;
            return string.Concat(both);
        }));

        Assert.Equal(["0:activity A"], instance.Turn().Trace());
        Assert.Equal(["1:activity B"], instance.Turn(Completed(0, "\"a\"")).Trace());
        Assert.Equal("\"ab\"", instance.Turn(Completed(1, "\"b\"")).Output());
        Assert.Equal(Environment.CurrentManagedThreadId, thread);
    }

    [Fact]
    public void Code_that_leaves_the_thread_is_waited_for()
    {
        // The inner await takes the pump, the outer one refuses it: .NET sends the rest to the thread pool.
        var instance = new Instance(Code(async context =>
        {
            async Task<string> Inner(string name) => await context.CallActivityAsync<string>(name);
            var a = await Inner("A").ConfigureAwait(false);
            var b = await Inner("B").ConfigureAwait(false);
            return a + b + await Inner("C").ConfigureAwait(false);
        }));

        Assert.Equal(["0:activity A"], instance.Turn().Trace());
        Assert.Equal(["1:activity B"], instance.Turn(Completed(0, "\"a\"")).Trace());
        Assert.Equal(["2:activity C"], instance.Turn(Completed(1, "\"b\"")).Trace());
        Assert.Equal("\"abc\"", instance.Turn(Completed(2, "\"c\"")).Output());
    }

    [Fact]
    public void Work_on_another_thread_is_waited_for()
    {
        var instance = new Instance(Code(async context =>
        {
            var a = await Task.Run(() => "a");
            return a + await context.CallActivityAsync<string>("B");
        }));

        Assert.Equal(["0:activity B"], instance.Turn().Trace());
        Assert.Equal("\"ab\"", instance.Turn(Completed(0, "\"b\"")).Output());
    }

    [Fact]
    public void Waiting_for_what_never_comes_fails_the_instance()
    {
        var instance = new Instance(
            Code(async _ =>
            {
                await new TaskCompletionSource().Task;
                return "never";
            }),
            foreignWaitLimit: TimeSpan.FromMilliseconds(1));

        Assert.Contains("awaits something that is not a task of its context", instance.Turn().Failure().ErrorMessage);
    }

    [Fact]
    public void What_the_code_does_after_its_turn_has_no_effect()
    {
        WorkflowContext? kept = null;
        var instance = new Instance(Code(context =>
        {
            kept = context;
            return context.CallActivityAsync<string>("A");
        }));
        var answer = instance.Turn();

        Assert.False(kept!.CallActivityAsync("Late").IsCompleted);
        kept.SendEvent("x", "late", "y");
        kept.ContinueAsNew();
        Assert.Equal(["0:activity A"], answer.Trace());
        Assert.Equal("\"a\"", instance.Turn(Completed(0, "\"a\"")).Output());
    }

    [Fact]
    public void An_exception_nobody_awaits_fails_the_instance()
    {
        var instance = new Instance(Code(context =>
        {
            async void Fire()
            {
                await context.CallActivityAsync("A");
                throw new InvalidOperationException("unseen");
            }

            Fire();
            return context.CallActivityAsync<string>("B");
        }));
        instance.Turn();

        Assert.Equal("unseen", instance.Turn(Completed(0)).Failure().ErrorMessage);
    }

    [Fact]
    public void The_callers_synchronization_context_comes_back()
    {
        var mine = new SynchronizationContext();
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(mine);
        try
        {
            new Instance(Code(context => context.CallActivityAsync<string>("A"))).Turn();
            Assert.Same(mine, SynchronizationContext.Current);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private static Action<WorkflowRuntimeOptions> Code(Func<WorkflowContext, Task<string>> code) =>
        options => options.RegisterWorkflow<object?, string>("Subject", (context, _) => code(context));
}
