using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Net.Http.Headers;

namespace DaprPlatform.Gateway.Web;

/// <summary>
/// The pages of the shop, from the folder <c>STOREFRONT_FOLDER</c> (relative to the app's), or the folder <c>storefront</c> beside the program. Without it the gateway is the API alone.
/// Whatever address a person opens gets the shop's page, which knows its own routes; everything else is a file or is not found.
/// </summary>
internal static partial class Storefront
{
    private const string Variable = "STOREFRONT_FOLDER";
    private const string Beside = "storefront";
    private const string IndexPage = "/index.html";
    private const string Immutable = "public, max-age=31536000, immutable";
    private const string Revalidate = "no-cache";

    // Neither script nor style stands in a page, and nothing comes from elsewhere. data: pictures are the little drawings in the style sheet.
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    // Of the API, of health and of documents: what is unknown there stays a problem.
    private static readonly PathString[] Others = ["/api", "/swagger", "/health", "/metrics", "/.well-known", "/dapr"];

    public static void AddTo(WebApplicationBuilder builder) => builder.Services.AddSingleton(provider => Open(builder, provider.GetRequiredService<ILogger<WebFiles>>()));

    /// <summary>Behind routing and no route itself: a route that takes every path would make a wrong method of the API an unknown address.</summary>
    public static void UseStorefront(this WebApplication app)
    {
        // Read before the first request.
        var files = app.Services.GetRequiredService<WebFiles>();
        if (files.Count == 0)
            return;
        app.Use((context, next) => IsPage(context) ? AnswerAsync(context, files) : next(context));
    }

    private static bool IsPage(HttpContext context)
    {
        var request = context.Request;
        return context.GetEndpoint() is null
            && (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
            && !Array.Exists(Others, other => request.Path.StartsWithSegments(other, StringComparison.OrdinalIgnoreCase));
    }

    private static Task AnswerAsync(HttpContext context, WebFiles files)
    {
        var request = context.Request;
        var path = request.Path.Value ?? "/";
        if (files.Find(path) is { } file && path != IndexPage)
            return SendAsync(context, file, files.IsHashed(path) ? Immutable : Revalidate);
        return IsNavigation(request) && files.Find(IndexPage) is { } page
            ? SendAsync(context, page, Revalidate)
            : Refuse(context);
    }

    private static Task Refuse(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    private static bool IsNavigation(HttpRequest request) => request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);

    private static async Task SendAsync(HttpContext context, WebFile file, string caching)
    {
        var (request, response) = (context.Request, context.Response);
        var (body, encoding) = file.For(request.Headers.AcceptEncoding.ToString());
        var etag = $"\"{file.Hash}{(encoding is null ? "" : "-" + encoding)}\"";
        var headers = response.Headers;
        headers.ETag = etag;
        headers.CacheControl = caching;
        headers.Vary = file.IsCompressed ? "Accept-Encoding" : default;
        headers.ContentSecurityPolicy = Policy;
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()";
        if (EntityTagHeaderValue.TryParseList(request.Headers.IfNoneMatch, out var known) && known.Any(tag => tag.Tag == "*" || tag.Tag == etag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        response.ContentType = file.ContentType;
        response.ContentLength = body.Length;
        if (encoding is not null)
            headers.ContentEncoding = encoding;
        if (HttpMethods.IsGet(request.Method))
            await response.Body.WriteAsync(body, context.RequestAborted);
    }

    private static WebFiles Open(WebApplicationBuilder builder, ILogger logger)
    {
        var given = builder.Configuration[Variable];
        var folder = string.IsNullOrWhiteSpace(given)
            ? Path.Combine(AppContext.BaseDirectory, Beside)
            : Path.GetFullPath(Path.Combine(builder.Environment.ContentRootPath, given));
        if (!File.Exists(Path.Combine(folder, "index.html")))
        {
            LogNone(logger, folder);
            return WebFiles.None;
        }

        var files = WebFiles.Read(folder, new FileExtensionContentTypeProvider());
        LogServing(logger, files.Count, folder);
        return files;
    }

    [LoggerMessage(1, LogLevel.Information, "The storefront: {Files} files of {Folder}")]
    private static partial void LogServing(ILogger logger, int files, string folder);

    [LoggerMessage(2, LogLevel.Information, "No storefront: {Folder} holds no index.html")]
    private static partial void LogNone(ILogger logger, string folder);
}
