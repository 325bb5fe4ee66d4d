using System.Collections.Frozen;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.AspNetCore.StaticFiles;

namespace DaprPlatform.Gateway.Web;

/// <summary>A folder of built pages as it was at the start, in memory: a build while it serves cannot mix two versions, and no path leads out of it.</summary>
internal sealed class WebFiles
{
    // Vite's name for what carries its digest in its name.
    private const string HashedFolder = "/assets/";
    private const long LargestFolder = 64 << 20;
    private readonly FrozenDictionary<string, WebFile> _files;

    private WebFiles(Dictionary<string, WebFile> files) => _files = files.ToFrozenDictionary(StringComparer.Ordinal);

    public static WebFiles None { get; } = new([]);

    public int Count => _files.Count;

    public WebFile? Find(string path) => _files.GetValueOrDefault(path);

    public bool IsHashed(string path) => path.StartsWith(HashedFolder, StringComparison.Ordinal);

    /// <exception cref="InvalidOperationException">The folder holds more than pages do.</exception>
    public static WebFiles Read(string folder, IContentTypeProvider types)
    {
        var files = new Dictionary<string, WebFile>(StringComparer.Ordinal);
        long total = 0;
        foreach (var path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            if (path.EndsWith(".br", StringComparison.Ordinal) || path.EndsWith(".gz", StringComparison.Ordinal))
                continue;
            var file = new WebFile(TypeOf(path, types), File.ReadAllBytes(path), Compressed(path + ".br"), Compressed(path + ".gz"));
            total += file.Bytes;
            if (total > LargestFolder)
                throw new InvalidOperationException($"{folder} holds more than {LargestFolder >> 20} MB: is it a folder of built pages?");
            files["/" + Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/')] = file;
        }

        return new WebFiles(files);
    }

    private static byte[]? Compressed(string path) => File.Exists(path) ? File.ReadAllBytes(path) : null;

    private static string TypeOf(string path, IContentTypeProvider types)
    {
        var type = types.TryGetContentType(path, out var known) ? known : "application/octet-stream";
        return type.StartsWith("text/", StringComparison.Ordinal) ? type + "; charset=utf-8" : type;
    }
}

/// <param name="Content">Uncompressed.</param>
/// <param name="Brotli">Null when it was not worth it.</param>
/// <param name="Gzip">Likewise.</param>
internal sealed record WebFile(string ContentType, ReadOnlyMemory<byte> Content, byte[]? Brotli, byte[]? Gzip)
{
    public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Content.Span).AsSpan(0, 12));

    public bool IsCompressed => Brotli is not null || Gzip is not null;

    public long Bytes => Content.Length + (Brotli?.Length ?? 0) + (Gzip?.Length ?? 0);

    /// <summary>The smallest body that the client takes, and its <c>Content-Encoding</c>.</summary>
    public (ReadOnlyMemory<byte> Body, string? Encoding) For(string accepted)
    {
        if (Brotli is not null && Takes(accepted, "br"))
            return (Brotli, "br");
        return Gzip is not null && Takes(accepted, "gzip") ? (Gzip, "gzip") : (Content, null);
    }

    private static bool Takes(string accepted, string encoding)
    {
        foreach (var part in accepted.AsSpan().Split(','))
        {
            var item = accepted.AsSpan()[part].Trim();
            var end = item.IndexOf(';');
            var name = (end < 0 ? item : item[..end]).Trim();
            // q=0 refuses it.
            if (name.Equals(encoding, StringComparison.OrdinalIgnoreCase))
                return end < 0 || !IsZero(item[(end + 1)..].Trim());
        }

        return false;
    }

    private static bool IsZero(ReadOnlySpan<char> parameter) =>
        parameter.StartsWith("q=", StringComparison.OrdinalIgnoreCase) && double.TryParse(parameter[2..], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var quality) && quality == 0;
}
