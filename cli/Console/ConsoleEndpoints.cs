using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What endpoints of the console say about themselves.</summary>
internal static class ConsoleEndpoints
{
    private static readonly object UserKey = new();

    /// <summary>The least role; every endpoint names one, the start fails otherwise.</summary>
    public static TBuilder RequireRole<TBuilder>(this TBuilder endpoint, ConsoleRole role) where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new RequiredRole(role));

    /// <summary>
    /// Writes the change to the audit log before it is made (on disk before the handler runs) and its outcome after it. Without <paramref name="target"/> the
    /// target is the route's values, joined by a slash.
    /// </summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="action">What is done, as <c>workflow.terminate</c>.</param>
    /// <param name="target">What it is done to.</param>
    /// <param name="detail">More of it; never a secret.</param>
    public static RouteHandlerBuilder Audited(this RouteHandlerBuilder endpoint, string action, Func<EndpointFilterInvocationContext, string?>? target = null,
        Func<EndpointFilterInvocationContext, string?>? detail = null) =>
        endpoint.WithMetadata(new AuditedAction(action)).AddEndpointFilter(async (call, next) =>
        {
            var audit = call.HttpContext.Console().Audit;
            var begun = await audit.BeginAsync(call.HttpContext.User(), action, target?.Invoke(call) ?? RouteTarget(call.HttpContext), detail?.Invoke(call));
            try
            {
                var result = await next(call);
                var status = (result as IStatusCodeHttpResult)?.StatusCode;
                await audit.EndAsync(begun, status >= StatusCodes.Status400BadRequest ? $"refused: {status}" : "done");
                return result;
            }
            catch (Exception e)
            {
                await audit.EndAsync(begun, e is ConsoleProblem or CommandException ? $"refused: {e.Message}" : $"failed: {e.GetType().Name}");
                throw;
            }
        });

    /// <summary>Who asks; set before any handler runs.</summary>
    public static ConsoleUser User(this HttpContext context) => (ConsoleUser)context.Items[UserKey]!;

    public static ConsoleSystem Console(this HttpContext context) => (ConsoleSystem)context.RequestServices.GetService(typeof(ConsoleSystem))!;

    internal static void SetUser(this HttpContext context, ConsoleUser user) => context.Items[UserKey] = user;

    private static string RouteTarget(HttpContext context) => string.Join('/', context.Request.RouteValues.Select(v => v.Value?.ToString()));
}

/// <summary>The endpoint's changes are in the audit log under this name.</summary>
internal sealed record AuditedAction(string Name);
