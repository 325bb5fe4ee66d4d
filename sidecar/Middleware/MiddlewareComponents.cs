using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Middleware;

/// <summary>The <c>middleware.http.*</c> types (https://docs.dapr.io/reference/components-reference/supported-middleware/).</summary>
internal static class MiddlewareComponents
{
    public static IEnumerable<ComponentType> Types =>
    [
        new("middleware.http.bearer", spec => new BearerMiddleware(spec)),
        new("middleware.http.ratelimit", spec => new RateLimitMiddleware(spec)),
        new("middleware.http.routeralias", spec => new RouterAliasMiddleware(spec)),
        new("middleware.http.routerchecker", spec => new RouterCheckerMiddleware(spec)),
        new("middleware.http.uppercase", _ => new UppercaseMiddleware()),
    ];
}

/// <summary>What the handlers have in common: nothing to connect to, nothing to offer.</summary>
internal abstract class HttpMiddleware : IHttpMiddleware
{
    public virtual IReadOnlyList<string> Capabilities => [];

    public virtual Task InitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public abstract ValueTask<MiddlewareRefusal?> HandleAsync(MiddlewareRequest request, CancellationToken cancellationToken);

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Puts the body into upper case; daprd has it for trying pipelines out.</summary>
internal sealed class UppercaseMiddleware : HttpMiddleware
{
    public override async ValueTask<MiddlewareRefusal?> HandleAsync(MiddlewareRequest request, CancellationToken cancellationToken)
    {
        await request.ReplaceBodyAsync(static body =>
        {
            // Bytes that are no text stay as they are.
            try
            {
                return Strict.GetBytes(Strict.GetString(body.Span).ToUpperInvariant());
            }
            catch (System.Text.DecoderFallbackException)
            {
                return body.ToArray();
            }
        }, cancellationToken).ConfigureAwait(false);
        return null;
    }

    private static readonly System.Text.UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);
}
