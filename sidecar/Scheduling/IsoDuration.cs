using System.Globalization;
using System.Text.RegularExpressions;

namespace DaprPlatform.Sidecar.Scheduling;

/// <summary>
/// An ISO 8601 duration, with repetitions or without: <c>PT1H</c>, <c>P1Y2M3DT4H5M6S</c>, <c>P2W</c>, <c>R5/PT10S</c>. Years, months and days are kept apart:
/// their length depends on the date they are added to.
/// </summary>
internal sealed partial record IsoDuration(int Years, int Months, int Days, TimeSpan Time, int? Repetitions)
{
    public bool HasDate => Years != 0 || Months != 0 || Days != 0;

    public static bool TryParse(string text, out IsoDuration duration)
    {
        duration = new IsoDuration(0, 0, 0, TimeSpan.Zero, null);
        var match = Form().Match(text);
        if (!match.Success || text[^1] is 'T' or 'P')
            return false;
        duration = new IsoDuration(
            Part("y"), Part("mo"), Part("d") + (7 * Part("w")),
            TimeSpan.FromHours(Part("h")) + TimeSpan.FromMinutes(Part("m")) + TimeSpan.FromSeconds(match.Groups["s"] is { Success: true } s ? double.Parse(s.Value, CultureInfo.InvariantCulture) : 0),
            match.Groups["r"].Success ? int.Parse(match.Groups["r"].Value, CultureInfo.InvariantCulture) : null);
        return true;

        int Part(string name) => match.Groups[name].Success ? int.Parse(match.Groups[name].Value, CultureInfo.InvariantCulture) : 0;
    }

    public DateTimeOffset AddTo(DateTimeOffset time) => time.AddYears(Years).AddMonths(Months).AddDays(Days) + Time;

    [GeneratedRegex(@"^(?:R(?<r>\d{1,9})/)?P(?:(?<y>\d{1,5})Y)?(?:(?<mo>\d{1,5})M)?(?:(?<w>\d{1,5})W)?(?:(?<d>\d{1,6})D)?(?:T(?:(?<h>\d{1,6})H)?(?:(?<m>\d{1,8})M)?(?:(?<s>\d{1,9}(?:\.\d{1,7})?)S)?)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
