using System.Text.Json.Nodes;

namespace DaprPlatform.Sidecar.Resources;

/// <summary>One document of a resource file, as read: names are matched without regard to case.</summary>
/// <param name="Kind">As written, such as <c>Component</c>.</param>
/// <param name="File">The file it came from.</param>
/// <param name="Line">Line of the document's first node, from 1.</param>
internal sealed record Resource(string ApiVersion, string Kind, string Name, string Namespace, JsonObject Document, string File, int Line)
{
    public JsonObject Spec => Document.Object("spec") ?? [];

    /// <summary>App ids that may use it; empty is all.</summary>
    public IReadOnlyList<string> Scopes => [.. (Document.Array("scopes") ?? []).Select(s => s.Text()).OfType<string>()];
}

/// <summary>Reading JSON without regard to the case of names, as Go does.</summary>
internal static class JsonReading
{
    public static JsonNode? Member(this JsonObject json, string name)
    {
        if (json.TryGetPropertyValue(name, out var exact))
            return exact;
        foreach (var (key, value) in json)
        {
            if (string.Equals(key, name, StringComparison.OrdinalIgnoreCase))
                return value;
        }

        return null;
    }

    public static JsonObject? Object(this JsonObject json, string name) => json.Member(name) as JsonObject;

    public static JsonArray? Array(this JsonObject json, string name) => json.Member(name) as JsonArray;

    public static string? Text(this JsonObject json, string name) => json.Member(name).Text();

    /// <summary>A scalar as text: numbers and booleans as they are written in JSON; null for none, objects and arrays.</summary>
    public static string? Text(this JsonNode? node) => node switch
    {
        JsonValue value when value.TryGetValue<string>(out var text) => text,
        JsonValue value => value.ToJsonString(),
        _ => null,
    };

    public static bool? Flag(this JsonObject json, string name) => json.Member(name).Text() switch
    {
        "true" => true,
        "false" => false,
        _ => null,
    };

    public static int? Number(this JsonObject json, string name) => int.TryParse(json.Member(name).Text(), out var number) ? number : null;

    /// <summary>A map of scalars; empty when absent.</summary>
    public static Dictionary<string, string> Map(this JsonObject json, string name)
    {
        var map = new Dictionary<string, string>();
        foreach (var (key, value) in json.Object(name) ?? [])
            map[key] = value.Text() ?? "";
        return map;
    }
}
