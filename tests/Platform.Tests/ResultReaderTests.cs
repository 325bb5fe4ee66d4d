using System.Xml.Linq;
using DaprPlatform.Cli.Testing;

namespace DaprPlatform.Cli.Tests;

public sealed class ResultReaderTests
{
    [Theory]
    [InlineData("# tests 5\n# pass 3\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n", 3, 1, 1)]
    [InlineData("ℹ tests 2\nℹ pass 2\nℹ fail 0\nℹ skipped 0\nℹ todo 0\n", 2, 0, 0)]
    [InlineData("\u001b[2m Test Files \u001b[22m \u001b[1m1 passed\u001b[22m (1)\n\u001b[2m      Tests \u001b[22m 1 failed | 4 passed | 2 skipped (7)\n", 4, 1, 2)]
    [InlineData("state ok\n120 passed, 2 failed, 3 skipped\n", 120, 2, 3)]
    [InlineData("12 passed, 0 failed\n", 12, 0, 0)]
    public void The_counts_of_every_runner_are_found(string output, int passed, int failed, int skipped) =>
        Assert.Equal((passed, failed, skipped), ResultReaders.Counts(output));

    [Fact]
    public void The_suites_of_the_conformance_runner_are_told_apart()
    {
        const string output = "ok   state: 38/38\n1 differences in message wording (not counted)  (2 s)\nFAIL workflow-wire / two workers: both get work\nFAIL workflow-wire: 39/40  (68 s)\n77 passed, 1 failed, 0 skipped\n";

        Assert.Equal([("state", 38), ("workflow-wire", 39)], ResultReaders.SuiteCounts(output));
        Assert.Equal(["workflow-wire"], ResultReaders.FailedSuites(output));
    }

    [Fact]
    public void Output_without_counts_is_no_result() => Assert.Null(ResultReaders.Counts("Segmentation fault\n"));

    [Fact]
    public void A_failed_clean_up_counts_as_a_failure()
    {
        var report = XDocument.Parse("""
            <assemblies><assembly passed="2" failed="1" skipped="1" errors="1">
              <errors><error name="Fixture" type="assembly-cleanup"><failure><message>held</message></failure></error></errors>
              <collection><test name="A_thing" result="Fail"><failure><message>no</message><stack-trace>here</stack-trace></failure></test></collection>
            </assembly></assemblies>
            """);

        var result = ResultReaders.XUnit("X.Tests", report, TimeSpan.Zero);

        Assert.Equal((2, 2, 1), (result.Passed, result.Failed, result.Skipped));
        Assert.Equal(["A_thing", "Fixture"], result.Failures.Select(f => f.Test));
    }

    [Fact]
    public void The_last_line_names_skipped_tests_only_when_there_are_some()
    {
        SuiteResult Suite(int skipped) => new("s", 3, 0, skipped, TimeSpan.Zero, []);

        Assert.Equal("6 passed, 0 failed", SuiteResult.Summary([Suite(0), Suite(0)]));
        Assert.Equal("6 passed, 0 failed, 2 skipped", SuiteResult.Summary([Suite(2), Suite(0)]));
    }
}
