using System.Buffers;
using System.Globalization;
using System.Text;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// The method of an invocation: decoded once, cleaned (<c>//</c>, <c>.</c>, <c>..</c> and a trailing slash go), and encoded again for the app, so that what is checked
/// by access control is what the app gets.
/// </summary>
internal static class MethodPath
{
    private static readonly SearchValues<char> Forbidden = SearchValues.Create("#?\0");
    private static readonly SearchValues<char> Plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/[]");

    /// <summary>A percent-encoded path as the method it names, without leading slash. Throws <see cref="MethodException"/>.</summary>
    public static string Decode(string raw) => Clean(raw.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(raw) : raw);

    /// <summary>Cleans a method that is not encoded. Throws <see cref="MethodException"/>.</summary>
    public static string Clean(string method)
    {
        if (method.AsSpan().ContainsAny(Forbidden))
            throw new MethodException($"invalid method: method contains forbidden character: {Quoted(method)}");
        for (var i = 0; i < method.Length; i++)
        {
            if (char.IsControl(method[i]))
                throw new MethodException($"invalid method: method contains control character at position {i}: {Quoted(method)}");
        }

        if (!NeedsCleaning(method))
            return method is ['/', ..] ? method[1..] : method;
        var parts = new List<string>();
        foreach (var part in method.Split('/'))
        {
            switch (part)
            {
                case "" or ".":
                    break;
                case "..":
                    if (parts.Count > 0)
                        parts.RemoveAt(parts.Count - 1);
                    break;
                default:
                    parts.Add(part);
                    break;
            }
        }

        return string.Join('/', parts);
    }

    /// <summary>The target of the request to the app.</summary>
    /// <param name="query">Verbatim, without <c>?</c>.</param>
    public static string Encode(string method, string query)
    {
        if (!method.AsSpan().ContainsAnyExcept(Plain))
            return query.Length == 0 ? "/" + method : $"/{method}?{query}";
        var target = new StringBuilder("/", method.Length + query.Length + 16);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in method.EnumerateRunes())
        {
            if (rune.IsAscii && Plain.Contains((char)rune.Value))
            {
                target.Append((char)rune.Value);
                continue;
            }

            foreach (var b in utf8[..rune.EncodeToUtf8(utf8)])
                target.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }

        return query.Length == 0 ? target.ToString() : target.Append('?').Append(query).ToString();
    }

    private static bool NeedsCleaning(string method) =>
        method.Contains("//", StringComparison.Ordinal) || method.StartsWith("./", StringComparison.Ordinal) || method.StartsWith("../", StringComparison.Ordinal) || method is "." or ".."
        || method.Contains("/.", StringComparison.Ordinal) || method is [_, .., '/'] or "/";

    private static string Quoted(string text) => System.Text.Json.JsonSerializer.Serialize(text, Http.Json.Options);
}

/// <summary>The method cannot be the path of a request.</summary>
internal sealed class MethodException(string message) : Exception(message);
