using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace DaprPlatform.Cli.Testing;

/// <summary>Reads what the test runners of the repository leave behind.</summary>
internal static partial class ResultReaders
{
    /// <summary>xunit's own XML report. A class or assembly clean-up that failed (an "error") counts as a failure.</summary>
    public static SuiteResult XUnit(string suite, XDocument report, TimeSpan elapsed)
    {
        int passed = 0, failed = 0, skipped = 0;
        var failures = new List<TestFailure>();
        foreach (var assembly in report.Descendants("assembly"))
        {
            passed += Number(assembly, "passed");
            failed += Number(assembly, "failed") + Number(assembly, "errors");
            skipped += Number(assembly, "skipped") + Number(assembly, "not-run");
        }

        foreach (var test in report.Descendants("test").Where(t => (string?)t.Attribute("result") == "Fail"))
            failures.Add(new TestFailure((string?)test.Attribute("name") ?? "?", Describe(test.Element("failure")) + (string?)test.Element("output")));
        foreach (var error in report.Descendants("error"))
            failures.Add(new TestFailure((string?)error.Attribute("name") ?? (string?)error.Attribute("type") ?? "clean-up", Describe(error.Element("failure"))));
        return new SuiteResult(suite, passed, failed, skipped, elapsed, failures);
    }

    /// <summary>
    /// The last counts in the output of node's test runner, vitest, or a runner that prints <c>N passed, N failed</c>; null when there are none.
    /// </summary>
    public static (int Passed, int Failed, int Skipped)? Counts(string output)
    {
        var text = Colours().Replace(output, "");
        if (Last(NodeCount("pass"), text) is { } passed && Last(NodeCount("fail"), text) is { } failed)
            return (passed, failed, (Last(NodeCount("skipped"), text) ?? 0) + (Last(NodeCount("todo"), text) ?? 0));
        if (VitestLine().Matches(text) is { Count: > 0 } vitest)
            return (Part(vitest[^1].Value, "passed"), Part(vitest[^1].Value, "failed"), Part(vitest[^1].Value, "skipped"));
        if (PlainLine().Matches(text) is { Count: > 0 } plain)
            return (Part(plain[^1].Value, "passed"), Part(plain[^1].Value, "failed"), Part(plain[^1].Value, "skipped"));
        return null;
    }

    /// <summary>The lines <c>ok   NAME: 3/3</c> and <c>FAIL NAME: 2/3</c> of the conformance runner.</summary>
    public static IReadOnlyList<(string Suite, int Passed)> SuiteCounts(string output) =>
        [.. SuiteLine().Matches(output).Select(m => (m.Groups[2].Value, int.Parse(m.Groups[3].Value, CultureInfo.InvariantCulture)))];

    public static IReadOnlyList<string> FailedSuites(string output) => [.. SuiteLine().Matches(output).Where(m => m.Groups[1].Value == "FAIL").Select(m => m.Groups[2].Value)];

    private static int Number(XElement element, string name) =>
        int.TryParse((string?)element.Attribute(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static string Describe(XElement? failure) =>
        failure is null ? "" : $"{(string?)failure.Element("message")}\n{(string?)failure.Element("stack-trace")}\n";

    private static Regex NodeCount(string name) => new($@"^(?:#|ℹ) {name} (\d+)\s*$", RegexOptions.Multiline | RegexOptions.CultureInvariant);

    private static int? Last(Regex pattern, string text) =>
        pattern.Matches(text) is { Count: > 0 } matches ? int.Parse(matches[^1].Groups[1].Value, CultureInfo.InvariantCulture) : null;

    private static int Part(string line, string word) =>
        Regex.Match(line, $@"(\d+) {word}") is { Success: true } match ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"^(ok|FAIL)\s+([\w-]+): (\d+)/\d+", RegexOptions.Multiline)]
    private static partial Regex SuiteLine();

    [GeneratedRegex(@"\x1B\[[0-9;]*m")]
    private static partial Regex Colours();

    [GeneratedRegex(@"^\s*Tests\s+.*\d+ (passed|failed|skipped).*$", RegexOptions.Multiline)]
    private static partial Regex VitestLine();

    [GeneratedRegex(@"^\d+ passed, \d+ failed(, \d+ skipped)?\s*$", RegexOptions.Multiline)]
    private static partial Regex PlainLine();
}
