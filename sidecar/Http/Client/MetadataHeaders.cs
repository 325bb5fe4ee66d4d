using System.Buffers;

namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>Metadata of messages and events as headers of a request. They come from outside: what would break the request, or frame it, is left out.</summary>
internal static class MetadataHeaders
{
    // What may stand in the name of a header.
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>A header may be called so.</summary>
    public static bool IsName(string name) => name.Length > 0 && !name.AsSpan().ContainsAnyExcept(NameCharacters);

    public static bool CanBe(string name) => IsName(name) && !HopByHop.Contains(name)
        && !name.Equals("content-length", StringComparison.OrdinalIgnoreCase) && !name.Equals("host", StringComparison.OrdinalIgnoreCase) && !name.Equals("content-type", StringComparison.OrdinalIgnoreCase);

    public static string OneLine(string value) => value.AsSpan().ContainsAny('\r', '\n', '\0') ? value.Replace('\r', ' ').Replace('\n', ' ').Replace('\0', ' ') : value;
}
