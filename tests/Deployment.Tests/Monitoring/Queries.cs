using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Deployment.Tests.Monitoring;

/// <summary>A query of a dashboard or a rule.</summary>
/// <param name="Where">File and panel or rule.</param>
/// <param name="Expression">PromQL; ranges that Grafana fills in are still named.</param>
internal sealed partial record Query(string Where, string Expression)
{
    private static readonly HashSet<string> Words =
        ["and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "inf", "nan"];

    /// <summary>Metrics it reads.</summary>
    public IEnumerable<string> Metrics =>
        Name().Matches(Bare()).Where(m => !Words.Contains(m.Value.ToLowerInvariant())).Select(m => m.Value).Distinct(StringComparer.Ordinal);

    /// <summary>Labels it selects or groups by.</summary>
    public IEnumerable<string> Labels =>
        Selector().Matches(Expression).SelectMany(m => LabelOfSelector().Matches(m.Value).Select(l => l.Groups[1].Value))
            .Concat(Grouping().Matches(Unselected()).SelectMany(m => m.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)))
            .Distinct(StringComparer.Ordinal);

    /// <summary>Every query below monitoring/: panels, annotations, recording and alerting rules.</summary>
    public static IReadOnlyList<Query> All(string root)
    {
        var queries = new List<Query>();
        foreach (var file in Directory.GetFiles(Path.Combine(root, "monitoring", "grafana", "dashboards"), "*.json").Order(StringComparer.Ordinal))
        {
            foreach (var panel in JsonNode.Parse(File.ReadAllText(file))!["panels"]!.AsArray())
                queries.AddRange(panel!["targets"]!.AsArray().Select(t => new Query($"{Path.GetFileName(file)}: {panel["title"]}", (string)t!["expr"]!)));
        }

        queries.AddRange(Rules(root).Select(r => new Query(r.Where, r.Expression)));
        return queries;
    }

    /// <summary>Recording rules by their records, alerting rules by their alerts.</summary>
    public static IReadOnlyList<Rule> Rules(string root)
    {
        var rules = new List<Rule>();
        foreach (var file in Directory.GetFiles(Path.Combine(root, "monitoring", "prometheus", "rules"), "*.yml").Order(StringComparer.Ordinal))
        {
            var yaml = new YamlStream();
            using (var reader = File.OpenText(file))
                yaml.Load(reader);
            foreach (var rule in ((YamlSequenceNode)yaml.Documents[0].RootNode["groups"]).SelectMany(g => (YamlSequenceNode)g["rules"]).Cast<YamlMappingNode>())
                rules.Add(new Rule($"{Path.GetFileName(file)}", Text(rule, "record"), Text(rule, "alert"), Text(rule, "expr")!, rule));
        }

        return rules;
    }

    internal static string? Text(YamlMappingNode node, string key) =>
        node.Children.TryGetValue(new YamlScalarNode(key), out var value) ? ((YamlScalarNode)value).Value : null;

    private string Unselected() => Strings().Replace(Selector().Replace(Expression, ""), "");

    // What is left are names of metrics, functions (followed by a bracket, dropped by the pattern) and words.
    private string Bare() => Number().Replace(Grouping().Replace(Range().Replace(Unselected(), ""), ""), "");

    [GeneratedRegex("""\{(?:[^{}"]|"(?:\\.|[^"\\])*")*\}""")]
    private static partial Regex Selector();

    [GeneratedRegex("""([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*"(?:\\.|[^"\\])*"?""")]
    private static partial Regex LabelOfSelector();

    [GeneratedRegex("""
        "(?:\\.|[^"\\])*"
        """)]
    private static partial Regex Strings();

    [GeneratedRegex(@"\[[^\]]*\]")]
    private static partial Regex Range();

    [GeneratedRegex(@"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"\b\d[\w.]*")]
    private static partial Regex Number();

    [GeneratedRegex(@"(?<![\w:])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()")]
    private static partial Regex Name();
}

/// <summary>A recording or an alerting rule.</summary>
internal sealed record Rule(string File, string? Record, string? Alert, string Expression, YamlMappingNode Node)
{
    public string Where => $"{File}: {Record ?? Alert}";
}
