using System.Globalization;
using System.Net;
using System.Text;
using DaprPlatform.Cli.Control;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>The status for a browser: the console's page, or, where that was not built, a page of tables.</summary>
internal static class StatusPage
{
    private const double BytesPerMegabyte = 1024 * 1024;

    public static Task WriteAsync(HttpContext context)
    {
        var system = context.Console();
        if (system.Pages.IsBuilt)
            return system.Pages.SendEntryAsync(context);
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.WriteAsync(Render(system.Status()), context.RequestAborted);
    }

    internal static string Render(StackStatus status)
    {
        var page = new StringBuilder(4096);
        page.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Status</title></head><body><h1>Status</h1><p>")
            .Append(status.Healthy ? "Everything serves." : "Not everything serves.").Append("</p><table><caption>Apps</caption><thead><tr>");
        foreach (var head in (string[])["App", "State", "Sidecar", "Restarts", "Memory", "URL", "Swagger UI", "What went wrong last"])
            page.Append("<th scope=\"col\">").Append(head).Append("</th>");
        page.Append("</tr></thead><tbody>");
        foreach (var app in status.Apps)
        {
            page.Append("<tr><th scope=\"row\">").Append(Text(app.App)).Append("</th>");
            Cell(app.State.ToString().ToLowerInvariant());
            Cell(app.SidecarHealthy ? "healthy" : "not healthy");
            Cell(app.Restarts.ToString(CultureInfo.InvariantCulture));
            Cell(string.Create(CultureInfo.InvariantCulture, $"{app.ResidentBytes / BytesPerMegabyte:F0} MB"));
            Link(app.Url);
            Link(app.SwaggerUrl);
            Cell(app.Note ?? "");
            page.Append("</tr>");
        }

        page.Append("</tbody></table>");
        if (status.Postgres is { } postgres)
            page.Append(CultureInfo.InvariantCulture, $"<p>PostgreSQL {Text(postgres.Version)} on port {postgres.Port}: {postgres.State.ToString().ToLowerInvariant()}</p>");
        return page.Append("</body></html>").ToString();

        void Cell(string text) => page.Append("<td>").Append(Text(text)).Append("</td>");

        void Link(string? url) => page.Append("<td>").Append(url is null ? "" : $"<a href=\"{Text(url)}\">{Text(url)}</a>").Append("</td>");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
