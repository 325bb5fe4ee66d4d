using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// --allowed-origins: browsers of these origins may call the API. An origin may hold one <c>*</c>; a request of another origin is served all the same, as it is
/// the browser that keeps the answer back.
/// </summary>
internal sealed class CorsPolicy
{
    private static readonly HashSet<string> Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    private readonly string[] _origins;

    private CorsPolicy(string[] origins) => _origins = origins;

    /// <summary>Null where CORS is off.</summary>
    public static CorsPolicy? Create(string allowed)
    {
        var origins = allowed.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return origins.Length == 0 ? null : new CorsPolicy(origins);
    }

    /// <summary>Adds the headers; answers a preflight and returns true then.</summary>
    public bool Answer(HttpContext http)
    {
        var request = http.Request;
        var headers = http.Response.Headers;
        var origin = request.Headers.Origin.ToString();
        var wanted = request.Headers.AccessControlRequestMethod.ToString();
        if (request.Method != "OPTIONS" || wanted.Length == 0)
        {
            headers.Vary = "Origin";
            if (Allows(origin))
                headers.AccessControlAllowOrigin = Shown(origin);
            return false;
        }

        headers.Vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        http.Response.StatusCode = StatusCodes.Status200OK;
        http.Response.ContentLength = 0;
        if (!Allows(origin) || !Methods.Contains(wanted.ToUpperInvariant()))
            return true;
        headers.AccessControlAllowOrigin = Shown(origin);
        headers.AccessControlAllowMethods = wanted.ToUpperInvariant();
        var asked = request.Headers.AccessControlRequestHeaders.ToString().Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (asked.Length > 0)
            headers.AccessControlAllowHeaders = new StringValues(string.Join(", ", asked.Select(Canonical)));
        return true;
    }

    private bool Allows(string origin) => origin.Length > 0 && _origins.Any(o => Matches(o, origin));

    private StringValues Shown(string origin) => _origins.Contains("*") ? "*" : origin;

    private static bool Matches(string pattern, string origin)
    {
        var star = pattern.IndexOf('*', StringComparison.Ordinal);
        return star < 0
            ? string.Equals(pattern, origin, StringComparison.OrdinalIgnoreCase)
            : origin.Length >= pattern.Length - 1 && origin.StartsWith(pattern[..star], StringComparison.OrdinalIgnoreCase) && origin.EndsWith(pattern[(star + 1)..], StringComparison.OrdinalIgnoreCase);
    }

    // dapr-api-token → Dapr-Api-Token
    private static string Canonical(string header) => CultureInfo.InvariantCulture.TextInfo.ToTitleCase(header.ToLowerInvariant());
}
