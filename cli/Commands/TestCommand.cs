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
        var noBuild = new Option<bool>("--no-build") { Description = "Run what is built." };
        var command = new Command("test", "Builds and runs every test of the repository; the last line is 'N passed, N failed'.") { suites, engine, noBuild };
        command.SetAction((parsed, cancel) =>
        {
            Environment.SetEnvironmentVariable(EngineVariable, parsed.GetRequiredValue(engine));
            return new TestRun(Repository.Find(), Console.Out).RunAsync(parsed.GetValue(suites) ?? [], !parsed.GetValue(noBuild), cancel);
        });
        return command;
    }
}
