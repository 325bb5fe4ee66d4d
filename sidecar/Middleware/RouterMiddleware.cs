using System.Text.Json;
using System.Text.RegularExpressions;
using DaprPlatform.Sidecar.Components;
using Microsoft.AspNetCore.WebUtilities;

namespace DaprPlatform.Sidecar.Middleware;

/// <summary>
/// Other paths for API routes: <c>routes</c> is a JSON object of path → route, or each metadata item is one. A path may hold <c>{variables}</c>; their values are
/// added to the query.
/// </summary>
internal sealed class RouterAliasMiddleware(ComponentSpec spec) : HttpMiddleware
{
    private readonly List<(string[] Pattern, string Target)> _routes = [];

    public override Task InitAsync(CancellationToken cancellationToken)
    {
        foreach (var (name, value) in spec.Metadata)
        {
            if (!name.Equals("routes", StringComparison.OrdinalIgnoreCase))
            {
                if (name is ['/', ..])
                    Add(name, value);
                continue;
            }

            try
            {
                foreach (var (path, target) in JsonSerializer.Deserialize<Dictionary<string, string>>(value) ?? [])
                    Add(path, target);
            }
            catch (JsonException e)
            {
                throw new ComponentException($"failed to parse routes: {e.Message}", e);
            }
        }

        return Task.CompletedTask;
    }

    public override ValueTask<MiddlewareRefusal?> HandleAsync(MiddlewareRequest request, CancellationToken cancellationToken)
    {
        var segments = request.Path.Split('/');
        foreach (var (pattern, target) in _routes)
        {
            if (Match(pattern, segments) is not { } variables)
                continue;
            request.Redirect(target, variables.Count == 0 ? request.Query : WithVariables(request.Query, variables));
            break;
        }

        return ValueTask.FromResult<MiddlewareRefusal?>(null);
    }

    private void Add(string path, string target) => _routes.Add((path.Split('/'), target));

    private static Dictionary<string, string>? Match(string[] pattern, string[] segments)
    {
        if (pattern.Length != segments.Length)
            return null;
        var variables = new Dictionary<string, string>();
        for (var i = 0; i < pattern.Length; i++)
        {
            if (pattern[i] is ['{', .. var name, '}'] && segments[i].Length > 0)
                variables[name] = Uri.UnescapeDataString(segments[i]);
            else if (pattern[i] != segments[i])
                return null;
        }

        return variables;
    }

    private static string WithVariables(string query, Dictionary<string, string> variables)
    {
        var all = QueryHelpers.ParseQuery(query);
        foreach (var (name, value) in variables)
            all[name] = value;
        return string.Join('&', all.OrderBy(p => p.Key, StringComparer.Ordinal).SelectMany(p => p.Value.Select(v => $"{Uri.EscapeDataString(p.Key)}={Uri.EscapeDataString(v ?? "")}")));
    }
}

/// <summary>Lets only paths through that a regular expression (<c>rule</c>) matches.</summary>
internal sealed class RouterCheckerMiddleware(ComponentSpec spec) : HttpMiddleware
{
    private static readonly MiddlewareRefusal Refusal = new(400, "invalid router");
    private Regex? _rule;

    public override Task InitAsync(CancellationToken cancellationToken)
    {
        try
        {
            // As Go's: in linear time, without what would need to look back. Go names groups with a P.
            _rule = new Regex((spec.Value("rule") ?? "").Replace("(?P<", "(?<", StringComparison.Ordinal), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ComponentException($"invalid rule: {e.Message}", e);
        }

        return Task.CompletedTask;
    }

    public override ValueTask<MiddlewareRefusal?> HandleAsync(MiddlewareRequest request, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_rule!.IsMatch(Uri.UnescapeDataString(request.Path)) ? null : Refusal);
}
