using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Cli.Kubernetes;

/// <summary>One Kubernetes document.</summary>
internal sealed record Document(JsonObject Content)
{
    public string Kind => (string?)Content["kind"] ?? "";

    public string Name => (string?)Content["metadata"]?["name"] ?? "";

    public string ApiVersion => (string?)Content["apiVersion"] ?? "";

    public string Title => $"{Kind} {Name}";

    public JsonObject? Spec => Content["spec"] as JsonObject;

    /// <summary>The template of the pods it makes; null when it makes none.</summary>
    public JsonObject? PodTemplate => Kind switch
    {
        "Deployment" or "StatefulSet" or "DaemonSet" or "ReplicaSet" or "Job" => Spec?["template"] as JsonObject,
        "CronJob" => Spec?["jobTemplate"]?["spec"]?["template"] as JsonObject,
        "Pod" => Content,
        _ => null,
    };

    /// <exception cref="CommandException">The text is not YAML.</exception>
    public static IReadOnlyList<Document> Parse(string text, string where)
    {
        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            return [.. yaml.Documents.Select(d => Convert(d.RootNode)).OfType<JsonObject>().Select(o => new Document(o))];
        }
        catch (YamlException e)
        {
            throw new CommandException($"{where}, line {e.Start.Line}: {e.Message}", e);
        }
    }

    private static JsonNode? Convert(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(c => KeyValuePair.Create(((YamlScalarNode)c.Key).Value!, Convert(c.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Select(Convert)]),
        YamlScalarNode { Style: ScalarStyle.Plain } scalar => Plain(scalar.Value ?? ""),
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => null,
    };

    private static JsonNode? Plain(string text) => text switch
    {
        "" or "~" or "null" => null,
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && char.IsAsciiDigit(text[^1]) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };
}
