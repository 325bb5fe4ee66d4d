using Dapr.Workflow;
using Microsoft.Extensions.Logging;
using P = Dapr.DurableTask.Protobuf;
using static Sdk.Workflow.Tests.Instance;

namespace Sdk.Workflow.Tests;

public class EventTests
{
    [Fact]
    public void An_event_reaches_its_waiter_in_any_case()
    {
        var instance = Waiting(context => context.WaitForExternalEventAsync<string>("approve"));
        Assert.Empty(instance.Turn().Actions);

        Assert.Equal("\"yes\"", instance.Turn(Raised("APPROVE", "\"yes\"")).Output());
    }

    [Fact]
    public void Events_that_come_before_their_waiters_are_kept_in_order()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            await context.CallActivityAsync("First");
            var one = await context.WaitForExternalEventAsync<string>("note");
            var two = await context.WaitForExternalEventAsync<string>("Note");
            return one + two;
        }));
        instance.Turn(Raised("note", "\"a\""), Raised("other", "\"x\""));
        instance.Turn(Raised("NOTE", "\"b\""));

        Assert.Equal("\"ab\"", instance.Turn(Completed(0)).Output());
    }

    [Fact]
    public void Waiters_of_one_name_are_served_first_come_first_served()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
            string.Concat(await Task.WhenAll(context.WaitForExternalEventAsync<string>("note"), context.WaitForExternalEventAsync<string>("note")))));
        instance.Turn();
        instance.Turn(Raised("note", "\"a\""));

        Assert.Equal("\"ab\"", instance.Turn(Raised("note", "\"b\"")).Output());
    }

    [Fact]
    public void A_cancelled_waiter_takes_no_event()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            using var stop = new CancellationTokenSource();
            var abandoned = context.WaitForExternalEventAsync<string>("note", stop.Token);
            await context.CallActivityAsync("First");
            stop.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);
            return await context.WaitForExternalEventAsync<string>("note");
        }));
        instance.Turn();
        instance.Turn(Completed(0));

        Assert.Equal("\"a\"", instance.Turn(Raised("note", "\"a\"")).Output());
    }

    [Fact]
    public void An_event_in_time_leaves_its_timer_to_fire_into_nothing()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            var answer = await context.WaitForExternalEventAsync<string>("approve", TimeSpan.FromDays(1));
            return answer + await context.CallActivityAsync<string>("After");
        }));
        var first = instance.Turn();
        Assert.Equal(["0:timer"], first.Trace());
        Assert.Equal("approve", first.Actions[0].CreateTimer.ExternalEvent.Name);
        Assert.Equal(instance.Now.AddDays(1), first.Actions[0].CreateTimer.FireAt.ToDateTime());

        Assert.Equal(["1:activity After"], instance.Turn(Raised("approve", "\"yes\"")).Trace());
        Assert.Empty(instance.Turn(Fired(0)).Actions);
        Assert.Equal("\"yes!\"", instance.Turn(Completed(1, "\"!\"")).Output());
    }

    [Fact]
    public void An_event_too_late_cancels_the_wait_and_stays_for_the_next_waiter()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            try
            {
                return await context.WaitForExternalEventAsync<string>("approve", TimeSpan.FromHours(1));
            }
            catch (TaskCanceledException)
            {
                await context.CallActivityAsync("Remind");
                return "late: " + await context.WaitForExternalEventAsync<string>("approve");
            }
        }));
        instance.Turn();
        Assert.Equal(["1:activity Remind"], instance.Turn(Fired(0), Raised("approve", "\"yes\"")).Trace());

        Assert.Equal("\"late: yes\"", instance.Turn(Completed(1)).Output());
    }

    [Fact]
    public void An_uncaught_time_out_fails_the_workflow()
    {
        var instance = Waiting(context => context.WaitForExternalEventAsync<string>("approve", TimeSpan.FromHours(1)));
        instance.Turn();

        Assert.Equal("System.Threading.Tasks.TaskCanceledException", instance.Turn(Fired(0)).Failure().ErrorType);
    }

    [Fact]
    public void No_time_at_all_gives_up_at_once_and_takes_no_id()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            await Assert.ThrowsAsync<TaskCanceledException>(() => context.WaitForExternalEventAsync<string>("approve", TimeSpan.Zero));
            return await context.CallActivityAsync<object?>("After");
        }));

        Assert.Equal(["0:activity After"], instance.Turn().Trace());
    }

    [Fact]
    public void A_wait_with_a_limit_takes_its_id_even_if_the_event_is_there()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            await context.CallActivityAsync("First");
            var answer = await context.WaitForExternalEventAsync<string>("approve", TimeSpan.FromDays(1));
            return await context.CallActivityAsync<string>("After", answer);
        }));
        instance.Turn(Raised("approve", "\"yes\""));

        Assert.Equal(["1:timer", "2:activity After"], instance.Turn(Completed(0)).Trace());
    }

    [Fact]
    public void A_wait_without_limit_is_a_timer_at_the_end_of_time()
    {
        var instance = Waiting(context => context.WaitForExternalEventAsync<string>("approve", Timeout.InfiniteTimeSpan));

        var timer = instance.Turn().Actions[0].CreateTimer;
        Assert.Equal((253402300799, 999999999, "approve"), (timer.FireAt.Seconds, timer.FireAt.Nanos, timer.ExternalEvent.Name));
        Assert.Equal("\"yes\"", instance.Turn(Raised("approve", "\"yes\"")).Output());
    }

    [Fact]
    public void A_history_from_before_such_timers_keeps_its_ids()
    {
        void Old(WorkflowRuntimeOptions options) => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            var answer = await context.WaitForExternalEventAsync<string>("approve");
            return await context.CallActivityAsync<string>("After", answer) + await context.CallActivityAsync<string>("Last");
        });
        void New(WorkflowRuntimeOptions options) => options.RegisterWorkflow<object?, string>("Subject", async (context, _) =>
        {
            var answer = await context.WaitForExternalEventAsync<string>("approve", Timeout.InfiniteTimeSpan);
            return await context.CallActivityAsync<string>("After", answer) + await context.CallActivityAsync<string>("Last");
        });
        var instance = new Instance(Old);
        instance.Turn();
        Assert.Equal(["0:activity After"], instance.Turn(Raised("approve", "\"yes\"")).Trace());

        Assert.Equal(["1:activity Last"], instance.TurnWith(New, Completed(0, "\"a\"")).Trace());
    }

    [Fact]
    public void A_payload_that_does_not_fit_fails_the_wait()
    {
        var instance = Waiting(async context => (await context.WaitForExternalEventAsync<int>("approve")).ToString());
        instance.Turn();

        Assert.Equal("System.Text.Json.JsonException", instance.Turn(Raised("approve", "\"yes\"")).Failure().ErrorType);
    }

    [Fact]
    public void Continuing_as_new_carries_over_what_nobody_took_in_order()
    {
        var instance = new Instance(options => options.RegisterWorkflow<int, object?>("Subject", async (context, round) =>
        {
            // Left behind on purpose: it must not swallow the event that belongs to the next round.
            var abandoned = context.WaitForExternalEventAsync<string>("later");
            await context.WaitForExternalEventAsync<string>("go");
            context.ContinueAsNew(round + 1);
            return null;
        }), input: 1);
        instance.Turn();
        var answer = instance.Turn(Raised("b", "2"), Raised("go"), Raised("a", "1"), Raised("B", "3"), Raised("later", "4"));

        Assert.Equal(["0:ContinuedAsNew"], answer.Trace());
        Assert.Equal("2", answer.Completion().Result);
        Assert.Equal(["b2", "a1", "B3", "later4"], answer.Completion().CarryoverEvents.Select(entry => entry.EventRaised.Name + entry.EventRaised.Input));
    }

    [Fact]
    public void Continuing_as_new_can_drop_what_nobody_took()
    {
        var instance = Waiting(context =>
        {
            context.ContinueAsNew("next", preserveUnprocessedEvents: false);
            return Task.FromResult("ignored");
        });

        var answer = instance.Turn(Raised("a"));
        Assert.Equal(["0:ContinuedAsNew"], answer.Trace());
        Assert.Empty(answer.Completion().CarryoverEvents);
    }

    [Fact]
    public void Carried_events_are_there_for_the_next_run()
    {
        var instance = new Instance(options => options.RegisterWorkflow<int, string>("Subject", async (context, round) =>
            $"{round} {await context.WaitForExternalEventAsync<string>("a")}"), input: 2);

        Assert.Equal("\"2 one\"", instance.Turn(Raised("A", "\"one\"")).Output());
    }

    [Fact]
    public void An_event_is_sent_with_its_payload()
    {
        var instance = new Instance(options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
        {
            context.SendEvent("other", "ready", new { Count = 2 });
            return await context.CallActivityAsync<object?>("After");
        }));

        var sent = instance.Turn().Actions[0];
        Assert.Equal((0, "other", "ready", "{\"count\":2}"), (sent.Id, sent.SendEvent.Instance.InstanceId, sent.SendEvent.Name, sent.SendEvent.Data));
        Assert.Equal(["0:Completed"], instance.Turn(Completed(1)).Trace());
    }

    [Fact]
    public void A_replay_safe_logger_speaks_once()
    {
        var log = new RecordingLoggerFactory();
        var instance = new Instance(
            options => options.RegisterWorkflow<object?, object?>("Subject", async (context, _) =>
            {
                var logger = context.CreateReplaySafeLogger("orders");
                Log(logger, "one");
                await context.CallActivityAsync("A");
                Log(logger, "two");
                await context.CallActivityAsync("B");
                return null;
            }),
            loggers: log);
        instance.Turn();
        instance.Turn(Completed(0));
        instance.Turn(Completed(1));

        Assert.Equal(["one", "two"], log.Messages);
    }

    private static void Log(ILogger logger, string text) => logger.Log(LogLevel.Information, default, text, null, (state, _) => state);

    private static Instance Waiting(Func<WorkflowContext, Task<string>> code) =>
        new(options => options.RegisterWorkflow<object?, string>("Subject", (context, _) => code(context)));

    private sealed class RecordingLoggerFactory : ILoggerFactory, ILogger
    {
        public List<string> Messages { get; } = [];

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Messages.Add(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
