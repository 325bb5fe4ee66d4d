using System.Globalization;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.Scheduling;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>When a timer is due: at a time, then after each period, as often as it says, no later than its time to live.</summary>
/// <param name="Due">Of the first tick.</param>
/// <param name="Period">Between ticks; null: there is one tick.</param>
/// <param name="Ticks">How many there are; -1: no limit.</param>
/// <param name="Expires">No tick after it; null: no limit.</param>
internal sealed record TimerSchedule(DateTimeOffset Due, IsoDuration? Period, int Ticks, DateTimeOffset? Expires)
{
    /// <exception cref="FormatException">One has none of the forms it may have, or the time to live is over before the first tick; the message is daprd's.</exception>
    /// <param name="name">Of the timer, for the message.</param>
    public static TimerSchedule Parse(string name, string dueTime, string period, string ttl, DateTimeOffset now)
    {
        var due = dueTime.Length == 0 ? now : TimeOf(dueTime, now, "due time");
        var (every, ticks) = PeriodOf(period);
        if (ttl.Length == 0)
            return new TimerSchedule(due, every, ticks, null);
        var expires = TimeOf(ttl, due, "TTL");
        return expires >= due && expires >= now ? new TimerSchedule(due, every, ticks, expires)
            : throw new FormatException($"timer {name} has already expired: dueTime: {due.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture)} +0000 UTC TTL: {ttl}");
    }

    private static DateTimeOffset TimeOf(string text, DateTimeOffset from, string what)
    {
        if (Durations.TryParseGo(text, out var duration))
            return from + duration;
        if (IsoDuration.TryParse(text, out var iso))
            return iso.Repetitions is null ? iso.AddTo(from) : throw new FormatException($"error parsing timer {what}: repetitions are not allowed");
        return Rfc3339.TryParse(text, out var time) ? time : throw new FormatException($"error parsing timer {what}: unsupported time/duration format: {text}");
    }

    private static (IsoDuration? Period, int Ticks) PeriodOf(string text)
    {
        if (text.Length == 0)
            return (null, 1);
        if (Durations.TryParseGo(text, out var duration))
            return duration > TimeSpan.Zero ? (new IsoDuration(0, 0, 0, duration, null), -1) : (null, 1);
        if (!IsoDuration.TryParse(text, out var iso))
            throw new FormatException($"invalid timer period: parse error: unsupported duration format: {text}");
        if (iso.Repetitions == 0)
            throw new FormatException("invalid timer period: has zero repetitions");
        return iso.HasDate || iso.Time > TimeSpan.Zero ? (iso, iso.Repetitions ?? -1) : (null, 1);
    }
}
