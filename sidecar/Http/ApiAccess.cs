using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// Configuration's <c>spec.api</c>: which groups of endpoints are served (https://docs.dapr.io/operations/configuration/api-allowlist/). A rule counts for its own
/// protocol only; what is denied stays so even where it is allowed as well; health is always served.
/// </summary>
internal sealed class ApiAccess
{
    private readonly Rules _http;
    private readonly Rules _grpc;

    private ApiAccess(Rules http, Rules grpc) => (_http, _grpc) = (http, grpc);

    public static ApiAccess Everything { get; } = new(new Rules([], []), new Rules([], []));

    public static ApiAccess Create(JsonObject configuration)
    {
        if (configuration.Object("api") is not { } api)
            return Everything;
        return new ApiAccess(Of("http"), Of("grpc"));

        Rules Of(string protocol) => new(List("allowed", protocol), List("denied", protocol));

        HashSet<string> List(string name, string protocol) =>
            [.. (api.Array(name) ?? []).OfType<JsonObject>().Where(r => string.Equals(r.Text("protocol"), protocol, StringComparison.OrdinalIgnoreCase)).Select(Key)];
    }

    /// <param name="version">As in the path, such as <c>v1.0-alpha1</c>.</param>
    public bool AllowsHttp(string group, string version) => group == "healthz" || _http.Allow(group, version);

    /// <param name="version">Such as <c>v1</c> or <c>v1alpha1</c>.</param>
    public bool AllowsGrpc(string group, string version) => _grpc.Allow(group, version);

    private static string Key(JsonObject rule)
    {
        var (name, version) = (rule.Text("name") ?? "", rule.Text("version") ?? "");
        // The older form has the version in the name: v1.0/state.
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && name[0] == 'v' ? Key(name[(slash + 1)..], name[..slash]) : Key(name, version);
    }

    private static string Key(string group, string version) => $"{group.ToLowerInvariant()}/{version.ToLowerInvariant().Replace(".0", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal)}";

    private sealed class Rules(HashSet<string> allowed, HashSet<string> denied)
    {
        public bool Allow(string group, string version)
        {
            if (allowed.Count == 0 && denied.Count == 0)
                return true;
            var key = Key(group, version);
            return !denied.Contains(key) && (allowed.Count == 0 || allowed.Contains(key));
        }
    }
}
