using System.Globalization;
using System.Text;
using System.Xml;

namespace Dapr.Actors.Runtime;

/// <summary>Durations as the sidecar writes and reads them.</summary>
internal static class DaprDurations
{
    /// <summary><c>1h30m0s0ms</c>; the empty text if negative.</summary>
    public static string Format(TimeSpan duration) => duration < TimeSpan.Zero
        ? string.Empty
        : string.Create(CultureInfo.InvariantCulture, $"{(long)duration.TotalHours}h{duration.Minutes}m{duration.Seconds}s{duration.Milliseconds}ms");

    /// <summary><c>R4/P1DT2H</c>.</summary>
    /// <exception cref="ArgumentException">There are parts of a second, which this form cannot say.</exception>
    public static string FormatRepeated(TimeSpan period, int repetitions)
    {
        if (period < TimeSpan.Zero)
            throw new ArgumentException("A repeated reminder needs a period.", nameof(period));
        if (period.Ticks % TimeSpan.TicksPerSecond != 0)
            throw new ArgumentException($"The period of a repeated reminder must be whole seconds, not {period}.", nameof(period));
        var text = new StringBuilder("R").Append(repetitions).Append("/P");
        if (period.Days > 0)
            text.Append(period.Days).Append('D');
        if (period.Hours > 0 || period.Minutes > 0 || period.Seconds > 0 || period == TimeSpan.Zero)
            text.Append('T');
        if (period.Hours > 0)
            text.Append(period.Hours).Append('H');
        if (period.Minutes > 0)
            text.Append(period.Minutes).Append('M');
        if (period.Seconds > 0 || period == TimeSpan.Zero)
            text.Append(period.Seconds).Append('S');
        return text.ToString();
    }

    /// <summary>Reads what sidecars write: <c>1h0m5s</c>, <c>@every 2h0m0s</c>, <c>R3/PT5S</c>, <c>PT5S</c>. Nothing is -1 ms.</summary>
    /// <exception cref="FormatException">It is none of these.</exception>
    public static (TimeSpan Duration, int? Repetitions) Parse(string? text)
    {
        text = text?.Trim();
        if (string.IsNullOrEmpty(text))
            return (Timeout.InfiniteTimeSpan, null);
        if (text.StartsWith("@every ", StringComparison.Ordinal))
            text = text["@every ".Length..];
        int? repetitions = null;
        if (text[0] == 'R')
        {
            var slash = text.IndexOf('/', StringComparison.Ordinal);
            var count = slash < 0 ? text[1..] : text[1..slash];
            if (count.Length > 0)
                repetitions = int.Parse(count, CultureInfo.InvariantCulture);
            if (slash < 0)
                return (Timeout.InfiniteTimeSpan, repetitions);
            text = text[(slash + 1)..];
        }

        return (text.StartsWith('P') ? XmlConvert.ToTimeSpan(text) : ParseUnits(text), repetitions);
    }

    private static TimeSpan ParseUnits(string text)
    {
        var rest = text.AsSpan();
        var negative = rest is ['-', ..];
        if (rest is ['-' or '+', ..])
            rest = rest[1..];
        if (rest is "0")
            return TimeSpan.Zero;
        if (rest.IsEmpty)
            throw new FormatException($"'{text}' is not a duration.");
        decimal ticks = 0;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept("0123456789.");
            if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
                throw new FormatException($"'{text}' is not a duration.");
            rest = rest[digits..];
            var unit = rest.IndexOfAny("0123456789.") is var next and >= 0 ? rest[..next] : rest;
            rest = rest[unit.Length..];
            ticks += number * unit switch
            {
                "h" => TimeSpan.TicksPerHour,
                "m" => TimeSpan.TicksPerMinute,
                "s" => TimeSpan.TicksPerSecond,
                "ms" => TimeSpan.TicksPerMillisecond,
                "us" or "µs" => TimeSpan.TicksPerMicrosecond,
                "ns" => 0.01m,
                _ => throw new FormatException($"'{text}' is not a duration."),
            };
        }

        return TimeSpan.FromTicks((long)(negative ? -ticks : ticks));
    }
}
