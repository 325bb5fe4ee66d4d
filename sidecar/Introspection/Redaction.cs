using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace DaprPlatform.Sidecar.Introspection;

/// <summary>Keeps secrets out of what is shown: by the name of the value, and by forms that carry a secret inside another value.</summary>
internal static partial class Redaction
{
    public const string Hidden = "***";

    private static readonly string[] Words = ["password", "passwd", "pwd", "passphrase", "token", "secret", "credential", "connectionstring", "apikey", "accesskey", "privatekey", "authorization"];

    // They only say where secrets are.
    private static readonly string[] Harmless = ["secretsFile", "secretStore", "secretStoreName"];

    /// <summary>A value of this name is a secret.</summary>
    public static bool IsSecret(string name)
    {
        if (Harmless.Contains(name, StringComparer.OrdinalIgnoreCase))
            return false;
        var letters = name.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal);
        return Words.Any(w => letters.Contains(w, StringComparison.OrdinalIgnoreCase)) || letters.EndsWith("key", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The value of a name as it may be shown. An empty one is no secret.</summary>
    public static string Shown(string name, string value) => value.Length > 0 && IsSecret(name) ? Hidden : Text(value);

    /// <summary>Without the passwords of addresses and connection strings.</summary>
    public static string Text(string value) => Pair().Replace(UserInfo().Replace(value, "://" + Hidden + "@"), "$1=" + Hidden);

    /// <summary>The same document with every secret in it hidden.</summary>
    public static JsonNode? Document(JsonNode? node) => node switch
    {
        JsonObject members => Object(members),
        JsonArray items => new JsonArray([.. items.Select(Document)]),
        JsonValue value when value.TryGetValue<string>(out var text) => JsonValue.Create(Text(text)),
        _ => node?.DeepClone(),
    };

    private static JsonObject Object(JsonObject members)
    {
        var shown = new JsonObject();
        foreach (var (name, value) in members)
            shown[name] = value is JsonValue text && IsSecret(name) && text.ToString().Length > 0 ? JsonValue.Create(Hidden) : Document(value);
        return shown;
    }

    [GeneratedRegex("://[^/?#\\s@]*@")]
    private static partial Regex UserInfo();

    [GeneratedRegex("(?i)\\b(password|passwd|pwd|secret|token|accountkey|sharedaccesskey)\\s*=\\s*[^;&\\s]+")]
    private static partial Regex Pair();
}
