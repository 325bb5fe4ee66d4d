using DaprPlatform.Sidecar.Introspection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What the endpoints that look into the runtime have in common.</summary>
internal static class RuntimeEndpoints
{
    // /api/v1 and the empty one before it.
    private const int SegmentsBefore = 3;

    /// <summary>The runtime, where it is this process.</summary>
    /// <exception cref="ConsoleProblem">It is real Dapr (501).</exception>
    public static RuntimeView Runtime(this HttpContext context, string what) =>
        context.Console().Stack.Host.View ?? throw NotVisible($"With real Dapr (--engine dapr) {what} cannot be seen from here: look into its own servers.");

    public static ConsoleProblem NotVisible(string detail) => new(StatusCodes.Status501NotImplemented, "not-visible", detail);

    /// <summary>A segment of the path below <c>/api/v1/</c>, unescaped; a slash inside it may be escaped too.</summary>
    public static string Segment(this HttpContext context, int index) => Raw(context).ElementAtOrDefault(index) is { } segment ? Uri.UnescapeDataString(segment) : "";

    /// <summary>The path from a segment on, unescaped; its slashes may be escaped or not.</summary>
    public static string Tail(this HttpContext context, int index) => Uri.UnescapeDataString(string.Join('/', Raw(context).Skip(index)));

    /// <summary>Answers a refusal of the runtime as a problem. Stands last, so that the audit log sees the problem.</summary>
    public static RouteHandlerBuilder Translated(this RouteHandlerBuilder endpoint) => endpoint.AddEndpointFilter(async (call, next) =>
    {
        try
        {
            return await next(call);
        }
        catch (IntrospectionException e)
        {
            throw Problem(e);
        }
    });

    private static ConsoleProblem Problem(IntrospectionException e) => e.Refusal switch
    {
        IntrospectionRefusal.NotFound => ConsoleProblem.NotFound(e.Message),
        IntrospectionRefusal.Invalid => ConsoleProblem.BadRequest(e.Message),
        IntrospectionRefusal.Conflict => ConsoleProblem.Conflict(e.Message),
        IntrospectionRefusal.PreconditionFailed => ConsoleProblem.Stale(e.Message),
        IntrospectionRefusal.NotSupported => NotVisible(e.Message),
        _ => ConsoleProblem.Unavailable(e.Message),
    };

    // Routing leaves an escaped slash as it is and unescapes everything else; only the target as it was sent tells the two apart.
    private static IEnumerable<string> Raw(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget is { Length: > 0 } raw && raw[0] == '/' ? raw : context.Request.Path.ToUriComponent();
        var query = target.IndexOf('?', StringComparison.Ordinal);
        return (query < 0 ? target : target[..query]).Split('/').Skip(SegmentsBefore);
    }
}
