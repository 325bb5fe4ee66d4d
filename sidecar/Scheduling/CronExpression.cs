using System.Globalization;
using System.Numerics;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>
/// When something repeats: <c>sec min hour dom mon dow</c> (names of months and days, <c>*</c>, <c>?</c>, ranges, lists, steps), <c>@every 1h30m</c>,
/// <c>@yearly</c> and its like, after an optional <c>CRON_TZ=Europe/Berlin</c> or <c>TZ=…</c>; UTC without one. When day of month and day of week are both
/// restricted, either is enough (as in https://pkg.go.dev/github.com/robfig/cron/v3).
/// </summary>
internal sealed class CronExpression
{
    private static readonly string[] Months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    private static readonly string[] Days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    private readonly ulong _seconds;
    private readonly ulong _minutes;
    private readonly ulong _hours;
    private readonly ulong _daysOfMonth;
    private readonly ulong _months;
    private readonly ulong _daysOfWeek;
    private readonly bool _anyDayOfMonth;
    private readonly bool _anyDayOfWeek;
    private readonly TimeZoneInfo _zone;

    private CronExpression(string[] fields, TimeZoneInfo zone)
    {
        _zone = zone;
        _seconds = Field(fields[0], 0, 59, null);
        _minutes = Field(fields[1], 0, 59, null);
        _hours = Field(fields[2], 0, 23, null);
        _daysOfMonth = Field(fields[3], 1, 31, null);
        _months = Field(fields[4], 1, 12, Months);
        _daysOfWeek = Field(fields[5], 0, 6, Days);
        _anyDayOfMonth = fields[3][0] is '*' or '?';
        _anyDayOfWeek = fields[5][0] is '*' or '?';
    }

    private CronExpression(TimeSpan every)
    {
        _zone = TimeZoneInfo.Utc;
        Every = every;
    }

    /// <summary>The distance of an <c>@every</c>; null for the other forms.</summary>
    public TimeSpan? Every { get; }

    /// <summary>Reads an expression.</summary>
    /// <param name="fiveFields">Also accepts five fields, without seconds, as bindings.cron does.</param>
    /// <exception cref="FormatException">It is not one; the message says why.</exception>
    public static CronExpression Parse(string text, bool fiveFields = false)
    {
        var zone = TimeZoneInfo.Utc;
        var rest = text.Trim();
        foreach (var prefix in new[] { "CRON_TZ=", "TZ=" })
        {
            if (!rest.StartsWith(prefix, StringComparison.Ordinal))
                continue;
            var space = rest.IndexOf(' ', StringComparison.Ordinal);
            var name = space < 0 ? rest[prefix.Length..] : rest[prefix.Length..space];
            rest = space < 0 ? "" : rest[space..].Trim();
            zone = TimeZoneInfo.TryFindSystemTimeZoneById(name, out var found) ? found : throw new FormatException($"provided bad location {name}: unknown time zone {name}");
            break;
        }

        if (rest.Length == 0)
            throw new FormatException("empty spec string");
        if (rest.StartsWith("@every ", StringComparison.Ordinal))
        {
            // An interval has no time of day that a zone could say anything about.
            if (rest.Length != text.Trim().Length)
                throw new FormatException($"a time zone cannot be given for {rest}");
            var distance = rest["@every ".Length..].Trim();
            if (!Durations.TryParseGo(distance, out var every))
                throw new FormatException($"failed to parse duration {rest}: time: invalid duration \"{distance}\"");
            return every > TimeSpan.Zero ? new CronExpression(every) : throw new FormatException($"failed to parse duration {rest}: it must be positive");
        }

        var fields = rest switch
        {
            "@yearly" or "@annually" => "0 0 0 1 1 *",
            "@monthly" => "0 0 0 1 * *",
            "@weekly" => "0 0 0 * * 0",
            "@daily" or "@midnight" => "0 0 0 * * *",
            "@hourly" => "0 0 * * * *",
            ['@', ..] => throw new FormatException($"unrecognized descriptor: {rest}"),
            _ => rest,
        };
        var parts = fields.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (fiveFields && parts.Length == 5)
            parts = ["0", .. parts];
        if (parts.Length != 6)
            throw new FormatException($"expected exactly 6 fields, found {parts.Length}: [{string.Join(' ', parts)}]");
        return new CronExpression(parts, zone);
    }

    /// <summary>The first time after a given one; null when there is none within five years (the 30th of February).</summary>
    public DateTimeOffset? Next(DateTimeOffset after)
    {
        if (Every is { } every)
            return after + every;

        // On the wall clock of the zone; a time that daylight saving skips is taken where it ends.
        var t = TimeZoneInfo.ConvertTime(after, _zone).DateTime;
        t = new DateTime(t.Year, t.Month, t.Day, t.Hour, t.Minute, t.Second, DateTimeKind.Unspecified).AddSeconds(1);
        var limit = t.Year + 5;
        while (t.Year <= limit)
        {
            if (!Has(_months, t.Month))
                t = new DateTime(t.Year, t.Month, 1).AddMonths(1);
            else if (!IsDay(t))
                t = t.Date.AddDays(1);
            else if (!Has(_hours, t.Hour))
                t = t.Date.AddHours(t.Hour + 1);
            else if (!Has(_minutes, t.Minute))
                t = t.Date.AddHours(t.Hour).AddMinutes(t.Minute + 1);
            else if (!Has(_seconds, t.Second))
                t = t.Date.AddHours(t.Hour).AddMinutes(t.Minute).AddSeconds(NextSecond(t.Second));
            else if (_zone.IsInvalidTime(t))
                t = t.AddHours(1);
            else if (new DateTimeOffset(t, _zone.GetUtcOffset(t)).ToUniversalTime() is var found && found > after)
                return found;
            else
                t = t.AddSeconds(1);
        }

        return null;
    }

    private static bool Has(ulong set, int value) => (set & (1UL << value)) != 0;

    private int NextSecond(int second)
    {
        var later = _seconds & ~((1UL << (second + 1)) - 1);
        return later == 0 ? 60 : BitOperations.TrailingZeroCount(later);
    }

    private bool IsDay(DateTime t)
    {
        var ofMonth = Has(_daysOfMonth, t.Day);
        var ofWeek = Has(_daysOfWeek, (int)t.DayOfWeek);
        return _anyDayOfMonth || _anyDayOfWeek ? ofMonth && ofWeek : ofMonth || ofWeek;
    }

    private static ulong Field(string text, int first, int last, string[]? names)
    {
        var set = 0UL;
        foreach (var item in text.Split(','))
        {
            var slash = item.IndexOf('/', StringComparison.Ordinal);
            var (range, step) = slash < 0 ? (item, 1) : (item[..slash], Number(item[(slash + 1)..], null));
            int from, to;
            if (range is "*" or "?")
            {
                (from, to) = (first, last);
            }
            else if (range.IndexOf('-', StringComparison.Ordinal) is var dash and > 0)
            {
                (from, to) = (Number(range[..dash], names), Number(range[(dash + 1)..], names));
            }
            else
            {
                from = Number(range, names);
                to = slash >= 0 ? last : from;
            }

            if (from < first)
                throw new FormatException($"beginning of range ({from}) below minimum ({first}): {item}");
            if (to > last)
                throw new FormatException($"end of range ({to}) above maximum ({last}): {item}");
            if (from > to)
                throw new FormatException($"beginning of range ({from}) beyond end of range ({to}): {item}");
            if (step <= 0)
                throw new FormatException($"step of range should be a positive number: {item}");
            for (var value = from; value <= to; value += step)
                set |= 1UL << value;
        }

        return set;

        int Number(string number, string[]? named)
        {
            var name = named is null ? -1 : Array.IndexOf(named, number.ToLowerInvariant());
            if (name >= 0)
                return name + first;
            return int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : throw new FormatException($"failed to parse int from {number}");
        }
    }
}
