using System.Globalization;

namespace DaprPlatform.Sidecar.Resources;

/// <summary>Durations as Go writes them (https://pkg.go.dev/time#ParseDuration): <c>1h30m</c>, <c>1.5s</c>, <c>250ms</c>, <c>-2m</c>, <c>0</c>.</summary>
internal static class Durations
{
    /// <summary>As Go prints it: <c>1h30m0s</c>, <c>5s</c>, <c>1.5s</c>, <c>400ms</c>, <c>0s</c>.</summary>
    public static string FormatGo(TimeSpan duration)
    {
        if (duration < TimeSpan.Zero)
            return "-" + FormatGo(-duration);
        if (duration == TimeSpan.Zero)
            return "0s";
        string Number(double value) => value.ToString("0.#########", CultureInfo.InvariantCulture);
        if (duration < TimeSpan.FromMilliseconds(1))
            return Number(duration.TotalMicroseconds) + "µs";
        if (duration < TimeSpan.FromSeconds(1))
            return Number(duration.TotalMilliseconds) + "ms";
        var seconds = Number(duration.TotalSeconds % 60) + "s";
        if (duration < TimeSpan.FromMinutes(1))
            return seconds;
        return duration < TimeSpan.FromHours(1) ? $"{(int)duration.TotalMinutes}m{seconds}" : $"{(long)duration.TotalHours}h{duration.Minutes}m{seconds}";
    }

    public static bool TryParseGo(string? text, out TimeSpan duration)
    {
        duration = default;
        if (string.IsNullOrEmpty(text))
            return false;
        var rest = text.AsSpan();
        var negative = rest[0] == '-';
        if (rest[0] is '-' or '+')
            rest = rest[1..];
        if (rest is "0")
            return true;
        if (rest.IsEmpty)
            return false;
        double nanoseconds = 0;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept("0123456789.");
            if (digits <= 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
                return false;
            rest = rest[digits..];
            var letters = rest.IndexOfAny("0123456789.");
            var unit = letters < 0 ? rest : rest[..letters];
            double scale = unit switch { "ns" => 1, "us" or "µs" or "μs" => 1e3, "ms" => 1e6, "s" => 1e9, "m" => 60e9, "h" => 3600e9, _ => 0 };
            if (scale == 0)
                return false;
            nanoseconds += number * scale;
            rest = rest[unit.Length..];
        }

        if (nanoseconds > long.MaxValue)
            return false;
        duration = TimeSpan.FromTicks((long)(nanoseconds / 100) * (negative ? -1 : 1));
        return true;
    }
}
