using Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sidecar.Scheduling.Tests;

public sealed class JobTimesTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);

    // Words of Dapr's scheduler, from the transcripts.
    [Theory]
    [InlineData("now and then", null, null, null, "job failed validation: expected exactly 6 fields, found 3: [now and then]")]
    [InlineData("* * * * *", null, null, null, "job failed validation: expected exactly 6 fields, found 5: [* * * * *]")]
    [InlineData("61 * * * * *", null, null, null, "job failed validation: end of range (61) above maximum (59): 61")]
    [InlineData("", null, null, null, "job failed validation: empty spec string")]
    [InlineData("@every", null, null, null, "job failed validation: unrecognized descriptor: @every")]
    [InlineData("@every PT1S", null, null, null, "job failed validation: failed to parse duration @every PT1S: time: invalid duration \"PT1S\"")]
    [InlineData("CRON_TZ=Mars/Base 0 0 0 * * *", null, null, null, "job failed validation: provided bad location Mars/Base: unknown time zone Mars/Base")]
    [InlineData(null, "soon", null, null, "job failed validation: due time format not recognized")]
    [InlineData(null, "", null, null, "job failed validation: due time format not recognized")]
    [InlineData(null, "R3/PT1S", null, null, "job failed validation: repeats not supported for due time")]
    [InlineData("@every 1s", null, null, 0, "job failed validation: defined repeats must be greater than 0")]
    [InlineData(null, "1h", null, 2, "job failed validation: job must have a schedule to repeat")]
    [InlineData(null, "0s", "1h", null, "job failed validation: job must have a schedule to have a ttl")]
    [InlineData("@every 1h", null, "never", null, "job failed validation: ttl format not recognized")]
    [InlineData("@every 1h", "2h", "2020-01-01T00:00:00Z", null, "job failed validation: ttl must be greater than due time")]
    public void A_malformed_job_is_refused_in_the_words_of_Dapr(string? schedule, string? due, string? ttl, int? repeats, string message)
    {
        var refused = Assert.Throws<SchedulerException>(() => JobTimes.Begin(Key("x"), Of(schedule, due, ttl, repeats), Now));

        Assert.Equal(SchedulerRefusal.Invalid, refused.Refusal);
        Assert.Equal(message, refused.Message);
    }

    [Theory]
    [InlineData("a/b", "job name is invalid \"app||ns||me||a/b\": must not contain '/', '\\', '#' or '?'")]
    [InlineData("a\\b", "job name is invalid \"app||ns||me||a\\\\b\": must not contain '/', '\\', '#' or '?'")]
    [InlineData("a\nb", "job name is invalid \"app||ns||me||a\\nb\": must not contain control characters")]
    public void A_malformed_name_is_refused_in_the_words_of_Dapr(string name, string message) =>
        Assert.Equal(message, Assert.Throws<SchedulerException>(() => JobTimes.Begin(Key(name), Of(null, "1h", null, null), Now)).Message);

    [Fact]
    public void A_name_may_be_as_long_as_its_key_has_512_characters()
    {
        JobTimes.Begin(Key(new string('x', 512 - "app||ns||me||".Length)), Of(null, "1h", null, null), Now);

        Assert.Throws<SchedulerException>(() => JobTimes.Begin(Key(new string('x', 513 - "app||ns||me||".Length)), Of(null, "1h", null, null), Now));
    }

    [Theory]
    [InlineData("a b")]
    [InlineData("a|b")]
    [InlineData("ü")]
    [InlineData("a:b@c")]
    [InlineData("..")]
    public void Odd_names_are_taken(string name) => JobTimes.Begin(Key(name), Of(null, "1h", null, null), Now);

    [Theory]
    [InlineData("0s", 0)]
    [InlineData("-5s", -5)]
    [InlineData("90m", 5400)]
    [InlineData("500ms", 0.5)]
    [InlineData("PT1H", 3600)]
    [InlineData("P1D", 86400)]
    [InlineData("2030-01-02T03:04:06Z", 1)]
    [InlineData("2030-01-02T05:04:06+02:00", 1)]
    [InlineData("2030-01-02T03:04:05.250000000Z", 0.25)]
    public void A_due_time_is_a_date_or_a_duration(string due, double seconds) =>
        Assert.Equal((Now + TimeSpan.FromSeconds(seconds)).UtcTicks, JobTimes.Begin(Key("x"), Of(null, due, null, null), Now).Due);

    [Theory]
    [InlineData("@every 1h30m", "2030-01-02T04:34:05Z")]
    [InlineData("@hourly", "2030-01-02T04:00:00Z")]
    [InlineData("@midnight", "2030-01-03T00:00:00Z")]
    [InlineData("@weekly", "2030-01-06T00:00:00Z")]
    [InlineData("@monthly", "2030-02-01T00:00:00Z")]
    [InlineData("@annually", "2031-01-01T00:00:00Z")]
    [InlineData("0 15 3 1-5,10 jan-mar mon,fri", "2030-01-02T03:15:00Z")]
    [InlineData("CRON_TZ=Europe/Berlin 0 0 3 * * *", "2030-01-03T02:00:00Z")]
    [InlineData("TZ=America/New_York 0 0 3 * * *", "2030-01-02T08:00:00Z")]
    public void A_schedule_without_due_time_begins_with_its_next_time(string schedule, string first) =>
        Assert.Equal(DateTimeOffset.Parse(first, System.Globalization.CultureInfo.InvariantCulture).UtcTicks, JobTimes.Begin(Key("x"), Of(schedule, null, null, null), Now).Due);

    [Fact]
    public void Times_of_a_cron_expression_that_passed_count_as_one_that_is_due_now()
    {
        var job = Of("0 * * * * *", null, null, null);
        var due = new DateTimeOffset(2030, 1, 2, 3, 5, 0, TimeSpan.Zero);
        var now = due + TimeSpan.FromMinutes(10.5);

        var missed = JobTimes.Next(job, JobTimes.ParseSchedule(job.Schedule), due.UtcTicks, 1, JobTimes.Never, now);

        Assert.Equal(now.UtcTicks, missed);
        Assert.Equal(new DateTimeOffset(2030, 1, 2, 3, 16, 0, TimeSpan.Zero).UtcTicks, JobTimes.Next(job, JobTimes.ParseSchedule(job.Schedule), missed!.Value, 2, JobTimes.Never, now));
    }

    private static JobKey Key(string name) => JobKey.ForApp("ns", "me", name);

    private static Job Of(string? schedule, string? due, string? ttl, int? repeats)
    {
        var job = new Job();
        if (schedule is not null)
            job.Schedule = schedule;
        if (due is not null)
            job.DueTime = due;
        if (ttl is not null)
            job.Ttl = ttl;
        if (repeats is { } count)
            job.Repeats = (uint)count;
        return job;
    }
}
