using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>All endpoints of the console, the same on every door.</summary>
internal static class ConsoleApi
{
    public const string Prefix = "/api/v1";

    public static void Map(IEndpointRouteBuilder routes, ConsoleSystem system)
    {
        var api = routes.MapGroup(Prefix);
        SessionApi.Map(api);
        StackApi.Map(routes, api);
        StreamApi.Map(api);
        AuditApi.Map(api);
        DaprApi.Map(api);
        StateApi.Map(api);
        DeadLetterApi.Map(api);
        WorkflowsApi.Map(api);
        Logs.LogsApi.Map(api);
        Traces.TracesApi.Map(routes, api);
        Metrics.MetricsApi.Map(api);
        api.MapGet("/openapi.json", (CancellationToken _) => TypedResults.Stream(typeof(ConsoleApi).Assembly.GetManifestResourceStream("openapi.json")!, "application/json"))
            .RequireRole(ConsoleRole.Viewer).ExcludeFromDescription();
        api.Map("{**rest}", (HttpContext context) => ConsoleGate.WriteProblemAsync(context, StatusCodes.Status404NotFound, "not-found", $"There is no {context.Request.Path}.")).RequireRole(ConsoleRole.Viewer).ExcludeFromDescription();
    }

    /// <summary>An endpoint that says nothing of roles is a hole.</summary>
    /// <exception cref="InvalidOperationException">There is one, or a change that is not audited.</exception>
    public static void Verify(IEndpointRouteBuilder routes)
    {
        foreach (var endpoint in routes.DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>())
        {
            var metadata = endpoint.Metadata;
            if (metadata.GetMetadata<RequiredRole>() is null && metadata.GetMetadata<OpenToAll>() is null && metadata.GetMetadata<OwnToken>() is null)
                throw new InvalidOperationException($"{endpoint.DisplayName} names no role.");
            var changes = metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Any(m => m is "POST" or "PUT" or "PATCH" or "DELETE") == true;
            if (changes && metadata.GetMetadata<RequiredRole>() is not null && metadata.GetMetadata<AuditedAction>() is null)
                throw new InvalidOperationException($"{endpoint.DisplayName} changes something and is not audited.");
        }
    }
}
