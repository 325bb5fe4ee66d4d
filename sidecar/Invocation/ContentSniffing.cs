using System.Text;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// The content type of an answer that names none, from its first bytes, as Go's server adds it (https://mimesniff.spec.whatwg.org/): text where nothing speaks
/// against it.
/// </summary>
internal static class ContentSniffing
{
    private const int Looked = 512;

    private static readonly string[] Html =
        ["<!DOCTYPE HTML", "<HTML", "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE", "<A", "<STYLE", "<TITLE", "<B", "<BODY", "<BR", "<P", "<!--"];

    public static string Detect(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..Math.Min(bytes.Length, Looked)];
        var text = bytes.TrimStart("\t\n\f\r "u8);
        foreach (var tag in Html)
        {
            // A tag counts when it ends there.
            if (text.Length > tag.Length && Ascii.EqualsIgnoreCase(text[..tag.Length], tag) && (text[tag.Length] is (byte)' ' or (byte)'>' || tag == "<!--"))
                return "text/html; charset=utf-8";
        }

        if (text.StartsWith("<?xml"u8))
            return "text/xml; charset=utf-8";
        if (bytes.StartsWith("%PDF-"u8))
            return "application/pdf";
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
            return "image/png";
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
            return "image/jpeg";
        if (bytes.StartsWith("GIF87a"u8) || bytes.StartsWith("GIF89a"u8))
            return "image/gif";
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08]))
            return "application/x-gzip";
        if (bytes.StartsWith("PK\u0003\u0004"u8))
            return "application/zip";
        if (bytes.Length >= 14 && bytes.StartsWith("RIFF"u8) && bytes[8..].StartsWith("WEBPVP"u8))
            return "image/webp";
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
            return "text/plain; charset=utf-16be";
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]))
            return "text/plain; charset=utf-16le";
        foreach (var b in bytes)
        {
            if (b is <= 0x08 or 0x0B or (>= 0x0E and <= 0x1A) or (>= 0x1C and <= 0x1F))
                return "application/octet-stream";
        }

        return "text/plain; charset=utf-8";
    }
}
