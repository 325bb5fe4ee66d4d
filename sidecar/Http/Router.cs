using System.Diagnostics.CodeAnalysis;

namespace DaprPlatform.Sidecar.Http;

/// <summary>Answers one API request. An <see cref="ApiException"/> becomes Dapr's error body.</summary>
internal delegate Task ApiHandler(ApiContext context);

/// <summary>
/// Routes of the HTTP API, matched as daprd matches them: the path is cleaned first (<c>//</c> collapses, a trailing slash counts only where nothing
/// matches without it), literals win over parameters, parameters are unescaped after the match (<c>%20</c> and <c>+</c> are spaces), and a final
/// <c>{*name}</c> takes the rest of the path. What no route takes is service invocation's.
/// </summary>
internal sealed class Router
{
    private readonly Node _root = new();

    /// <summary>Which routes are served at all; set before routes are added.</summary>
    public ApiAccess Access { get; set; } = ApiAccess.Everything;

    /// <summary>Adds a route.</summary>
    /// <param name="group">Endpoint group of Configuration's <c>spec.api</c>, such as <c>state</c>.</param>
    /// <param name="version">As in the path, such as <c>v1.0</c>.</param>
    /// <param name="methods">HTTP verbs, comma separated; <c>*</c> is any.</param>
    /// <param name="pattern">Path below the version, such as <c>state/{store}/{key}</c>.</param>
    public void Map(string group, string version, string methods, string pattern, ApiHandler handler)
    {
        if (!Access.AllowsHttp(group, version))
            return;
        var node = _root;
        var names = new List<string>();
        foreach (var segment in $"{version}/{pattern}".Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (segment.StartsWith("{*", StringComparison.Ordinal))
            {
                names.Add(segment[2..^1]);
                node = node.Rest ??= new Node();
            }
            else if (segment[0] == '{')
            {
                names.Add(segment[1..^1]);
                node = node.Parameter ??= new Node();
            }
            else
            {
                if (!node.Literals.TryGetValue(segment, out var child))
                    node.Literals[segment] = child = new Node();
                node = child;
            }
        }

        var route = new Route(group, version, $"/{version}/{pattern}", [.. names], handler);
        foreach (var method in methods.Split(','))
        {
            if (!node.Routes.TryAdd(method, route))
                throw new InvalidOperationException($"two handlers for {method} /{version}/{pattern}");
        }
    }

    /// <summary>Finds the route of a raw path (still percent-encoded, without query).</summary>
    public bool TryMatch(string method, string rawPath, [NotNullWhen(true)] out Route? route, out string[] values)
    {
        var segments = rawPath.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var taken = new List<string>(4);
        route = Find(_root, segments, 0, method, taken);
        values = route is null ? [] : [.. taken.Select(Uri.UnescapeDataString)];
        return route is not null;
    }

    private static Route? Find(Node node, string[] segments, int at, string method, List<string> taken)
    {
        if (at == segments.Length)
            return node.Routes.GetValueOrDefault(method) ?? node.Routes.GetValueOrDefault("*");
        if (node.Literals.TryGetValue(segments[at], out var child) && Find(child, segments, at + 1, method, taken) is { } literal)
            return literal;
        var mark = taken.Count;
        if (node.Parameter is not null)
        {
            taken.Add(segments[at].Replace('+', ' '));
            if (Find(node.Parameter, segments, at + 1, method, taken) is { } parameter)
                return parameter;
            taken.RemoveRange(mark, taken.Count - mark);
        }

        if (node.Rest is { } rest && (rest.Routes.GetValueOrDefault(method) ?? rest.Routes.GetValueOrDefault("*")) is { } wildcard)
        {
            taken.Add(string.Join('/', segments[at..]).Replace('+', ' '));
            return wildcard;
        }

        return null;
    }

    internal sealed record Route(string Group, string Version, string Pattern, string[] Names, ApiHandler Handler);

    private sealed class Node
    {
        public Dictionary<string, Node> Literals { get; } = new(StringComparer.Ordinal);

        public Node? Parameter { get; set; }

        public Node? Rest { get; set; }

        public Dictionary<string, Route> Routes { get; } = new(StringComparer.Ordinal);
    }
}
