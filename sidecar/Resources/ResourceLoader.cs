using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Sidecar.Resources;

/// <summary>
/// Reads Dapr resources from YAML, as daprd does standalone: every <c>*.yaml</c>/<c>*.yml</c> of a folder (not below it), several documents a file, other
/// kinds ignored; a malformed file, another apiVersion or a missing name is logged and skipped. A folder that does not exist is fatal.
/// </summary>
internal sealed partial class ResourceLoader(ILogger<ResourceLoader> logger)
{
    private const int DeepestNesting = 100;
    private const int MostNodes = 200_000;

    /// <summary>Files that could not be read as YAML.</summary>
    public HashSet<string> Malformed { get; } = new(StringComparer.Ordinal);

    /// <summary>All resources of the folders that this app may use, in file-name order.</summary>
    /// <exception cref="ResourceException">A folder does not exist.</exception>
    public IReadOnlyList<Resource> Load(IEnumerable<string> folders, string appId, string? @namespace)
    {
        var all = new List<Resource>();
        foreach (var folder in folders)
        {
            if (!Directory.Exists(folder))
                throw new ResourceException($"failed to create watcher: failed to add target {folder}: no such file or directory");
            foreach (var file in Directory.EnumerateFiles(folder).Where(IsYaml).Order(StringComparer.Ordinal))
                all.AddRange(LoadFile(file));
        }

        return [.. all.Where(r => r.Scopes is [] || r.Scopes.Contains(appId)).Where(r => @namespace is null || r.Namespace is "" || r.Namespace == @namespace)];
    }

    /// <summary>The documents of one file that are Dapr resources.</summary>
    /// <exception cref="ResourceException">The file is malformed and <paramref name="required"/>.</exception>
    public IReadOnlyList<Resource> LoadFile(string file, bool required = false)
    {
        List<(JsonNode? Json, long Line)> documents;
        try
        {
            documents = Read(File.ReadAllText(file));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The parser has other words than its own exception for some of what is malformed.
            var reason = e is YamlException y ? $"line {y.Start.Line}: {y.Message}" : e.Message;
            if (required)
                throw new ResourceException($"error loading configuration: {file}: {reason}");
            LogMalformed(file, reason);
            Malformed.Add(file);
            return [];
        }

        var resources = new List<Resource>();
        foreach (var (document, line) in documents)
        {
            if (document is not JsonObject json || json.Text("kind") is not { Length: > 0 } kind)
                continue;
            var version = json.Text("apiVersion") ?? "";
            var name = json.Object("metadata")?.Text("name") ?? "";
            if (!version.StartsWith("dapr.io/", StringComparison.Ordinal) || name.Length == 0)
            {
                LogSkipped(kind, name, file);
                continue;
            }

            resources.Add(new Resource(version, kind, name, json.Object("metadata")?.Text("namespace") ?? "", json, file, (int)line));
        }

        return resources;
    }

    /// <summary>A YAML node as JSON; plain scalars get the type YAML gives them, quoted ones stay text.</summary>
    /// <exception cref="YamlException">It is too large, or refers to itself.</exception>
    public static JsonNode? ToJson(YamlNode node)
    {
        var left = MostNodes;
        return ToJson(node, 0, ref left);
    }

    // References can make a small text large, and nesting without end would end the process: both are looked at first.
    private static List<(JsonNode? Json, long Line)> Read(string text)
    {
        var depth = 0;
        for (var parser = new Parser(new StringReader(text)); parser.MoveNext();)
        {
            depth += parser.Current!.NestingIncrease;
            if (depth > DeepestNesting)
                throw new YamlException(parser.Current.Start, parser.Current.End, "it is nested too deeply");
        }

        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return [.. stream.Documents.Select(d => (ToJson(d.RootNode), d.RootNode.Start.Line))];
    }

    private static JsonNode? ToJson(YamlNode node, int depth, ref int left)
    {
        if (--left < 0 || depth > DeepestNesting)
            throw new YamlException(node.Start, node.End, "it is too large or refers to itself");
        switch (node)
        {
            case YamlMappingNode mapping:
                var json = new JsonObject();
                foreach (var (key, value) in mapping.Children)
                    json[(key as YamlScalarNode)?.Value ?? throw new YamlException(key.Start, key.End, "a name must be a text")] = ToJson(value, depth + 1, ref left);
                return json;
            case YamlSequenceNode sequence:
                var array = new JsonArray();
                foreach (var child in sequence.Children)
                    array.Add(ToJson(child, depth + 1, ref left));
                return array;
            case YamlScalarNode { Style: ScalarStyle.Plain } scalar:
                return Plain(scalar.Value ?? "");
            case YamlScalarNode scalar:
                return JsonValue.Create(scalar.Value ?? "");
            default:
                return null;
        }
    }

    private static JsonNode? Plain(string text)
    {
        if (text is "" or "~" or "null" or "Null" or "NULL")
            return null;
        if (text is "true" or "True" or "TRUE")
            return JsonValue.Create(true);
        if (text is "false" or "False" or "FALSE")
            return JsonValue.Create(false);
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) && text is not ['0', _, ..])
            return JsonValue.Create(whole);
        if (char.IsAsciiDigit(text[^1]) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number))
            return JsonValue.Create(number);
        return JsonValue.Create(text);
    }

    private static bool IsYaml(string file) => Path.GetExtension(file).ToLowerInvariant() is ".yaml" or ".yml";

    [LoggerMessage(Level = LogLevel.Warning, Message = "daprd load resources error when parsing manifest yaml resource {File}: {Reason}")]
    private partial void LogMalformed(string file, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "skipping {Kind} \"{Name}\" in {File}: not a named resource of apiVersion dapr.io")]
    private partial void LogSkipped(string kind, string name, string file);
}

/// <summary>Resources cannot be loaded; the sidecar exits with 1.</summary>
internal sealed class ResourceException(string message) : Exception(message);
