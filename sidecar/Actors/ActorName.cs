using System.Globalization;
using System.Text;
using DaprPlatform.Sidecar.Invocation;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>What may be the name of a type, an id, a reminder, a timer, or a method of an actor.</summary>
internal static class ActorName
{
    private const string ReservedPrefix = "dapr.internal.";
    private static readonly System.Buffers.SearchValues<char> ForbiddenInNames = System.Buffers.SearchValues.Create("/\\#?\0");
    private static readonly System.Buffers.SearchValues<char> ForbiddenInMethods = System.Buffers.SearchValues.Create("#?\0");

    /// <summary>The type belongs to the workflow engine.</summary>
    public static bool IsReserved(string type) => type.StartsWith(ReservedPrefix, StringComparison.Ordinal);

    /// <summary>Why a name cannot be one; null: it can.</summary>
    public static string? Refusal(string name) => Refusal("name", name, ForbiddenInNames);

    /// <summary>The method as it stands in the app's path. <paramref name="refusal"/> says why it cannot be one; null: it can.</summary>
    public static string Method(string method, out string? refusal)
    {
        refusal = Refusal("method", method, ForbiddenInMethods);
        return refusal is null ? MethodPath.Clean(method) : "";
    }

    /// <summary>A text as Go's <c>%q</c> shows it.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("\"", text.Length + 8);
        foreach (var rune in text.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '"':
                    quoted.Append("\\\"");
                    break;
                case '\\':
                    quoted.Append("\\\\");
                    break;
                case '\a':
                    quoted.Append("\\a");
                    break;
                case '\b':
                    quoted.Append("\\b");
                    break;
                case '\f':
                    quoted.Append("\\f");
                    break;
                case '\n':
                    quoted.Append("\\n");
                    break;
                case '\r':
                    quoted.Append("\\r");
                    break;
                case '\t':
                    quoted.Append("\\t");
                    break;
                case '\v':
                    quoted.Append("\\v");
                    break;
                case < 0x20 or 0x7f:
                    quoted.Append("\\x").Append(rune.Value.ToString("x2", CultureInfo.InvariantCulture));
                    break;
                default:
                    if (Rune.IsControl(rune))
                        quoted.Append("\\u").Append(rune.Value.ToString("x4", CultureInfo.InvariantCulture));
                    else
                        quoted.Append(rune.ToString());
                    break;
            }
        }

        return quoted.Append('"').ToString();
    }

    private static string? Refusal(string what, string text, System.Buffers.SearchValues<char> forbidden)
    {
        if (text.AsSpan().ContainsAny(forbidden))
            return $"{what} contains forbidden character: {Quote(text)}";
        if (text is "." or ".." && what == "name")
            return $"{what} must not be {Quote(text)}";
        for (var i = 0; i < text.Length; i++)
        {
            // Positions are those of bytes.
            if (char.IsControl(text[i]))
                return $"{what} contains control character at position {Encoding.UTF8.GetByteCount(text.AsSpan(0, i)).ToString(CultureInfo.InvariantCulture)}: {Quote(text)}";
        }

        return null;
    }
}
