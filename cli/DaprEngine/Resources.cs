using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Cli.DaprEngine;

/// <summary>Copies of resource folders whose components name other servers; everything else in them is as it was.</summary>
internal static class Resources
{
    public static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(folder).Where(f => Path.GetExtension(f) is ".yaml" or ".yml").Order(StringComparer.Ordinal);

    /// <param name="folder">What is copied.</param>
    /// <param name="to">Made anew.</param>
    /// <param name="servers">Those whose addresses replace what the components say.</param>
    public static void Copy(string folder, string to, IReadOnlyList<NeededServer> servers)
    {
        if (Directory.Exists(to))
            Directory.Delete(to, recursive: true);
        Directory.CreateDirectory(to);
        foreach (var file in Files(folder))
        {
            var yaml = new YamlStream();
            using (var reader = File.OpenText(file))
                yaml.Load(reader);
            foreach (var document in yaml.Documents.Select(d => d.RootNode).OfType<YamlMappingNode>().Where(d => Text(d, "kind") == "Component"))
                Readdress(document, servers);
            using var writer = File.CreateText(Path.Combine(to, Path.GetFileName(file)));
            yaml.Save(writer, assignAnchors: false);
        }
    }

    private static void Readdress(YamlMappingNode component, IReadOnlyList<NeededServer> servers)
    {
        if (!component.Children.TryGetValue("spec", out var node) || node is not YamlMappingNode spec || !spec.Children.TryGetValue("metadata", out var list) || list is not YamlSequenceNode items)
            return;
        var type = Text(spec, "type") ?? "";
        foreach (var server in servers.Where(s => type.EndsWith(s.Kind.TypeSuffix, StringComparison.Ordinal)))
        {
            foreach (var item in items.OfType<YamlMappingNode>().Where(i => Text(i, "name") == server.Kind.Field))
                item.Children["value"] = new YamlScalarNode(server.Address) { Style = YamlDotNet.Core.ScalarStyle.DoubleQuoted };
        }
    }

    private static string? Text(YamlMappingNode node, string key) => node.Children.TryGetValue(key, out var value) ? (value as YamlScalarNode)?.Value : null;
}
