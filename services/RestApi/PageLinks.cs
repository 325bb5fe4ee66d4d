using System.Globalization;
using DaprPlatform.Contracts.Common;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;

namespace DaprPlatform.RestApi;

/// <summary>The neighbours of a page in the header <c>Link</c> (RFC 8288). Relative, because only the client knows by which name it came.</summary>
internal static class PageLinks
{
    public static void Write(HttpContext context, PageInfo page)
    {
        var links = new List<string>(4) { Link(context, "first", ("page", "1")) };
        if (page.Page > 0)
        {
            var last = Math.Max(1, (page.Total + page.Limit - 1) / page.Limit);
            if (page.Page > 1)
                links.Add(Link(context, "prev", ("page", Text(Math.Min(page.Page - 1, last)))));
            if (page.Page < last)
                links.Add(Link(context, "next", ("page", Text(page.Page + 1))));
            links.Add(Link(context, "last", ("page", Text(last))));
        }
        else if (page.NextCursor.Length > 0)
        {
            links.Add(Link(context, "next", ("cursor", page.NextCursor)));
        }
        context.Response.Headers.Link = string.Join(", ", links);
    }

    private static string Link(HttpContext context, string relation, (string Name, string Value) place)
    {
        var query = new QueryBuilder();
        foreach (var (name, values) in context.Request.Query)
            if (name is not ("page" or "cursor"))
                foreach (var value in values)
                    query.Add(name, value ?? "");
        query.Add(place.Name, place.Value);
        return $"<{context.Request.Path.ToUriComponent()}{query.ToQueryString()}>; rel=\"{relation}\"";
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
