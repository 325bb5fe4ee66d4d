using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.ServiceDefaults;

/// <summary>Headers that keep a browser from doing more with an answer than showing it to its caller.</summary>
internal static class SecurityHeaders
{
    private static readonly StringValues NoSniff = "nosniff";
    private static readonly StringValues Deny = "DENY";
    private static readonly StringValues NoReferrer = "no-referrer";
    private static readonly StringValues SameSite = "same-site";
    private static readonly StringValues Nothing = "default-src 'none'; frame-ancestors 'none'";
    // The page of Swagger UI has its script and style in it.
    private static readonly StringValues OwnPage = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
    private static readonly StringValues OneYear = "max-age=31536000; includeSubDomains";
    private static readonly StringValues NoStore = "no-store";

    public static void UseSecurityHeaders(this WebApplication app) =>
        app.Use((context, next) =>
        {
            var request = context.Request;
            // What an app answers its sidecar never meets a browser.
            if (request.Protocol == "HTTP/2" && request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true)
                return next(context);
            var headers = context.Response.Headers;
            headers.XContentTypeOptions = NoSniff;
            headers.XFrameOptions = Deny;
            headers["Referrer-Policy"] = NoReferrer;
            headers["Cross-Origin-Resource-Policy"] = SameSite;
            headers.ContentSecurityPolicy = request.Path.StartsWithSegments("/swagger", StringComparison.Ordinal) ? OwnPage : Nothing;
            if (request.IsHttps)
                headers.StrictTransportSecurity = OneYear;
            // One caller's answer is nobody else's; what may be kept says so by an ETag.
            if (request.Headers.Authorization.Count > 0)
                headers.CacheControl = NoStore;
            return next(context);
        });
}
