using System.Globalization;

namespace DaprPlatform.Sidecar.State;

/// <summary>The time to live of a write: metadata <c>ttlInSeconds</c>, whole seconds.</summary>
internal static class StateTtl
{
    public const string Name = "ttlInSeconds";

    /// <summary>
    /// As most stores take it: null where nothing is given, 0 for none (<c>0</c> and <c>-1</c>), else the seconds.
    /// </summary>
    /// <exception cref="StateException">No whole number from -1 to 2147483647; the message begins with <paramref name="context"/>.</exception>
    public static int? Parse(StateWrite write, string context = "")
    {
        if (write.MetadataValue(Name) is not { Length: > 0 } text)
            return null;
        var seconds = ParseWhole(text, $"{context}incorrect value for metadata '{Name}': strconv.ParseInt: parsing \"{text}\": invalid syntax");
        if (seconds is < -1 or > int.MaxValue)
            throw new StateException($"{context}incorrect value for metadata '{Name}': must be -1 or greater");
        return Math.Max((int)seconds, 0);
    }

    /// <exception cref="StateException">No whole number, with this message.</exception>
    public static long ParseWhole(string text, string refusal) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds) ? seconds : throw new StateException(refusal);
}
