using System.Diagnostics;
using Microsoft.AspNetCore.Builder;

namespace DaprPlatform.ServiceDefaults;

internal static class RequestIds
{
    private const string Header = "X-Request-ID";

    /// <summary>Echoes the caller's request id, or answers with the trace id. Either is in every log line of the request.</summary>
    public static void UseRequestIds(this WebApplication app) =>
        app.Use((context, next) =>
        {
            var given = context.Request.Headers[Header].ToString();
            var id = given.Length is > 0 and <= 64 && !given.AsSpan().ContainsAnyExceptInRange('!', '~')
                ? given
                : Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier;
            Activity.Current?.SetTag("request.id", id);
            context.Response.Headers[Header] = id;
            return next(context);
        });
}
