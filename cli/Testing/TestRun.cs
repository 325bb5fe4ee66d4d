using System.Diagnostics;
using System.Xml;
using System.Xml.Linq;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Postgres;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.Cli.Testing;

/// <summary>Builds everything, runs every test of the repository, and says how it went in one last line.</summary>
internal sealed class TestRun(Repository repository, TextWriter output)
{
    /// <summary>Given to the suites that need a PostgreSQL server: an Npgsql connection string to its maintenance database, as superuser.</summary>
    public const string PostgresVariable = "TEST_POSTGRES";

    /// <summary>The suite that types what users type, on a whole stack.</summary>
    public const string EndToEnd = "EndToEnd.Tests";

    private static readonly TimeSpan SuiteLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan StackSuiteLimit = TimeSpan.FromMinutes(20);
    private static readonly TimeSpan ConformanceLimit = TimeSpan.FromMinutes(40);
    private readonly List<SuiteResult> _results = [];
    private readonly List<(string Suite, TestFailure Failure)> _unstable = [];

    private string Conformance => Path.Combine(repository.Root, "tests", "conformance");

    /// <param name="only">Parts of suite names; empty means every suite.</param>
    /// <param name="build">False runs what is built.</param>
    /// <param name="cancel">Ends the suite that runs, and what was started for it.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(IReadOnlyList<string> only, bool build, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        if (build && !await BuildAsync(cancel))
            return Finish(watch.Elapsed);

        bool Wanted(string suite) => only.Count == 0 || only.Any(part => suite.Contains(part, StringComparison.OrdinalIgnoreCase));
        var suites = DotnetSuites().Where(Wanted).ToList();
        if (suites.Count > 0)
        {
            await PrepareConformanceAsync(cancel);
            await PrepareWebAsync(suites, cancel);
            await RunDotnetSuitesAsync(suites, cancel);
        }

        foreach (var folder in NodePackages.Find(repository.Root).Where(f => f != Conformance && NodePackages.HasScript(f, "test") && Wanted(repository.Relative(f))))
            await RunNodeSuiteAsync(folder, cancel);
        if (Wanted("conformance"))
            await RunConformanceAsync(cancel);
        return Finish(watch.Elapsed);
    }

    private async Task<bool> BuildAsync(CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        output.WriteLine("building the solution");
        var built = await ToolRun.RunAsync(Repository.DotnetHost,
            ["build", repository.Solution, "-c", Repository.Configuration, "-v", "q", "-nologo", "-nodeReuse:false", "-clp:NoSummary"],
            repository.Root, cancel, limit: TimeSpan.FromMinutes(30));
        if (!built.Succeeded)
        {
            _results.Add(SuiteResult.Broken("build", watch.Elapsed, built.Output));
            return false;
        }

        output.WriteLine($"built in {watch.Elapsed.TotalSeconds:F0} s");
        return true;
    }

    // The suites that start whole stacks come last: what is broken in the small is known by then.
    private List<string> DotnetSuites()
    {
        var tests = Path.Combine(repository.Root, "tests");
        if (!Directory.Exists(tests))
            return [];
        return [.. Directory.GetDirectories(tests, "*.Tests").Select(f => Path.GetFileName(f)!).OrderBy(Weight).ThenBy(n => n, StringComparer.Ordinal)];
    }

    private static int Weight(string suite) => suite switch
    {
        EndToEnd or "Storefront.Tests" or "Console.Browser.Tests" or "Console.Tests" => 2,
        "Platform.Tests" or "Deployment.Tests" or "Console.Pages.Tests" => 1,
        _ => 0,
    };

    // Suites of .NET talk to the clients of other languages that are installed there; without them they skip those tests.
    private async Task PrepareConformanceAsync(CancellationToken cancel)
    {
        try
        {
            if (Directory.Exists(Conformance))
                await NodePackages.PrepareAsync(repository, Conformance, output.WriteLine, cancel);
        }
        catch (CommandException e)
        {
            output.WriteLine(e.Message);
        }
    }

    // Pages are looked at in a browser of this machine. Without one, or without pages, those suites say so themselves.
    private async Task PrepareWebAsync(List<string> suites, CancellationToken cancel)
    {
        var looking = !repository.IsPublication && suites.Exists(s => File.Exists(Path.Combine(repository.Root, "tests", s, s + ".csproj"))
            && File.ReadAllText(Path.Combine(repository.Root, "tests", s, s + ".csproj")).Contains("Browser.props", StringComparison.Ordinal));
        if (!looking)
            return;
        try
        {
            await WebBuild.PrepareAsync(repository, output.WriteLine, cancel);
            var installed = await ToolRun.RunAsync("sh", [Path.Combine(repository.Root, "tests", "Browser", "install.sh")], repository.Root, cancel, limit: TimeSpan.FromMinutes(10));
            if (!installed.Succeeded)
                output.WriteLine(Tail(installed.Output));
        }
        catch (CommandException e)
        {
            output.WriteLine(e.Message);
        }
    }

    private async Task RunDotnetSuitesAsync(List<string> suites, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("platform-test-").FullName;
        IRunningProgram? database = null;
        try
        {
            var environment = new Dictionary<string, string> { [Repository.RootVariable] = repository.Root };
            try
            {
                (database, environment[PostgresVariable]) = await StartPostgresAsync(folder, cancel);
            }
            catch (CommandException e)
            {
                _results.Add(SuiteResult.Broken("postgres", TimeSpan.Zero, e.Message));
                Report();
            }

            foreach (var suite in suites)
                await RunDotnetSuiteAsync(suite, environment, cancel);
        }
        finally
        {
            if (database is not null)
                await database.StopAsync(TimeSpan.FromSeconds(10), TimeProvider.System);
            PostgresServer.Delete(folder);
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<(IRunningProgram, string)> StartPostgresAsync(string folder, CancellationToken cancel)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute);
        var binaries = await PostgresBinaries.LocateAsync(repository, output.WriteLine, cancel);
        var server = await PostgresServer.PrepareAsync(new PostgresOptions(folder, PortOwners.FindFree(), "tests", "tests"), binaries,
            new Dictionary<string, string>(), static _ => { }, cancel);
        var running = await server.StartAsync(cancel);
        await server.WaitReadyAsync(running, cancel);
        return (running, server.ConnectionString);
    }

    private async Task RunDotnetSuiteAsync(string suite, Dictionary<string, string> environment, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        // The one program of the folder, whatever its project calls it.
        const string Marker = ".runtimeconfig.json";
        var built = Path.Combine(repository.Root, "tests", suite);
        if (!repository.IsPublication)
            built = Path.Combine(built, "bin", Repository.Configuration, "net10.0");
        var programs = Directory.Exists(built) ? Directory.GetFiles(built, "*Tests" + Marker) : [];
        var assembly = programs is [var program] ? program[..^Marker.Length] + ".dll" : "";
        if (!File.Exists(assembly))
        {
            _results.Add(SuiteResult.Broken(suite, watch.Elapsed, $"{repository.Relative(built)} holds no test program: is the project in {Path.GetFileName(repository.Solution)}?"));
            Report();
            return;
        }

        var result = await RunProgramAsync(suite, assembly, environment, watch, cancel);
        if (result.Failed > 0)
        {
            // As with the recorded suites: what fails is believed when it fails again; what then passes is named at the end.
            output.WriteLine($"{suite}: {string.Join(", ", result.Failures.Select(f => f.Test))} failed; once more");
            var again = await RunProgramAsync(suite, assembly, environment, watch, cancel);
            if (again.Failed == 0)
                _unstable.AddRange(result.Failures.Select(f => (suite, f)));
            result = again;
        }

        _results.Add(result);
        Report();
    }

    private async Task<SuiteResult> RunProgramAsync(string suite, string assembly, Dictionary<string, string> environment, Stopwatch watch, CancellationToken cancel)
    {
        var folder = Path.Combine(repository.Artifacts, "test-results");
        Directory.CreateDirectory(folder);
        var report = Path.Combine(folder, suite + ".xml");
        File.Delete(report);
        // A test that hangs is named before the limit ends it.
        var run = await ToolRun.RunAsync(Repository.DotnetHost, [assembly, "-noLogo", "-noColor", "-longRunning", "120", "-xml", report], Path.GetDirectoryName(assembly)!, cancel,
            environment, limit: Weight(suite) > 0 ? StackSuiteLimit : SuiteLimit);
        await File.WriteAllTextAsync(Path.Combine(folder, suite + ".log"), run.Output, cancel);
        return Read(suite, report, run, watch.Elapsed);
    }

    private static SuiteResult Read(string suite, string report, ToolResult run, TimeSpan elapsed)
    {
        if (!File.Exists(report))
            return SuiteResult.Broken(suite, elapsed, $"no result (exit code {run.ExitCode}):\n{Tail(run.Output)}");
        SuiteResult result;
        try
        {
            result = ResultReaders.XUnit(suite, XDocument.Load(report), elapsed);
        }
        catch (XmlException e)
        {
            return SuiteResult.Broken(suite, elapsed, $"the report is broken ({e.Message}):\n{Tail(run.Output)}");
        }

        if (result.Passed + result.Failed + result.Skipped == 0)
            return SuiteResult.Broken(suite, elapsed, "the suite has no tests");
        return run.Succeeded || result.Failed > 0
            ? result
            : result with { Failed = 1, Failures = [new TestFailure(suite, $"exit code {run.ExitCode}:\n{Tail(run.Output)}")] };
    }

    private async Task RunNodeSuiteAsync(string folder, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        var suite = repository.Relative(folder).Replace('\\', '/');
        try
        {
            await NodePackages.PrepareAsync(repository, folder, output.WriteLine, cancel);
        }
        catch (CommandException e)
        {
            _results.Add(SuiteResult.Broken(suite, watch.Elapsed, e.Message));
            Report();
            return;
        }

        var run = await ToolRun.RunAsync(OperatingSystem.IsWindows() ? "npm.cmd" : "npm", ["test", "--silent"], folder, cancel,
            new Dictionary<string, string> { ["CI"] = "true", ["NO_COLOR"] = "1" }, limit: SuiteLimit);
        _results.Add(ReadCounts(suite, run, watch.Elapsed));
        Report();
    }

    // The suites recorded from the real daprd that the sidecar reproduces already; the list only grows.
    private async Task RunConformanceAsync(CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        var folder = Conformance;
        var list = Path.Combine(folder, "suites-passing.txt");
        if (!File.Exists(list))
            return;
        var suites = File.ReadLines(list).Select(l => l.Split('#')[0].Trim()).Where(l => l.Length > 0).ToList();
        if (suites.Count == 0)
            return;
        var daprd = Path.Combine(repository.Root, "sidecar", "Daprd", "bin", Repository.Configuration, "net10.0", OperatingSystem.IsWindows() ? "daprd.exe" : "daprd");
        if (!File.Exists(daprd))
        {
            _results.Add(SuiteResult.Broken("conformance", watch.Elapsed, $"{repository.Relative(daprd)} was not built"));
            Report();
            return;
        }

        try
        {
            await NodePackages.PrepareAsync(repository, folder, output.WriteLine, cancel);
        }
        catch (CommandException e)
        {
            _results.Add(SuiteResult.Broken("conformance", watch.Elapsed, e.Message));
            Report();
            return;
        }

        // What the sidecars share is of this run alone.
        var machine = Directory.CreateTempSubdirectory("platform-test-").FullName;
        // On a loaded machine a suite of many processes may miss a moment: what fails is believed when it fails alone, too.
        var run = await RunSuitesAsync(folder, daprd, machine, suites, 2, cancel);
        var result = ReadCounts("conformance", run, watch.Elapsed);
        var failed = ResultReaders.FailedSuites(run.Output);
        if (result.Failed > 0 && failed.Count > 0)
        {
            output.WriteLine($"conformance: {string.Join(", ", failed)} once more, alone");
            var first = ResultReaders.SuiteCounts(run.Output).Where(s => !failed.Contains(s.Suite)).ToList();
            var second = await RunSuitesAsync(folder, daprd, machine, failed, 1, cancel);
            var again = ReadCounts("conformance", second, watch.Elapsed);
            result = again with { Passed = again.Passed + first.Sum(s => s.Passed), Skipped = result.Skipped };
        }

        try
        {
            Directory.Delete(machine, recursive: true);
        }
        catch (IOException)
        {
            // The process of the stand-ins writes to it still; it ends by itself when nobody has come for a while.
        }

        _results.Add(result);
        Report();
    }

    private static Task<ToolResult> RunSuitesAsync(string folder, string daprd, string machine, IEnumerable<string> suites, int jobs, CancellationToken cancel) =>
        ToolRun.RunAsync("node", ["run.mjs", "--daprd", daprd, "--jobs", $"{jobs}", .. suites.SelectMany(s => (string[])["--suite", s])], folder, cancel,
            // SET_CONFIG: how the runner sets items where the recorded run had a server to set them in.
            new Dictionary<string, string>
            {
                ["DOTNET_ROOT"] = Path.GetDirectoryName(Repository.DotnetHost)!,
                ["SET_CONFIG"] = $"{daprd} config-set",
                ["DAPR_PLATFORM_DIR"] = machine,
            },
            limit: ConformanceLimit);

    private static SuiteResult ReadCounts(string suite, ToolResult run, TimeSpan elapsed)
    {
        if (ResultReaders.Counts(run.Output) is not var (passed, failed, skipped) || passed + failed + skipped == 0)
            return SuiteResult.Broken(suite, elapsed, $"no result (exit code {run.ExitCode}):\n{Tail(run.Output)}");
        if (!run.Succeeded && failed == 0)
            failed = 1;
        return new SuiteResult(suite, passed, failed, skipped, elapsed, failed > 0 ? [new TestFailure(suite, Tail(run.Output))] : []);
    }

    private void Report()
    {
        var result = _results[^1];
        output.WriteLine($"{(result.Failed > 0 ? "FAILED" : "ok"),-6} {result.Suite,-28} {result.Passed,5} passed {result.Failed,4} failed {result.Skipped,4} skipped {result.Elapsed.TotalSeconds,7:F1} s");
    }

    private int Finish(TimeSpan elapsed)
    {
        foreach (var (suite, failure) in _unstable)
            Print($"{suite}: {failure.Test} (passed when the suite was run again)", failure);
        foreach (var (suite, failure) in _results.SelectMany(r => r.Failures.Select(f => (r.Suite, f))))
            Print($"{suite}: {failure.Test}", failure);

        output.WriteLine();
        if (_unstable.Count > 0)
            output.WriteLine($"{_unstable.Count} tests failed once and passed when run again");
        output.WriteLine($"{_results.Count} suites in {elapsed.TotalSeconds:F0} s");
        output.WriteLine(SuiteResult.Summary(_results));
        return _results.Any(r => r.Failed > 0) || _results.Count == 0 ? 1 : 0;

        void Print(string title, TestFailure failure)
        {
            output.WriteLine();
            output.WriteLine($"---- {title}");
            output.WriteLine(failure.Output.TrimEnd());
        }
    }

    private static string Tail(string output) => string.Join('\n', output.TrimEnd().Split('\n').TakeLast(150));
}
