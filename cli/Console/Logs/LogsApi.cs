using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole.Logs;

internal static class LogsApi
{
    public static void Map(IEndpointRouteBuilder api) =>
        api.MapGet("/logs", List).RequireRole(ConsoleRole.Viewer).WithName("listLogs").WithTags("Logs").Produces<Page<LogLine>>().ProducesProblem(400)
            .WithSummary("What everything wrote, the newest last; next leads back. A page can have fewer lines than asked for and a next one all the same: it ends where the search has read enough.");

    private static IResult List(HttpContext context, string[]? app, string? source, string? level, string? text, string? trace, string? before, string? after, int? limit)
    {
        var most = Page<LogLine>.Limit(limit);
        var query = context.Request.Query.ToDictionary(q => q.Key, q => (IReadOnlyList<string>)[.. q.Value.OfType<string>()], StringComparer.Ordinal);
        var filter = LogFilter.Parse(new StreamFilter(query));
        if (after is not null)
            filter = filter with { After = DateTimeOffset.TryParse(after, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : throw ConsoleProblem.BadRequest("after is a time.") };
        return TypedResults.Ok(context.Console().Logs.Read(filter, before, most));
    }
}
