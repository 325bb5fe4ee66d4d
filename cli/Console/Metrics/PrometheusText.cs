using System.Globalization;

namespace DaprPlatform.Cli.OpsConsole.Metrics;

/// <summary>One sample of Prometheus' text format.</summary>
internal readonly record struct Sample(string Name, IReadOnlyDictionary<string, string> Labels, double Value)
{
    public string Label(string name) => Labels.GetValueOrDefault(name, "");
}

/// <summary>Reads Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/); only the families that are wanted.</summary>
internal static class PrometheusText
{
    private static readonly Dictionary<string, string> None = [];

    public static IEnumerable<Sample> Read(string text, Func<string, bool> wanted)
    {
        var at = 0;
        while (at < text.Length)
        {
            var end = text.IndexOf('\n', at);
            if (end < 0)
                end = text.Length;
            if (end > at && text[at] != '#' && Line(text.AsSpan(at, end - at), wanted) is { } sample)
                yield return sample;
            at = end + 1;
        }
    }

    private static Sample? Line(ReadOnlySpan<char> line, Func<string, bool> wanted)
    {
        var nameEnd = line.IndexOfAny('{', ' ');
        if (nameEnd <= 0)
            return null;
        var name = line[..nameEnd].ToString();
        if (!wanted(name))
            return null;
        var labels = None;
        var rest = line[nameEnd..];
        if (rest[0] == '{')
        {
            labels = new Dictionary<string, string>(StringComparer.Ordinal);
            rest = rest[1..];
            while (rest.Length > 0 && rest[0] != '}')
            {
                var equals = rest.IndexOf('=');
                if (equals < 0 || equals + 1 >= rest.Length || rest[equals + 1] != '"')
                    return null;
                var label = rest[..equals].TrimStart(',').Trim().ToString();
                rest = rest[(equals + 2)..];
                var quote = 0;
                while (quote < rest.Length && rest[quote] != '"')
                    quote += rest[quote] == '\\' ? 2 : 1;
                if (quote >= rest.Length)
                    return null;
                labels[label] = rest[..quote].ToString();
                rest = rest[(quote + 1)..];
            }

            if (rest.Length == 0)
                return null;
            rest = rest[1..];
        }

        rest = rest.Trim();
        var space = rest.IndexOf(' ');
        var number = space < 0 ? rest : rest[..space];
        return double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? new Sample(name, labels, value)
            : number is "+Inf" ? new Sample(name, labels, double.PositiveInfinity) : null;
    }
}
