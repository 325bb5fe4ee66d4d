using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.StaticFiles;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>The console's pages from the folder they are built into; every navigation that is no file is the page that routes itself.</summary>
internal sealed class StaticPages(string folder)
{
    private const string Entry = "index.html";
    private readonly FileExtensionContentTypeProvider _types = new();

    public Task AnswerAsync(HttpContext context)
    {
        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
            return ConsoleGate.WriteProblemAsync(context, StatusCodes.Status405MethodNotAllowed, "method", "Only GET and HEAD here.");
        var root = Path.GetFullPath(folder) + Path.DirectorySeparatorChar;
        var path = Path.GetFullPath(Path.Combine(root, context.Request.Path.Value!.TrimStart('/')));
        if (path.StartsWith(root, StringComparison.Ordinal) && File.Exists(path))
            return SendAsync(context, path);
        if (!WantsPage(context.Request))
            return ConsoleGate.WriteProblemAsync(context, StatusCodes.Status404NotFound, "not-found", $"There is no {context.Request.Path}.");
        return SendEntryAsync(context);
    }

    public Task SendEntryAsync(HttpContext context)
    {
        if (File.Exists(Path.Combine(folder, Entry)))
            return SendAsync(context, Path.Combine(folder, Entry));
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.WriteAsync("The console was not built; ./platform up builds it. Its API: /api/v1/openapi.json, /status\n", context.RequestAborted);
    }

    public bool IsBuilt => File.Exists(Path.Combine(folder, Entry));

    public static bool WantsPage(HttpRequest request)
    {
        foreach (var type in request.GetTypedHeaders().Accept.OrderByDescending(a => a.Quality ?? 1))
        {
            if (type.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase))
                return true;
            if (type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
                return false;
        }

        return false;
    }

    private async Task SendAsync(HttpContext context, string path)
    {
        var (request, response) = (context.Request, context.Response);
        response.ContentType = _types.TryGetContentType(path, out var type) ? type.StartsWith("text/", StringComparison.Ordinal) ? type + "; charset=utf-8" : type : "application/octet-stream";
        // Files in assets/ have the hash of their content in their names.
        var hashed = path.Contains($"{Path.DirectorySeparatorChar}assets{Path.DirectorySeparatorChar}", StringComparison.Ordinal);
        response.Headers.CacheControl = hashed ? "public, max-age=31536000, immutable" : "no-cache";
        response.Headers.Vary = "Accept-Encoding";
        foreach (var (coding, suffix) in ((string, string)[])[("br", ".br"), ("gzip", ".gz")])
        {
            if (request.Headers.AcceptEncoding.Any(a => a?.Contains(coding, StringComparison.OrdinalIgnoreCase) == true) && File.Exists(path + suffix))
            {
                path += suffix;
                response.Headers.ContentEncoding = coding;
                break;
            }
        }

        var file = new FileInfo(path);
        var tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(BitConverter.GetBytes(file.LastWriteTimeUtc.Ticks ^ (file.Length << 20))).AsSpan(0, 8))}\"";
        response.Headers.ETag = tag;
        if (request.Headers.IfNoneMatch.Contains(tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        response.ContentLength = file.Length;
        if (HttpMethods.IsGet(request.Method))
            await response.SendFileAsync(path, context.RequestAborted);
    }
}
