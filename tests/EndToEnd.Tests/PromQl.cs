using System.Globalization;
using System.Text.RegularExpressions;

namespace DaprPlatform.EndToEnd.Tests;

/// <summary>
/// As much of Prometheus' query language as it takes to run the documents' queries over two scrapes: rates, sums by labels, arithmetic between vectors with the
/// same labels. A series that the first scrape did not have yet has no rate, as in Prometheus; what is not known throws.
/// </summary>
internal sealed partial class PromQl
{
    private readonly Dictionary<string, double> _before;
    private readonly List<Sample> _after;
    private readonly double _seconds;
    private List<string> _tokens = [];
    private int _at;

    /// <param name="before">Pages of text in Prometheus' format.</param>
    /// <param name="after">The same some time later.</param>
    /// <param name="between">The scrapes.</param>
    public PromQl(IEnumerable<string> before, IEnumerable<string> after, TimeSpan between)
    {
        _before = Read(before).GroupBy(s => s.Identity, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First().Value, StringComparer.Ordinal);
        _after = [.. Read(after).DistinctBy(s => s.Identity, StringComparer.Ordinal)];
        _seconds = between.TotalSeconds;
    }

    public IReadOnlyList<Sample> Run(string query)
    {
        _tokens = [.. Token().Matches(query).Select(m => m.Value)];
        _at = 0;
        var result = Sum();
        return _at == _tokens.Count ? result.Vector ?? [new Sample("", [], result.Scalar)] : throw Unknown();
    }

    private string? Peek => _at < _tokens.Count ? _tokens[_at] : null;

    private Value Sum()
    {
        var left = Product();
        while (Peek is "+" or "-")
            left = Combine(left, _tokens[_at++], Product());
        return left;
    }

    private Value Product()
    {
        var left = Single();
        while (Peek is "*" or "/")
            left = Combine(left, _tokens[_at++], Single());
        return left;
    }

    private Value Single()
    {
        var token = Next();
        if (token == "(")
        {
            var inner = Sum();
            Expect(")");
            return inner;
        }

        if (double.TryParse(token, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return new Value(null, number);
        if (token == "sum")
            return Aggregate();
        if (token == "rate")
        {
            Expect("(");
            var rate = Select(Next(), Rate);
            Expect("[");
            Next();
            Expect("]");
            Expect(")");
            return rate;
        }

        return char.IsAsciiLetter(token[0]) || token[0] == '_' ? Select(token, s => s.Value) : throw Unknown();
    }

    private Value Aggregate()
    {
        var labels = new List<string>();
        if (Peek == "by")
        {
            _at++;
            Expect("(");
            while (Next() is var label && label != ")")
            {
                if (label != ",")
                    labels.Add(label);
            }
        }

        Expect("(");
        var inner = Sum().Vector ?? throw Unknown();
        Expect(")");
        return new Value([.. inner.GroupBy(s => string.Join(';', labels.Select(l => s.Labels.GetValueOrDefault(l, ""))), StringComparer.Ordinal)
            .Select(g => new Sample("", labels.ToDictionary(l => l, l => g.First().Labels.GetValueOrDefault(l, ""), StringComparer.Ordinal), g.Sum(s => s.Value)))], 0);
    }

    private Value Select(string name, Func<Sample, double?> value)
    {
        var conditions = new List<Func<Sample, bool>>();
        if (Peek == "{")
        {
            _at++;
            while (Next() is var label && label != "}")
            {
                if (label == ",")
                    continue;
                var (sign, text) = (Next(), Next().Trim('"'));
                conditions.Add(sign switch
                {
                    "=" => s => s.Labels.GetValueOrDefault(label, "") == text,
                    "!=" => s => s.Labels.GetValueOrDefault(label, "") != text,
                    "=~" => s => Regex.IsMatch(s.Labels.GetValueOrDefault(label, ""), $"^(?:{text})$"),
                    "!~" => s => !Regex.IsMatch(s.Labels.GetValueOrDefault(label, ""), $"^(?:{text})$"),
                    _ => throw Unknown(),
                });
            }
        }

        return new Value([.. _after.Where(s => s.Name == name && conditions.TrueForAll(c => c(s))).Select(s => (Sample: s, Value: value(s))).Where(s => s.Value is not null)
            .Select(s => new Sample("", s.Sample.Labels, s.Value!.Value))], 0);
    }

    // A counter that is below what it was began again at 0.
    private double? Rate(Sample sample) =>
        _before.TryGetValue(sample.Identity, out var before) ? (sample.Value >= before ? sample.Value - before : sample.Value) / _seconds : null;

    private static Value Combine(Value left, string sign, Value right)
    {
        if (left.Vector is null && right.Vector is null)
            return new Value(null, Of(left.Scalar, sign, right.Scalar));
        if (right.Vector is null)
            return new Value([.. left.Vector!.Select(s => s with { Value = Of(s.Value, sign, right.Scalar) })], 0);
        if (left.Vector is null)
            return new Value([.. right.Vector.Select(s => s with { Value = Of(left.Scalar, sign, s.Value) })], 0);
        var others = right.Vector.ToDictionary(s => s.Identity, StringComparer.Ordinal);
        return new Value([.. left.Vector.Where(s => others.ContainsKey(s.Identity)).Select(s => s with { Value = Of(s.Value, sign, others[s.Identity].Value) })], 0);
    }

    private static double Of(double left, string sign, double right) => sign switch { "+" => left + right, "-" => left - right, "*" => left * right, _ => left / right };

    private string Next() => _at < _tokens.Count ? _tokens[_at++] : throw Unknown();

    private void Expect(string token)
    {
        if (Next() != token)
            throw Unknown();
    }

    private FormatException Unknown() => new($"Not understood at token {_at}: {string.Join(' ', _tokens)}");

    private static IEnumerable<Sample> Read(IEnumerable<string> pages) =>
        pages.SelectMany(p => Line().Matches(p)).Select(m => new Sample(
            m.Groups[1].Value,
            Label().Matches(m.Groups[2].Value).ToDictionary(l => l.Groups[1].Value, l => l.Groups[2].Value, StringComparer.Ordinal),
            double.Parse(m.Groups[3].Value, NumberStyles.Float, CultureInfo.InvariantCulture)));

    internal sealed record Sample(string Name, Dictionary<string, string> Labels, double Value)
    {
        public string Identity { get; } = Name + "{" + string.Join(',', Labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}")) + "}";
    }

    private readonly record struct Value(List<Sample>? Vector, double Scalar);

    [GeneratedRegex(@"^(\w+)(?:\{(.*)\})? (-?[0-9.eE+-]+)$", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex("(\\w+)=\"((?:[^\"\\\\]|\\\\.)*)\"")]
    private static partial Regex Label();

    [GeneratedRegex("\"[^\"]*\"|[A-Za-z_][A-Za-z0-9_:]*|[0-9.]+[smhd]?|=~|!~|!=|[-+*/=(){},\\[\\]]")]
    private static partial Regex Token();
}
