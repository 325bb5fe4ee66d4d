using Dapr.Proto.Common.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Scheduling.Tests;

public sealed class DurableSchedulerTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_job_fires_when_it_is_due_and_is_gone_then()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("once", due: "2s");

        await fixture.AdvanceAsync(1.999 * Second);
        Assert.Equal(0, fixture.Scheduler.Running);
        await fixture.AdvanceAsync(0.001 * Second);
        Assert.Equal("once", await consumer.NextAsync(JobOutcome.Done));

        Assert.Null(await fixture.GetAsync("once"));
        Assert.Equal(0, fixture.Scheduler.InMemory);
    }

    [Fact]
    public async Task A_job_in_the_past_fires_at_once()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();

        await fixture.ScheduleAsync("late", due: "2020-01-01T00:00:00Z");

        Assert.Equal("late", await consumer.NextAsync(JobOutcome.Done));
    }

    [Fact]
    public async Task A_job_repeats_as_often_as_it_says()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("thrice", "@every 1s", repeats: 3);

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(0, fixture.Scheduler.Running);
            await fixture.AdvanceAsync(Second);
            Assert.Equal("thrice", await consumer.NextAsync(JobOutcome.Done));
        }

        Assert.Null(await fixture.GetAsync("thrice"));
    }

    [Fact]
    public async Task A_due_time_with_a_schedule_says_when_it_begins()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("first at once", "@every 10s", due: "0s");

        await consumer.NextAsync(JobOutcome.Done);
        await fixture.AdvanceAsync(9.9 * Second);
        Assert.Equal(0, fixture.Scheduler.Running);
        await fixture.AdvanceAsync(0.1 * Second);
        await consumer.NextAsync(JobOutcome.Done);
    }

    [Fact]
    public async Task Times_of_a_job_never_overlap_and_those_missed_count_as_one()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("slow", "@every 1s");
        await fixture.AdvanceAsync(Second);
        var first = await consumer.NextAsync();

        await fixture.AdvanceAsync(3.5 * Second);
        Assert.Equal(1, fixture.Scheduler.Running);
        await first.AnswerAsync(JobOutcome.Done);

        Assert.Equal(first.Job.Due + (3 * Second), (await consumer.NextAsync()).Job.Due);
        Assert.Equal(1, fixture.Scheduler.Running);
    }

    [Fact]
    public async Task A_job_that_fails_is_tried_three_more_times_a_second_apart()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("fails", due: "0s");

        for (var attempt = 0; attempt < 4; attempt++)
        {
            var delivery = await consumer.NextAsync();
            Assert.Equal(attempt, delivery.Job.Attempt);
            await delivery.AnswerAsync(JobOutcome.Failed);
            Assert.Equal(0, fixture.Scheduler.Running);
            await fixture.AdvanceAsync(Second);
        }

        Assert.Equal(0, fixture.Scheduler.Running);
        Assert.Null(await fixture.GetAsync("fails"));
    }

    [Fact]
    public async Task A_time_that_was_given_up_counts_and_the_next_begins_anew()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("drops", "@every 1s", repeats: 2, more: j => j.FailurePolicy = new JobFailurePolicy { Drop = new JobFailurePolicyDrop() });

        await fixture.AdvanceAsync(Second);
        await consumer.NextAsync(JobOutcome.Failed);
        await fixture.AdvanceAsync(Second);
        await consumer.NextAsync(JobOutcome.Failed);

        Assert.Null(await fixture.GetAsync("drops"));
    }

    [Fact]
    public async Task A_constant_policy_without_a_limit_never_gives_up()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("forever", due: "0s", more: j => j.FailurePolicy = new JobFailurePolicy { Constant = new JobFailurePolicyConstant { Interval = Duration.FromTimeSpan(5 * Second) } });

        for (var i = 0; i < 10; i++)
        {
            await consumer.NextAsync(JobOutcome.Failed);
            await fixture.AdvanceAsync(5 * Second);
        }

        await consumer.NextAsync(JobOutcome.Done);
        Assert.Null(await fixture.GetAsync("forever"));
    }

    [Fact]
    public async Task A_handler_that_throws_has_failed()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("throws", due: "0s");

        var delivery = await consumer.NextAsync();
        await Task.Run(() => delivery.Answer.SetException(new InvalidOperationException("no")));
        await fixture.AdvanceAsync(Second);

        Assert.Equal(1, (await consumer.NextAsync()).Job.Attempt);
    }

    [Fact]
    public async Task A_job_without_consumer_waits_for_one()
    {
        await using var fixture = await Fixture.OpenAsync();
        await fixture.ScheduleAsync("waits", due: "1s");
        await fixture.AdvanceAsync(TimeSpan.FromHours(1));
        Assert.Equal(0, fixture.Scheduler.InMemory);

        var consumer = await fixture.ConsumeAsync();

        Assert.Equal("waits", await consumer.NextAsync(JobOutcome.Done));
    }

    [Fact]
    public async Task A_job_goes_to_consumers_of_its_scope_only()
    {
        await using var fixture = await Fixture.OpenAsync();
        var others = new[] { await fixture.ConsumeAsync(JobScope.App("default", "other")), await fixture.ConsumeAsync(JobScope.App("elsewhere", "app")), await fixture.ConsumeAsync(JobScope.ActorType("default", "app")) };
        await fixture.ScheduleAsync("mine", due: "0s");
        Assert.Equal(0, fixture.Scheduler.Running);

        await (await fixture.ConsumeAsync()).NextAsync(JobOutcome.Done);
        Assert.Equal(3, others.Length);
    }

    [Fact]
    public async Task Consumers_share_the_jobs_of_a_scope()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumers = new[] { await fixture.ConsumeAsync(), await fixture.ConsumeAsync() };
        for (var i = 0; i < 10; i++)
            await fixture.ScheduleAsync($"{i}", due: "0s");

        foreach (var consumer in consumers)
        {
            for (var i = 0; i < 5; i++)
                await consumer.NextAsync(JobOutcome.Done);
        }
    }

    [Fact]
    public async Task What_a_consumer_that_leaves_could_not_deliver_goes_to_another()
    {
        await using var fixture = await Fixture.OpenAsync();
        var leaving = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("moves", due: "0s");
        var delivery = await leaving.NextAsync();
        var staying = await fixture.ConsumeAsync();

        var left = leaving.Consumption.DisposeAsync().AsTask();
        Assert.False(left.IsCompleted);
        await delivery.AnswerAsync(JobOutcome.Undeliverable);
        await left;

        var again = await staying.NextAsync();
        Assert.Equal(0, again.Job.Attempt);
        await again.AnswerAsync(JobOutcome.Done);
        Assert.Null(await fixture.GetAsync("moves"));
    }

    [Fact]
    public async Task What_the_last_consumer_could_not_deliver_waits_for_the_next()
    {
        await using var fixture = await Fixture.OpenAsync();
        var leaving = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("stays", due: "0s");
        var delivery = await leaving.NextAsync();
        var left = leaving.Consumption.DisposeAsync().AsTask();
        await delivery.AnswerAsync(JobOutcome.Undeliverable);
        await left;
        Assert.Equal(0, fixture.Scheduler.InMemory);

        Assert.Equal("stays", await (await fixture.ConsumeAsync()).NextAsync(JobOutcome.Done));
    }

    [Fact]
    public async Task A_job_delivered_while_its_consumer_leaves_is_done()
    {
        await using var fixture = await Fixture.OpenAsync();
        var leaving = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("done", due: "0s");
        var delivery = await leaving.NextAsync();
        var left = leaving.Consumption.DisposeAsync().AsTask();
        var next = await fixture.ConsumeAsync();

        await delivery.AnswerAsync(JobOutcome.Done);
        await left;

        Assert.Null(await fixture.GetAsync("done"));
        Assert.Equal(0, fixture.Scheduler.Running);
        Assert.NotNull(next);
    }

    [Fact]
    public async Task A_job_is_not_overwritten_unless_asked()
    {
        await using var fixture = await Fixture.OpenAsync();
        await fixture.ScheduleAsync("taken", due: "1h");

        var refused = await Assert.ThrowsAsync<SchedulerException>(() => fixture.ScheduleAsync("taken", due: "2h"));

        Assert.Equal(SchedulerRefusal.AlreadyExists, refused.Refusal);
        Assert.Equal("job already exists: 'app||default||app||taken'", refused.Message);
        Assert.Equal("1h", (await fixture.GetAsync("taken"))!.DueTime);
    }

    [Fact]
    public async Task An_overwritten_job_begins_anew_even_while_the_old_one_is_delivered()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("swap", due: "0s");
        var old = await consumer.NextAsync();

        await fixture.ScheduleAsync("swap", "@every 1s", repeats: 2, overwrite: true);
        await old.AnswerAsync(JobOutcome.Done);

        for (var i = 0; i < 2; i++)
        {
            Assert.NotNull(await fixture.GetAsync("swap"));
            await fixture.AdvanceAsync(Second);
            await consumer.NextAsync(JobOutcome.Done);
        }

        Assert.Null(await fixture.GetAsync("swap"));
    }

    [Fact]
    public async Task A_deleted_job_does_not_fire_nor_try_again()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("waiting", due: "1s");
        await fixture.ScheduleAsync("failing", due: "0s");
        var delivery = await consumer.NextAsync();

        await fixture.Scheduler.DeleteAsync(new JobKey(Fixture.App, "", "waiting"), default);
        await fixture.Scheduler.DeleteAsync(new JobKey(Fixture.App, "", "failing"), default);
        await fixture.Scheduler.DeleteAsync(new JobKey(Fixture.App, "", "never was"), default);
        await delivery.AnswerAsync(JobOutcome.Failed);
        await fixture.AdvanceAsync(10 * Second);

        Assert.Equal(0, fixture.Scheduler.Running);
        Assert.Equal(0, fixture.Scheduler.InMemory);
    }

    [Fact]
    public async Task Jobs_are_listed_and_deleted_by_prefix_and_by_actor()
    {
        await using var fixture = await Fixture.OpenAsync();
        var type = JobScope.ActorType("default", "Cat");
        foreach (var (actor, name) in new[] { ("1", "a-1"), ("1", "a-2"), ("1", "b"), ("2", "a-1"), ("1x", "a-1") })
            await fixture.Scheduler.ScheduleAsync(new JobKey(type, actor, name), new() { DueTime = "1h" }, false, default);
        await fixture.ScheduleAsync("a-1", due: "1h");

        await fixture.Scheduler.DeleteAllAsync(type, "1", "a-", default);
        Assert.Equal(["1/b", "1x/a-1", "2/a-1"], await ListAsync(null));
        Assert.Equal(["1/b"], await ListAsync("1"));
        await fixture.Scheduler.DeleteAllAsync(type, null, "", default);
        Assert.Empty(await ListAsync(null));
        Assert.NotNull(await fixture.GetAsync("a-1"));

        async Task<IEnumerable<string>> ListAsync(string? actor) => (await fixture.Scheduler.ListAsync(type, actor, default)).Select(j => $"{j.Key.ActorId}/{j.Job.Name}");
    }

    [Fact]
    public async Task A_job_ends_with_its_ttl()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("ends", "@every 1s", due: "0s", ttl: "2500ms");

        await consumer.NextAsync(JobOutcome.Done);
        await fixture.AdvanceAsync(Second);
        await consumer.NextAsync(JobOutcome.Done);
        await fixture.AdvanceAsync(Second);
        await consumer.NextAsync(JobOutcome.Done);

        Assert.Null(await fixture.GetAsync("ends"));
    }

    [Fact]
    public async Task A_job_that_expired_while_nobody_consumed_it_does_not_fire()
    {
        await using var fixture = await Fixture.OpenAsync();
        await fixture.ScheduleAsync("expired", "@every 1s", ttl: "5s");
        await fixture.AdvanceAsync(10 * Second);

        Assert.Null(await fixture.GetAsync("expired"));
        await fixture.ScheduleAsync("expired too", "@every 1s", due: "0s", ttl: "5s");
        await fixture.AdvanceAsync(10 * Second);
        await fixture.ConsumeAsync();

        Assert.Equal(0, fixture.Scheduler.Running);
        Assert.Equal(0, fixture.Scheduler.InMemory);
        await fixture.ScheduleAsync("expired", due: "1h");
    }

    [Fact]
    public async Task What_was_acknowledged_survives_a_kill()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        await fixture.ScheduleAsync("later", due: "1h");
        await fixture.ScheduleAsync("counts", "@every 1s", repeats: 3);
        await fixture.ScheduleAsync("deleted", due: "1h");
        await fixture.Scheduler.DeleteAsync(new JobKey(Fixture.App, "", "deleted"), default);
        await fixture.AdvanceAsync(Second);
        await consumer.NextAsync(JobOutcome.Done);
        await fixture.AdvanceAsync(Second);
        var open = await consumer.NextAsync();

        await using var after = await fixture.AfterKillAsync();
        Assert.NotNull(await after.GetAsync("later"));
        Assert.Null(await after.GetAsync("deleted"));
        var next = await after.ConsumeAsync();

        // What was with a consumer comes again, and then the third and last time.
        var again = await next.NextAsync();
        Assert.Equal(open.Job.Due, again.Job.Due);
        await again.AnswerAsync(JobOutcome.Done);
        await after.AdvanceAsync(Second);
        await next.NextAsync(JobOutcome.Done);
        Assert.Null(await after.GetAsync("counts"));
    }

    [Fact]
    public async Task What_was_due_while_the_scheduler_was_down_fires_once_afterwards()
    {
        await using var fixture = await Fixture.OpenAsync();
        await fixture.ScheduleAsync("once", due: "5s");
        await fixture.ScheduleAsync("every second", "@every 1s");

        await using var after = await fixture.AfterKillAsync(later: 60 * Second);
        var consumer = await after.ConsumeAsync();

        Assert.Equal(["every second", "once"], new[] { await consumer.NextAsync(JobOutcome.Done), await consumer.NextAsync(JobOutcome.Done) }.Order());
        await after.AdvanceAsync(0.5 * Second);

        // The missed times of the repeating one are one more time, then it is in step again.
        Assert.Equal("every second", await consumer.NextAsync(JobOutcome.Done));
        Assert.Equal(0, after.Scheduler.Running);
    }

    [Fact]
    public async Task Data_of_any_size_arrives_as_it_was_given()
    {
        await using var fixture = await Fixture.OpenAsync();
        var consumer = await fixture.ConsumeAsync();
        var large = ByteString.CopyFrom([.. Enumerable.Range(0, 200_000).Select(i => (byte)i)]);
        await fixture.ScheduleAsync("large", due: "1s", more: j => j.Data = new Any { TypeUrl = "example.com/Own", Value = large });

        await fixture.AdvanceAsync(Second);

        var delivery = await consumer.NextAsync();
        Assert.Equal(large, delivery.Job.Job.Data.Value);
        Assert.Equal("example.com/Own", delivery.Job.Job.Data.TypeUrl);
    }

    [Fact]
    public async Task Memory_does_not_depend_on_how_many_jobs_there_are()
    {
        const int Count = 30_000;
        await using var fixture = await Fixture.OpenAsync();
        var fired = new System.Collections.Concurrent.ConcurrentDictionary<string, int>();
        var all = new TaskCompletionSource();
        await using var consumption = await fixture.Scheduler.ConsumeAsync(Fixture.App, (job, _) =>
        {
            fired.AddOrUpdate(job.Key.Name, 1, (_, n) => n + 1);
            if (fired.Count == Count)
                all.TrySetResult();
            return ValueTask.FromResult(JobOutcome.Done);
        }, default);
        await fixture.BarrierAsync();

        // In an order that keeps pushing out what is in memory, with ties.
        await Task.WhenAll(Enumerable.Range(0, Count).Select(i => fixture.ScheduleAsync($"{i}", due: $"{(Count - i) / 3 * 10}ms")));
        Assert.InRange(fixture.Scheduler.InMemory, 1, 8193);

        for (var i = 0; i < 200 && !all.Task.IsCompleted; i++)
            await fixture.AdvanceAsync(Second);
        await all.Task.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.All(fired.Values, n => Assert.Equal(1, n));
        while (fixture.Scheduler.Running > 0)
            await fixture.BarrierAsync();
        await fixture.BarrierAsync();
        Assert.Empty(await fixture.Scheduler.ListAsync(Fixture.App, null, default));
    }

    [Fact]
    public async Task Jobs_of_a_session_in_a_temporary_folder_end_with_that_folder()
    {
        await using var fixture = await Fixture.OpenAsync();
        var (first, second, next) = (Directory.CreateTempSubdirectory("home-"), Directory.CreateTempSubdirectory("home-"), Directory.CreateTempSubdirectory("home-"));
        await EnterAsync(first.FullName);
        await EnterAsync(second.FullName);
        await fixture.ScheduleAsync("kept while one is there", due: "1h");

        first.Delete();
        await EnterAsync(second.FullName);
        Assert.NotNull(await fixture.GetAsync("kept while one is there"));

        second.Delete();
        await EnterAsync(next.FullName);
        Assert.Null(await fixture.GetAsync("kept while one is there"));

        await fixture.ScheduleAsync("of the next session", due: "1h");
        await EnterAsync(next.FullName);
        Assert.NotNull(await fixture.GetAsync("of the next session"));
        next.Delete();

        Task EnterAsync(string home) => fixture.Scheduler.EnterAsync(Fixture.App, home, default);
    }

    [Fact]
    public async Task Jobs_of_an_app_elsewhere_outlive_its_folder()
    {
        await using var fixture = await Fixture.OpenAsync();
        await fixture.Scheduler.EnterAsync(Fixture.App, "/srv/an-app-that-was-moved/components", default);
        await fixture.ScheduleAsync("kept", due: "1h");

        await fixture.Scheduler.EnterAsync(Fixture.App, Directory.GetCurrentDirectory(), default);

        Assert.NotNull(await fixture.GetAsync("kept"));
    }

    [Fact]
    public async Task Schedulers_of_different_addresses_are_apart()
    {
        await using var fixture = await Fixture.OpenAsync();
        var table = new JobTable(fixture.Store);
        await table.LoadAsync();
        await using var other = new DurableScheduler(table, "127.0.0.1:1", fixture.Time, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

        await fixture.ScheduleAsync("here", due: "1h");

        Assert.Null(await other.GetAsync(new JobKey(Fixture.App, "", "here"), default));
    }
}
