using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole.Metrics;

internal static class MetricsApi
{
    public static void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/metrics/charts", Charts).RequireRole(ConsoleRole.Viewer).WithName("listCharts").WithTags("Metrics").Produces<Chart[]>().ProducesProblem(400)
            .WithSummary("The last minutes as charts; a value every five seconds, and a gap where an app did not answer.");
        api.MapGet("/business", BusinessAsync).RequireRole(ConsoleRole.Viewer).WithName("getBusiness").WithTags("Metrics").Produces<BusinessFigures>().ProducesProblem(503)
            .WithSummary("Orders, revenue and stock, read from the databases; at most ten seconds old.");
    }

    private static IResult Charts(HttpContext context, int? minutes)
    {
        var longest = (int)ChartBook.Kept.TotalMinutes;
        if (minutes is < 1 || minutes > longest)
            throw ConsoleProblem.BadRequest($"minutes is 1 to {longest}.");
        return TypedResults.Ok(context.Console().Charts.Read(context.Console().Time.GetUtcNow() - TimeSpan.FromMinutes(minutes ?? longest)));
    }

    private static async Task<IResult> BusinessAsync(HttpContext context, CancellationToken cancel) => TypedResults.Ok(await context.Console().Business.ReadAsync(cancel));
}
