using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Secrets;

/// <summary>Which secrets the app may have: Configuration's <c>secrets.scopes</c>. A store without a scope is open.</summary>
internal sealed class SecretScopes
{
    private readonly Dictionary<string, (bool Allow, HashSet<string> Allowed, HashSet<string> Denied)> _scopes = new(StringComparer.Ordinal);

    /// <param name="configuration">spec of the Configuration.</param>
    public SecretScopes(JsonObject configuration)
    {
        foreach (var scope in (configuration.Object("secrets")?.Array("scopes") ?? []).OfType<JsonObject>())
        {
            var allow = !string.Equals(scope.Text("defaultAccess"), "deny", StringComparison.OrdinalIgnoreCase);
            _scopes[scope.Text("storeName") ?? ""] = (allow, Names(scope, "allowedSecrets"), Names(scope, "deniedSecrets"));
        }
    }

    /// <summary>A list of allowed secrets decides alone; then a denied one is refused; then the default counts.</summary>
    public bool Allows(string store, string secret)
    {
        if (!_scopes.TryGetValue(store, out var scope))
            return true;
        return scope.Allowed.Count > 0 ? scope.Allowed.Contains(secret) : scope.Allow && !scope.Denied.Contains(secret);
    }

    private static HashSet<string> Names(JsonObject scope, string list) => [.. (scope.Array(list) ?? []).Select(n => n.Text()).OfType<string>()];
}
