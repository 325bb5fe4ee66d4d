using System.Globalization;
using System.Text;

namespace DaprPlatform.Sidecar.Bindings.Smtp;

/// <param name="Priority">1, the highest, to 5.</param>
internal sealed record Mail(string From, string[] To, string[] Cc, string[] Bcc, string Subject, int Priority, string Html, DateTimeOffset At)
{
    private const int Base64Line = 76;
    // An encoded word must not be longer than 75 characters, of which twelve say that it is one.
    private const int WordBytes = 45;

    /// <summary>What must not have a line break.</summary>
    public IEnumerable<string> Lines => [From, .. To, .. Cc, .. Bcc, Subject];

    public IEnumerable<string> Recipients => To.Concat(Cc).Concat(Bcc).Select(AddressOf).Distinct(StringComparer.OrdinalIgnoreCase);

    /// <summary>The address in <c>Name &lt;address&gt;</c>, or all of it.</summary>
    public static string AddressOf(string text) =>
        text.LastIndexOf('<') is >= 0 and var open && text.EndsWith('>') ? text[(open + 1)..^1].Trim() : text.Trim();

    /// <summary>The message of RFC 5322, in ASCII with CRLF, without the dot that ends it. Hidden recipients are not in it.</summary>
    public string Write()
    {
        var text = new StringBuilder();
        Header("From", Named(From));
        Header("To", string.Join(", ", To.Select(Named)));
        if (Cc.Length > 0)
            Header("Cc", string.Join(", ", Cc.Select(Named)));
        Header("Subject", Encoded(Subject));
        Header("Date", At.ToString("ddd, dd MMM yyyy HH:mm:ss +0000", CultureInfo.InvariantCulture));
        Header("Message-ID", $"<{Guid.NewGuid():N}@{AddressOf(From)[(AddressOf(From).IndexOf('@', StringComparison.Ordinal) + 1)..]}>");
        Header("X-Priority", Priority.ToString(CultureInfo.InvariantCulture));
        Header("MIME-Version", "1.0");
        Header("Content-Type", "text/html; charset=UTF-8");
        Header("Content-Transfer-Encoding", "base64");
        text.Append("\r\n");
        var body = Convert.ToBase64String(Encoding.UTF8.GetBytes(Html));
        for (var i = 0; i < body.Length; i += Base64Line)
            text.Append(body, i, Math.Min(Base64Line, body.Length - i)).Append("\r\n");
        return text.ToString();

        void Header(string name, string value) => text.Append(name).Append(": ").Append(value).Append("\r\n");
    }

    private static string Named(string text)
    {
        var open = text.LastIndexOf('<');
        return open <= 0 ? text : $"{Encoded(text[..open].Trim().Trim('"'))} <{AddressOf(text)}>";
    }

    // RFC 2047, in words that never part a character.
    private static string Encoded(string text)
    {
        if (text.All(static c => c is >= ' ' and <= '~') && !text.Contains("=?", StringComparison.Ordinal) && text.Length <= 900)
            return text;
        var words = new List<string>();
        var part = new StringBuilder();
        var bytes = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (bytes + rune.Utf8SequenceLength > WordBytes)
                Flush();
            part.Append(rune.ToString());
            bytes += rune.Utf8SequenceLength;
        }

        Flush();
        return string.Join("\r\n ", words);

        void Flush()
        {
            if (part.Length > 0)
                words.Add($"=?UTF-8?B?{Convert.ToBase64String(Encoding.UTF8.GetBytes(part.ToString()))}?=");
            part.Clear();
            bytes = 0;
        }
    }
}
