using Dapr.DurableTask.Protobuf;
using DaprPlatform.Cli.Workflows;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Cli.Tests;

public sealed class TimelineTests
{
    private static readonly DateTimeOffset Began = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void An_action_and_its_end_are_one_step_with_a_duration()
    {
        var step = Timeline.Of([
            At(0, new HistoryEvent { EventId = -1, ExecutionStarted = new ExecutionStartedEvent { Name = "Order", Input = "1" } }),
            At(10, new HistoryEvent { EventId = 0, TaskScheduled = new TaskScheduledEvent { Name = "Charge", Input = "7" } }),
            At(35, new HistoryEvent { EventId = -1, TaskCompleted = new TaskCompletedEvent { TaskScheduledId = 0, Result = "\"paid\"" } }),
        ])[1];

        Assert.Equal((0, "activity", "Charge", StepState.Succeeded), (step.Id, step.Kind, step.What, step.State));
        Assert.Equal((TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(25)), (step.Start, step.Duration));
        Assert.Equal(("7", "\"paid\""), (step.Input, step.Outcome));
    }

    [Fact]
    public void What_has_not_ended_is_open()
    {
        var steps = Timeline.Of([
            At(0, new HistoryEvent { EventId = -1, ExecutionStarted = new ExecutionStartedEvent { Name = "Order" } }),
            At(1, new HistoryEvent { EventId = 0, TimerCreated = new TimerCreatedEvent { FireAt = Timestamp.FromDateTimeOffset(Began.AddHours(1)), ExternalEvent = new TimerOriginExternalEvent { Name = "approval" } } }),
            At(2, new HistoryEvent { EventId = 1, ChildWorkflowInstanceCreated = new ChildWorkflowInstanceCreatedEvent { Name = "Ship", InstanceId = "s-1" } }),
        ]);

        Assert.Equal([("wait", "for event approval until 13:00:00.000", StepState.Open), ("child", "Ship (s-1)", StepState.Open)], steps.Skip(1).Select(s => (s.Kind, s.What, s.State)));
        Assert.All(steps.Skip(1), s => Assert.Null(s.Duration));
    }

    [Fact]
    public void A_failure_shows_its_type_and_message()
    {
        var step = Timeline.Of([
            At(0, new HistoryEvent { EventId = 3, TaskScheduled = new TaskScheduledEvent { Name = "Charge" } }),
            At(5, new HistoryEvent { EventId = -1, TaskFailed = new TaskFailedEvent { TaskScheduledId = 3, FailureDetails = new TaskFailureDetails { ErrorType = "Declined", ErrorMessage = "no money" } } }),
        ])[0];

        Assert.Equal((StepState.Failed, "Declined: no money"), (step.State, step.Outcome));
    }

    [Fact]
    public void Work_at_another_app_names_it()
    {
        var step = Timeline.Of([At(0, new HistoryEvent { EventId = 0, TaskScheduled = new TaskScheduledEvent { Name = "Charge" }, Router = new TaskRouter { SourceAppID = "orders", TargetAppID = "payments" } })])[0];

        Assert.Equal("Charge at payments", step.What);
    }

    [Theory]
    [InlineData(1.25, "1.3 ms")]
    [InlineData(999, "999 ms")]
    [InlineData(2500, "2.5 s")]
    [InlineData(65_000, "1 min 5 s")]
    [InlineData(7_500_000, "2 h 5 min")]
    public void Durations_are_for_people(double milliseconds, string text) => Assert.Equal(text, WorkflowPrinter.Duration(TimeSpan.FromMilliseconds(milliseconds)));

    private static HistoryEvent At(int milliseconds, HistoryEvent e)
    {
        e.Timestamp = Timestamp.FromDateTimeOffset(Began.AddMilliseconds(milliseconds));
        return e;
    }
}
