using System.Globalization;
using DaprPlatform.Cli.RunFiles;
using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Cli.DaprEngine;

/// <summary>Copies of resource folders whose components name other servers; everything else in them is as it was.</summary>
internal static class Resources
{
    private const string MailType = "bindings.smtp";

    public static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(folder).Where(f => Path.GetExtension(f) is ".yaml" or ".yml").Order(StringComparer.Ordinal);

    /// <param name="folder">What is copied.</param>
    /// <param name="to">Made anew.</param>
    /// <param name="servers">Those whose addresses replace what the components say.</param>
    /// <param name="portOffset">Added to the ports of mail servers on this machine, which are apps of the stack.</param>
    public static void Copy(string folder, string to, IReadOnlyList<NeededServer> servers, int portOffset = 0)
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
            {
                Readdress(document, servers);
                Shift(document, portOffset);
            }

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

    /// <summary>The folders of an app's resources; of one whose mail server is shifted with the stack, a copy that says so.</summary>
    /// <param name="app">Whose.</param>
    /// <param name="to">Where copies are made.</param>
    public static IReadOnlyList<string> Shifted(RunApp app, string to) =>
        app.PortOffset == 0
            ? app.ResourcesPaths
            : [.. app.ResourcesPaths.Select((folder, i) =>
            {
                if (!Directory.Exists(folder) || !Files(folder).Any(f => File.ReadAllText(f).Contains(MailType, StringComparison.Ordinal)))
                    return folder;
                var copy = Path.Combine(to, string.Create(CultureInfo.InvariantCulture, $"{app.AppId}-{i}"));
                Copy(folder, copy, [], app.PortOffset);
                return copy;
            })];

    private static void Shift(YamlMappingNode component, int offset)
    {
        if (offset == 0 || !component.Children.TryGetValue("spec", out var node) || node is not YamlMappingNode spec || Text(spec, "type") != MailType
            || !spec.Children.TryGetValue("metadata", out var list) || list is not YamlSequenceNode items)
            return;
        var fields = items.OfType<YamlMappingNode>().ToDictionary(i => Text(i, "name") ?? "", StringComparer.Ordinal);
        if (fields.TryGetValue("host", out var host) && Text(host, "value") is "localhost" or "127.0.0.1" && fields.TryGetValue("port", out var port)
            && int.TryParse(Text(port, "value"), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            port.Children["value"] = new YamlScalarNode((number + offset).ToString(CultureInfo.InvariantCulture)) { Style = YamlDotNet.Core.ScalarStyle.DoubleQuoted };
    }

    private static string? Text(YamlMappingNode node, string key) => node.Children.TryGetValue(key, out var value) ? (value as YamlScalarNode)?.Value : null;
}
