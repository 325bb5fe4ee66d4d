namespace DaprPlatform.Cli.Testing;

/// <summary>A failed test: its name and what it said.</summary>
internal sealed record TestFailure(string Test, string Output);

internal sealed record SuiteResult(string Suite, int Passed, int Failed, int Skipped, TimeSpan Elapsed, IReadOnlyList<TestFailure> Failures)
{
    /// <summary>A suite that gave no result is one failed test: never nothing.</summary>
    public static SuiteResult Broken(string suite, TimeSpan elapsed, string output) => new(suite, 0, 1, 0, elapsed, [new TestFailure(suite, output)]);

    public static string Summary(IEnumerable<SuiteResult> results)
    {
        int passed = 0, failed = 0, skipped = 0;
        foreach (var result in results)
        {
            passed += result.Passed;
            failed += result.Failed;
            skipped += result.Skipped;
        }

        return skipped > 0 ? $"{passed} passed, {failed} failed, {skipped} skipped" : $"{passed} passed, {failed} failed";
    }
}
