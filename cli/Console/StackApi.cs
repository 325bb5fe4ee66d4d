using DaprPlatform.Cli.Control;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What runs, and the verbs that change it.</summary>
internal static class StackApi
{
    public static void Map(IEndpointRouteBuilder routes, IEndpointRouteBuilder api)
    {
        api.MapGet("/status", Status).RequireRole(ConsoleRole.Viewer).WithName("getStatus").WithSummary("Every app with its health, ports and figures.").WithTags("Stack").Produces<StackStatus>();
        api.MapGet("/settled", async (HttpContext context, CancellationToken cancel) => TypedResults.Ok(await context.Console().Stack.WaitSettledAsync(cancel))).RequireRole(ConsoleRole.Viewer)
            .WithName("waitSettled").WithSummary("Answers when every unit serves (true) or has failed several times (false).").WithTags("Stack").Produces<bool>();
        api.MapGet("/events", Events).RequireRole(ConsoleRole.Viewer).WithName("listEvents").WithSummary("What happened in the stack, the newest last.").WithTags("Stack").Produces<StackEvent[]>();
        api.MapPost("/apps/{app}/start", (string app, HttpContext context) => RunAsync(context, app, s => s.StartAppAsync(app))).RequireRole(ConsoleRole.Operator).Audited("app.start")
            .WithName("startApp").WithSummary("Starts an app that was stopped, with its sidecar.").WithTags("Stack").Produces(204).ProducesProblem(404);
        api.MapPost("/apps/{app}/stop", (string app, HttpContext context) => RunAsync(context, app, s => s.StopAppAsync(app))).RequireRole(ConsoleRole.Operator).Audited("app.stop")
            .WithName("stopApp").WithSummary("Stops an app with its sidecar.").WithTags("Stack").Produces(204).ProducesProblem(404);
        api.MapPost("/apps/{app}/restart", (string app, HttpContext context) => RunAsync(context, app, s => s.RestartAppAsync(app))).RequireRole(ConsoleRole.Operator).Audited("app.restart")
            .WithName("restartApp").WithSummary("Stops an app and starts it again.").WithTags("Stack").Produces(204).ProducesProblem(404);
        api.MapPost("/stop", (HttpContext context) =>
        {
            context.Console().Stack.RequestStop();
            return TypedResults.Accepted((string?)null);
        }).RequireRole(ConsoleRole.Admin).Audited("stack.stop").WithName("stopStack").WithSummary("Stops everything, this console too.").WithTags("Stack").Produces(202);

        routes.MapGet("/status", async (HttpContext context) =>
        {
            context.Response.Headers.Vary = "Accept";
            if (!StaticPages.WantsPage(context.Request))
                await Status(context).ExecuteAsync(context);
            else
                await StatusPage.WriteAsync(context);
        }).WithMetadata(new OpenToPages()).RequireRole(ConsoleRole.Viewer).ExcludeFromDescription();
    }

    private static IResult Status(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(context.Console().Status());
    }

    private static IResult Events(HttpContext context, DateTimeOffset? after) =>
        TypedResults.Ok(context.Console().Stack.Events.Past().Where(e => after is null || e.At > after).ToArray());

    private static async Task<IResult> RunAsync(HttpContext context, string app, Func<Supervision.Stack, Task> act)
    {
        var system = context.Console();
        if (system.File.Apps.All(a => a.AppId != app))
            throw ConsoleProblem.NotFound($"There is no app {app}; there are {string.Join(", ", system.File.Apps.Select(a => a.AppId))}.");
        system.Acted(app, context.Request.Path.Value!.Split('/')[^1], context.User());
        await act(system.Stack);
        return TypedResults.NoContent();
    }
}

/// <summary>A page that anybody may load: it holds no data, and asks for the sign-in itself.</summary>
internal sealed record OpenToPages;
