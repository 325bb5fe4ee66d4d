using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole;

internal static class AuditApi
{
    public static void Map(IEndpointRouteBuilder api) =>
        api.MapGet("/audit", List).RequireRole(ConsoleRole.Viewer).WithName("listAudit").WithSummary("Changes that were made, the newest first.").WithTags("Audit");

    private static Ok<Page<AuditEntry>> List(HttpContext context, string? before, int? limit)
    {
        var most = Page<AuditEntry>.Limit(limit);
        long? from = before is null ? null : long.TryParse(before, CultureInfo.InvariantCulture, out var number) ? number : throw ConsoleProblem.BadRequest("before is a number that a page before gave.");
        var items = context.Console().Audit.Read(from, most);
        return TypedResults.Ok(new Page<AuditEntry>(items, items.Count == most && items[^1].Number > 1 ? items[^1].Number.ToString(CultureInfo.InvariantCulture) : null));
    }
}
