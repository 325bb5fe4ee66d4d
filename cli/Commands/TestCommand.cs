using System.CommandLine;
using DaprPlatform.Cli.Testing;

namespace DaprPlatform.Cli.Commands;

internal static class TestCommand
{
    /// <summary>Tells the suites that start stacks which engine they are to start them on.</summary>
    public const string EngineVariable = "PLATFORM_TEST_ENGINE";

    public static Command Create()
    {
        var suites = new Argument<string[]>("suites") { Arity = ArgumentArity.ZeroOrMore, Description = "Parts of the names of the suites to run; none runs every suite." };
        var engine = new Option<string>("--engine") { DefaultValueFactory = _ => "embedded", Description = "What the end-to-end and fault tests run on: embedded, or dapr (skipped where there is no daprd)." };
        engine.AcceptOnlyFromAmong("embedded", "dapr");
        var endToEnd = new Option<bool>("--e2e") { Description = "Only the end-to-end tests: the suite that a publication has as well." };
        var noBuild = new Option<bool>("--no-build") { Description = "Run what is built." };
        var command = new Command("test", "Builds and runs every test of the repository; the last line is 'N passed, N failed'.") { suites, engine, endToEnd, noBuild };
        command.SetAction((parsed, cancel) =>
        {
            Environment.SetEnvironmentVariable(EngineVariable, parsed.GetRequiredValue(engine));
            var repository = Repository.Find();
            if (!parsed.GetValue(endToEnd))
                repository.NeedsClone("test without --e2e");
            return new TestRun(repository, Console.Out).RunAsync(parsed.GetValue(endToEnd) ? [TestRun.EndToEnd] : parsed.GetValue(suites) ?? [],
                !parsed.GetValue(noBuild) && !repository.IsPublication, cancel);
        });
        return command;
    }
}
