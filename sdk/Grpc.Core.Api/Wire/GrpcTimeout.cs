using System.Globalization;

namespace Grpc.Core.Wire;

/// <summary>The value of <c>grpc-timeout</c>: at most eight digits and a unit.</summary>
internal static class GrpcTimeout
{
    const long MaxValue = 99_999_999;
    const long TicksPerMicrosecond = TimeSpan.TicksPerMicrosecond;

    /// <summary>Rounds up to the finest unit that fits, so that the peer never gives up before the caller does.</summary>
    public static string Format(TimeSpan timeout)
    {
        var ticks = timeout.Ticks;
        if (ticks <= 0)
            return "1n";
        if (ticks <= MaxValue / TimeSpan.NanosecondsPerTick)
            return Text(ticks * TimeSpan.NanosecondsPerTick, 'n');
        if (TryUnit(ticks, TicksPerMicrosecond, 'u', out var text)
            || TryUnit(ticks, TimeSpan.TicksPerMillisecond, 'm', out text)
            || TryUnit(ticks, TimeSpan.TicksPerSecond, 'S', out text)
            || TryUnit(ticks, TimeSpan.TicksPerMinute, 'M', out text))
            return text;
        return Text(Math.Min(DivideUp(ticks, TimeSpan.TicksPerHour), MaxValue), 'H');
    }

    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > 9 || !long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var value))
            return false;

        long ticks;
        switch (text[^1])
        {
            case 'n': ticks = DivideUp(value, TimeSpan.NanosecondsPerTick); break;
            case 'u': ticks = value * TicksPerMicrosecond; break;
            case 'm': ticks = value * TimeSpan.TicksPerMillisecond; break;
            case 'S': ticks = value * TimeSpan.TicksPerSecond; break;
            case 'M': ticks = value * TimeSpan.TicksPerMinute; break;
            case 'H': ticks = value * TimeSpan.TicksPerHour; break;
            default: return false;
        }

        timeout = new TimeSpan(ticks);
        return true;
    }

    static bool TryUnit(long ticks, long ticksPerUnit, char unit, out string text)
    {
        var value = DivideUp(ticks, ticksPerUnit);
        text = value <= MaxValue ? Text(value, unit) : "";
        return value <= MaxValue;
    }

    static long DivideUp(long value, long divisor) => value / divisor + (value % divisor == 0 ? 0 : 1);

    static string Text(long value, char unit) => string.Create(CultureInfo.InvariantCulture, $"{value}{unit}");
}
