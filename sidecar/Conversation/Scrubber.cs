using System.Text.RegularExpressions;

namespace DaprPlatform.Sidecar.Conversation;

/// <summary>Takes personal data out of texts. As recorded, a number of ten digits is an ISBN, also when it is somebody's telephone.</summary>
internal static partial class Scrubber
{
    public static string Scrub(string text)
    {
        text = Email().Replace(text, "<EMAIL_ADDRESS>");
        text = Ip().Replace(text, "<IP>");
        text = Isbn13().Replace(text, "<ISBN>");
        text = CreditCard().Replace(text, "<CREDIT_CARD>");
        return Isbn10().Replace(text, "<ISBN>");
    }

    [GeneratedRegex(@"[A-Za-z0-9._%+\-]+@[A-Za-z0-9](?:[A-Za-z0-9\-]*\.)+[A-Za-z]{2,}", RegexOptions.CultureInvariant)]
    private static partial Regex Email();

    [GeneratedRegex(@"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b", RegexOptions.CultureInvariant)]
    private static partial Regex Ip();

    [GeneratedRegex(@"\b97[89][- ]?(?:\d[- ]?){9}\d\b", RegexOptions.CultureInvariant)]
    private static partial Regex Isbn13();

    [GeneratedRegex(@"\b(?:\d[ -]?){12,15}\d\b", RegexOptions.CultureInvariant)]
    private static partial Regex CreditCard();

    [GeneratedRegex(@"\b(?:\d[- ]?){9}[\dXx]\b", RegexOptions.CultureInvariant)]
    private static partial Regex Isbn10();
}
