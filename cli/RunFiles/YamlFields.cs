using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Cli.RunFiles;

/// <summary>The fields of one mapping of a run file, read by type; what is wrong is collected with its line.</summary>
internal sealed class YamlFields
{
    private readonly Dictionary<string, (YamlScalarNode Key, YamlNode Value)> _fields = new(StringComparer.Ordinal);
    private readonly List<RunFileError> _errors;
    private readonly string _file;
    private readonly string _path;

    /// <param name="node">Null or an empty scalar has no fields.</param>
    /// <param name="known">The schema; any other field is an error.</param>
    /// <param name="path">Its place in the file, empty at the top.</param>
    /// <param name="file">Named in errors.</param>
    /// <param name="errors">Added to.</param>
    public YamlFields(YamlNode? node, IReadOnlyCollection<string> known, string path, string file, List<RunFileError> errors)
    {
        (_file, _path, _errors) = (file, path, errors);
        if (node is null or YamlScalarNode { Value: null or "" })
            return;
        if (node is not YamlMappingNode mapping)
        {
            errors.Add(new RunFileError(file, (int)node.Start.Line, path, "must be a mapping of fields"));
            return;
        }

        foreach (var (key, value) in mapping.Children)
        {
            if (key is not YamlScalarNode { Value: { } name } scalar)
                Error(key, "", "a field's name must be plain text");
            else if (!known.Contains(name))
                Error(key, name, Suggest(name, known) is { } close ? $"unknown field; did you mean {close}?" : "unknown field");
            else
                _fields.Add(name, (scalar, value));
        }
    }

    public YamlNode? Node(string name) => _fields.TryGetValue(name, out var field) ? field.Value : null;

    public Setting? Where(string name) => _fields.TryGetValue(name, out var field) ? new Setting(Path(name), (int)field.Key.Start.Line) : null;

    public string? Text(string name)
    {
        if (Node(name) is not { } node)
            return null;
        if (node is YamlScalarNode scalar)
            return IsNull(scalar) ? null : scalar.Value;
        Error(node, name, "must be text");
        return null;
    }

    /// <summary>Like <see cref="Text"/>, but a value that is there and empty is the empty text.</summary>
    public string? TextOrEmpty(string name) => Node(name) is YamlScalarNode { Value: "" } ? "" : Text(name);

    public int? Integer(string name, int minimum = int.MinValue, int maximum = int.MaxValue)
    {
        if (Text(name) is not { } text)
            return null;
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= minimum && number <= maximum)
            return number;
        Error(Node(name)!, name, maximum == int.MaxValue && minimum == int.MinValue ? $"must be a whole number, not '{text}'" : $"must be a whole number from {minimum} to {maximum}, not '{text}'");
        return null;
    }

    /// <summary>Zero and negative numbers mean "not set", as in the Dapr CLI.</summary>
    public ConfiguredPort? Port(string name, int offset)
    {
        const int last = 65535;
        if (Integer(name, -1, last) is not (> 0 and var number))
            return null;
        if (number + offset <= last && number + offset > 0)
            return new ConfiguredPort(number + offset, Where(name));
        Error(Node(name)!, name, $"{number} plus the port offset {offset} is not a port");
        return null;
    }

    public bool? Boolean(string name)
    {
        if (Text(name) is not { } text)
            return null;
        if (Node(name) is YamlScalarNode { Style: ScalarStyle.Plain } && bool.TryParse(text, out var value))
            return value;
        Error(Node(name)!, name, $"must be true or false, not '{text}'");
        return null;
    }

    /// <summary>Bytes: a number, or one with a unit such as <c>4Mi</c>.</summary>
    public int? Size(string name)
    {
        if (Text(name) is not { } text)
            return null;
        ReadOnlySpan<(string Suffix, long Scale)> units = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("k", 1_000), ("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("", 1)];
        foreach (var (suffix, scale) in units)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal) && long.TryParse(text[..^suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number > 0 && number <= int.MaxValue / scale)
                return (int)(number * scale);
        }

        Error(Node(name)!, name, $"must be a size such as 4Mi, not '{text}'");
        return null;
    }

    public string? OneOf(string name, params ReadOnlySpan<string> values)
    {
        if (Text(name) is not { } text || values.Contains(text))
            return Text(name);
        Error(Node(name)!, name, $"must be one of {string.Join(", ", values.ToArray())}, not '{text}'");
        return null;
    }

    public IReadOnlyList<string>? TextList(string name)
    {
        if (Node(name) is not { } node || node is YamlScalarNode { Value: null or "" })
            return null;
        if (node is not YamlSequenceNode sequence)
        {
            Error(node, name, "must be a list");
            return null;
        }

        var list = new List<string>();
        foreach (var item in sequence.Children)
        {
            if (item is YamlScalarNode { Value: { } text })
                list.Add(text);
            else
                Error(item, $"{name}[{list.Count}]", "must be text");
        }

        return list;
    }

    /// <summary>Names to values with the line of each.</summary>
    public IReadOnlyDictionary<string, (string Value, Setting Setting)> TextMap(string name)
    {
        var map = new Dictionary<string, (string, Setting)>();
        var node = Node(name);
        if (node is null or YamlScalarNode { Value: null or "" })
            return map;
        if (node is not YamlMappingNode mapping)
        {
            Error(node, name, "must be a mapping of names to values");
            return map;
        }

        foreach (var (key, value) in mapping.Children)
        {
            if (key is YamlScalarNode { Value: { Length: > 0 } variable } && value is YamlScalarNode scalar)
                map[variable] = (scalar.Value ?? "", new Setting($"{Path(name)}.{variable}", (int)key.Start.Line));
            else
                Error(value, $"{name}.{key}", "must be text");
        }

        return map;
    }

    public void Error(YamlNode node, string name, string problem) => _errors.Add(new RunFileError(_file, (int)node.Start.Line, Path(name), problem));

    private string Path(string name) => (_path, name) switch { ("", _) => name, (_, "") => _path, _ => $"{_path}.{name}" };

    private static bool IsNull(YamlScalarNode scalar) => scalar.Value is null || (scalar.Style == ScalarStyle.Plain && scalar.Value is "" or "~" or "null");

    private static string? Suggest(string name, IReadOnlyCollection<string> known)
    {
        var (close, distance) = known.Select(k => (k, Distance(k.ToLowerInvariant(), name.ToLowerInvariant()))).MinBy(c => c.Item2);
        return distance <= Math.Max(2, name.Length / 4) ? close : null;
    }

    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }

        return row[^1];
    }
}
