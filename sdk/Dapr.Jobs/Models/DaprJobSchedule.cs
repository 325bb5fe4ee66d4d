using System.Globalization;
using System.Text;

namespace Dapr.Jobs.Models;

/// <summary>When a job is due.</summary>
public sealed class DaprJobSchedule
{
    DaprJobSchedule(string expression, bool pointInTime)
    {
        ExpressionValue = expression;
        IsPointInTimeExpression = pointInTime;
    }

    /// <summary>Once a year, on the first of January at midnight.</summary>
    public static DaprJobSchedule Yearly { get; } = new("@yearly", false);

    /// <summary>Once a month, on the first at midnight.</summary>
    public static DaprJobSchedule Monthly { get; } = new("@monthly", false);

    /// <summary>Once a week, on Sunday at midnight.</summary>
    public static DaprJobSchedule Weekly { get; } = new("@weekly", false);

    /// <summary>Once a day at midnight.</summary>
    public static DaprJobSchedule Daily { get; } = new("@daily", false);

    /// <summary>Once a day at midnight.</summary>
    public static DaprJobSchedule Midnight { get; } = new("@midnight", false);

    /// <summary>Once an hour, on the hour.</summary>
    public static DaprJobSchedule Hourly { get; } = new("@hourly", false);

    /// <summary>The schedule as the sidecar gets it.</summary>
    public string ExpressionValue { get; }

    /// <summary>Due once, at a point in time.</summary>
    public bool IsPointInTimeExpression { get; }

    /// <summary>Due once, at this time.</summary>
    public static DaprJobSchedule FromDateTime(DateTimeOffset scheduledTime) => new(scheduledTime.ToString("O", CultureInfo.InvariantCulture), true);

    /// <summary>Due by an expression: cron of six fields with seconds first, <c>@every 90s</c>, <c>@daily</c> and the like, or a point in time.</summary>
    public static DaprJobSchedule FromExpression(string expression)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(expression);

        // No cron expression and no duration reads as a date with a time.
        var pointInTime = expression.Contains('T', StringComparison.Ordinal)
            && DateTimeOffset.TryParse(expression, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _);
        return new DaprJobSchedule(expression, pointInTime);
    }

    /// <summary>Due again and again after so much time, to the millisecond.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not positive.</exception>
    public static DaprJobSchedule FromDuration(TimeSpan duration)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(duration, TimeSpan.FromMilliseconds(1));
        var text = new StringBuilder("@every ");
        Append(text, (long)duration.TotalHours, "h");
        Append(text, duration.Minutes, "m");
        Append(text, duration.Seconds, "s");
        Append(text, duration.Milliseconds, "ms");
        return new DaprJobSchedule(text.ToString(), false);
    }

    static void Append(StringBuilder text, long count, string unit)
    {
        if (count > 0)
            text.Append(CultureInfo.InvariantCulture, $"{count}{unit}");
    }
}
