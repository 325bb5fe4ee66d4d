using System.Globalization;
using System.Text;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.PubSub.Cel;

/// <summary>The standard functions (https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions); <c>matches</c> is a node of its own.</summary>
internal static class CelFunctions
{
    /// <summary>By name, number of arguments, and whether it is called on a value (which is then the first argument).</summary>
    private static readonly Dictionary<(string Name, int Arguments, bool IsMember), Func<CelValue[], CelValue>> All = new()
    {
        [("size", 1, false)] = a => Size(a[0]),
        [("size", 1, true)] = a => Size(a[0]),
        [("startsWith", 2, true)] = a => Texts(a, static (x, y) => x.StartsWith(y, StringComparison.Ordinal)),
        [("endsWith", 2, true)] = a => Texts(a, static (x, y) => x.EndsWith(y, StringComparison.Ordinal)),
        [("contains", 2, true)] = a => Texts(a, static (x, y) => x.Contains(y, StringComparison.Ordinal)),
        [("int", 1, false)] = a => ToInt(a[0]),
        [("uint", 1, false)] = a => ToUint(a[0]),
        [("double", 1, false)] = a => ToDouble(a[0]),
        [("string", 1, false)] = a => ToText(a[0]),
        [("bytes", 1, false)] = a => a[0].Kind switch { CelKind.Bytes => a[0], CelKind.Text => CelValue.Of(Encoding.UTF8.GetBytes(a[0].Text)), _ => CelValue.NoOverload },
        [("bool", 1, false)] = a => ToBool(a[0]),
        [("type", 1, false)] = a => CelValue.TypeNamed(a[0].TypeName),
        [("dyn", 1, false)] = a => a[0],
        [("timestamp", 1, false)] = a => ToTimestamp(a[0]),
        [("duration", 1, false)] = a => a[0].Kind switch
        {
            CelKind.Duration => a[0],
            CelKind.Text when Durations.TryParseGo(a[0].Text, out var duration) => CelValue.Of(duration),
            CelKind.Text => CelValue.Error("malformed duration"),
            _ => CelValue.NoOverload,
        },
        [("getHours", 1, true)] = a => OfDuration(a[0], static d => d.Ticks / TimeSpan.TicksPerHour) ?? Part("getHours", a),
        [("getMinutes", 1, true)] = a => OfDuration(a[0], static d => d.Ticks / TimeSpan.TicksPerMinute) ?? Part("getMinutes", a),
        [("getSeconds", 1, true)] = a => OfDuration(a[0], static d => d.Ticks / TimeSpan.TicksPerSecond) ?? Part("getSeconds", a),
        [("getMilliseconds", 1, true)] = a => OfDuration(a[0], static d => d.Milliseconds) ?? Part("getMilliseconds", a),
    };

    /// <summary>Parts of a timestamp, in UTC or the zone that is the second argument.</summary>
    private static readonly Dictionary<string, Func<DateTimeOffset, long>> Parts = new()
    {
        ["getFullYear"] = static t => t.Year,
        ["getMonth"] = static t => t.Month - 1,
        ["getDate"] = static t => t.Day,
        ["getDayOfMonth"] = static t => t.Day - 1,
        ["getDayOfWeek"] = static t => (int)t.DayOfWeek,
        ["getDayOfYear"] = static t => t.DayOfYear - 1,
        ["getHours"] = static t => t.Hour,
        ["getMinutes"] = static t => t.Minute,
        ["getSeconds"] = static t => t.Second,
        ["getMilliseconds"] = static t => t.Millisecond,
    };

    public static Func<CelValue[], CelValue>? Find(string name, int arguments, bool isMember) =>
        All.GetValueOrDefault((name, arguments, isMember)) ?? (isMember && arguments is 1 or 2 && Parts.ContainsKey(name) ? a => Part(name, a) : null);

    private static CelValue Size(in CelValue value) => value.Kind switch
    {
        CelKind.Text => CelValue.Of((long)value.Text.EnumerateRunes().Count()),
        CelKind.Bytes => CelValue.Of((long)value.Bytes.Length),
        CelKind.List => CelValue.Of((long)value.List.Count),
        CelKind.Map => CelValue.Of((long)value.Map.Count),
        _ => CelValue.NoOverload,
    };

    private static CelValue Texts(CelValue[] a, Func<string, string, bool> test) =>
        a[0].Kind == CelKind.Text && a[1].Kind == CelKind.Text ? CelValue.Of(test(a[0].Text, a[1].Text)) : CelValue.NoOverload;

    private static CelValue ToInt(in CelValue value) => value.Kind switch
    {
        CelKind.Int => value,
        CelKind.Uint => value.Uint <= long.MaxValue ? CelValue.Of((long)value.Uint) : CelValue.Error("integer overflow"),
        CelKind.Double => value.Double is > -9223372036854775808d and < 9223372036854775808d ? CelValue.Of((long)value.Double) : CelValue.Error("integer overflow"),
        CelKind.Text => long.TryParse(value.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? CelValue.Of(number) : CelValue.Error("malformed integer"),
        CelKind.Timestamp => CelValue.Of(value.Timestamp.ToUnixTimeSeconds()),
        CelKind.Duration => CelValue.Of(value.Duration.Ticks * 100),
        _ => CelValue.NoOverload,
    };

    private static CelValue ToUint(in CelValue value) => value.Kind switch
    {
        CelKind.Uint => value,
        CelKind.Int => value.Int >= 0 ? CelValue.Of((ulong)value.Int) : CelValue.Error("integer overflow"),
        CelKind.Double => value.Double is >= 0 and < 18446744073709551616d ? CelValue.Of((ulong)value.Double) : CelValue.Error("integer overflow"),
        CelKind.Text => ulong.TryParse(value.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? CelValue.Of(number) : CelValue.Error("malformed integer"),
        _ => CelValue.NoOverload,
    };

    private static CelValue ToDouble(in CelValue value) => value.Kind switch
    {
        CelKind.Double => value,
        CelKind.Int => CelValue.Of((double)value.Int),
        CelKind.Uint => CelValue.Of((double)value.Uint),
        CelKind.Text => double.TryParse(value.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? CelValue.Of(number) : CelValue.Error("malformed number"),
        _ => CelValue.NoOverload,
    };

    private static CelValue ToText(in CelValue value) => value.Kind switch
    {
        CelKind.Text => value,
        CelKind.Bool => CelValue.Of(value.IsTrue ? "true" : "false"),
        CelKind.Int => CelValue.Of(value.Int.ToString(CultureInfo.InvariantCulture)),
        CelKind.Uint => CelValue.Of(value.Uint.ToString(CultureInfo.InvariantCulture)),
        CelKind.Double => CelValue.Of(CelValue.Format(value.Double)),
        CelKind.Bytes => CelValue.Of(Encoding.UTF8.GetString(value.Bytes)),
        CelKind.Timestamp => CelValue.Of(value.Timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture)),
        CelKind.Duration => CelValue.Of(CelValue.Format(value.Duration.TotalSeconds) + "s"),
        _ => CelValue.NoOverload,
    };

    private static CelValue ToBool(in CelValue value) => value.Kind switch
    {
        CelKind.Bool => value,
        CelKind.Text => value.Text switch
        {
            "1" or "t" or "true" or "TRUE" or "True" => CelValue.Of(true),
            "0" or "f" or "false" or "FALSE" or "False" => CelValue.Of(false),
            _ => CelValue.Error("malformed boolean"),
        },
        _ => CelValue.NoOverload,
    };

    private static CelValue ToTimestamp(in CelValue value) => value.Kind switch
    {
        CelKind.Timestamp => value,
        CelKind.Int when value.Int is >= -62135596800 and <= 253402300799 => CelValue.Of(DateTimeOffset.FromUnixTimeSeconds(value.Int)),
        CelKind.Text => DateTimeOffset.TryParse(value.Text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? CelValue.Of(time) : CelValue.Error("malformed timestamp"),
        _ => CelValue.NoOverload,
    };

    private static CelValue? OfDuration(in CelValue value, Func<TimeSpan, long> part) => value.Kind == CelKind.Duration ? CelValue.Of(part(value.Duration)) : null;

    private static CelValue Part(string name, CelValue[] a)
    {
        if (a[0].Kind != CelKind.Timestamp || (a.Length > 1 && a[1].Kind != CelKind.Text))
            return CelValue.NoOverload;
        var time = a[0].Timestamp;
        if (a.Length == 1)
            return CelValue.Of(Parts[name](time));
        var zone = a[1].Text;
        try
        {
            return CelValue.Of(Parts[name](TimeSpan.TryParseExact(zone.TrimStart('+', '-'), @"hh\:mm", CultureInfo.InvariantCulture, out var offset)
                ? time.ToOffset(zone[0] == '-' ? -offset : offset)
                : TimeZoneInfo.ConvertTime(time, TimeZoneInfo.FindSystemTimeZoneById(zone))));
        }
        catch (Exception e) when (e is TimeZoneNotFoundException or InvalidTimeZoneException or ArgumentException or System.Security.SecurityException)
        {
            return CelValue.Error($"unknown time zone {zone}");
        }
    }
}
