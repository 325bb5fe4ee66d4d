using System.Globalization;
using Dapr.Proto.Common.V1;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Resources;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>When a job fires, worked out of its texts. Times are ticks of UTC.</summary>
internal static class JobTimes
{
    private const int LongestKey = 512;

    /// <summary>No end.</summary>
    public const long Never = long.MaxValue;

    /// <summary>Checks a job as Dapr's scheduler does and sets what it leaves out.</summary>
    /// <returns>When it fires first, and when it expires.</returns>
    /// <exception cref="SchedulerException">It is malformed.</exception>
    public static (long Due, long Expires) Begin(JobKey key, Job job, DateTimeOffset now)
    {
        CheckName(key);
        var schedule = job.HasSchedule ? ParseSchedule(job.Schedule) : null;
        if (schedule is null && !job.HasDueTime)
            throw Invalid("job must have either a due time or a schedule");
        DateTimeOffset? due = null;
        if (job.HasDueTime)
            due = ParseTime(job.DueTime, now, "due time");
        if (job.HasRepeats)
        {
            if (job.Repeats == 0)
                throw Invalid("defined repeats must be greater than 0");
            if (schedule is null && job.Repeats > 1)
                throw Invalid("job must have a schedule to repeat");
        }

        var expires = Never;
        if (job.HasTtl)
        {
            if (schedule is null)
                throw Invalid("job must have a schedule to have a ttl");
            var end = ParseTime(job.Ttl, now, "ttl");
            if (end <= (due ?? now))
                throw Invalid("ttl must be greater than due time");
            expires = end.UtcTicks;
        }

        if (job.FailurePolicy is null || job.FailurePolicy.PolicyCase == JobFailurePolicy.PolicyOneofCase.None)
            job.FailurePolicy = new JobFailurePolicy { Constant = new JobFailurePolicyConstant { Interval = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)), MaxRetries = 3 } };
        var first = due ?? schedule!.Next(now) ?? throw Invalid("schedule never comes");
        return (first.UtcTicks, expires);
    }

    /// <summary>The time after a time that was handled; null when there is none. Times that passed meanwhile count as one, which is due at once.</summary>
    /// <param name="due">The time that was handled.</param>
    /// <param name="fired">How often it has fired, that time included.</param>
    public static long? Next(Job job, CronExpression? schedule, long due, long fired, long expires, DateTimeOffset now)
    {
        if (schedule is null || (job.HasRepeats && fired >= job.Repeats))
            return null;
        long next;
        if (schedule.Every is { Ticks: var every })
        {
            next = due + every;
            if (next < now.UtcTicks)
                next = due + ((now.UtcTicks - due) / every * every);
        }
        else
        {
            if (schedule.Next(new DateTimeOffset(due, TimeSpan.Zero)) is not { } found)
                return null;
            next = Math.Max(found.UtcTicks, now.UtcTicks);
        }

        return next > expires ? null : next;
    }

    public static CronExpression ParseSchedule(string text)
    {
        try
        {
            return CronExpression.Parse(text);
        }
        catch (FormatException e)
        {
            throw Invalid(e.Message);
        }
    }

    private static DateTimeOffset ParseTime(string text, DateTimeOffset now, string what)
    {
        try
        {
            if (Rfc3339.TryParse(text, out var time))
                return time;
            if (text.Length > 0 && IsoDuration.TryParse(text, out var iso))
                return iso.Repetitions is null ? iso.AddTo(now) : throw Invalid($"repeats not supported for {what}");
            if (Durations.TryParseGo(text, out var duration))
                return now + duration;
        }
        catch (ArgumentOutOfRangeException)
        {
            // Beyond what a date can be.
        }

        throw Invalid($"{what} format not recognized");
    }

    private static void CheckName(JobKey key)
    {
        var text = key.ToString();
        string? wrong = null;
        if (text.AsSpan().IndexOfAny("/\\#?") >= 0)
            wrong = "must not contain '/', '\\', '#' or '?'";
        else if (text.Any(char.IsControl))
            wrong = "must not contain control characters";
        else if (text.Length > LongestKey)
            wrong = $"must be at most {LongestKey} characters";
        if (wrong is not null)
            throw new SchedulerException(SchedulerRefusal.Invalid, $"job name is invalid {Quote(text)}: {wrong}");
    }

    // As Go's %q.
    private static string Quote(string text)
    {
        var quoted = new System.Text.StringBuilder("\"");
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                < ' ' or '\x7f' => quoted.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}"),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }

    private static SchedulerException Invalid(string reason) => new(SchedulerRefusal.Invalid, "job failed validation: " + reason);
}

/// <summary>Points in time as RFC 3339 writes them (https://www.rfc-editor.org/rfc/rfc3339#section-5.6).</summary>
internal static class Rfc3339
{
    private static readonly string[] Forms = ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    public static bool TryParse(string text, out DateTimeOffset time)
    {
        time = default;
        if (text.Length < 20 || text[10] != 'T' || !(text[^1] == 'Z' || text[^6] is '+' or '-'))
            return false;
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot >= 0)
        {
            // .NET reads at most seven digits of a fraction, Go nine.
            var end = text.AsSpan(dot + 1).IndexOfAnyExceptInRange('0', '9');
            if (end > 7)
                text = string.Concat(text.AsSpan(0, dot + 8), text.AsSpan(dot + 1 + end));
        }

        return DateTimeOffset.TryParseExact(text, Forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
    }
}
