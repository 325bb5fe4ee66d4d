using System.CommandLine;
using DaprPlatform.Cli.Testing;

namespace DaprPlatform.Cli.Commands;

internal static class TestCommand
{
    public static Command Create()
    {
        var suites = new Argument<string[]>("suites") { Arity = ArgumentArity.ZeroOrMore, Description = "Parts of the names of the suites to run; none runs every suite." };
        var noBuild = new Option<bool>("--no-build") { Description = "Run what is built." };
        var command = new Command("test", "Builds and runs every test of the repository; the last line is 'N passed, N failed'.") { suites, noBuild };
        command.SetAction((parsed, cancel) => new TestRun(Repository.Find(), Console.Out).RunAsync(parsed.GetValue(suites) ?? [], !parsed.GetValue(noBuild), cancel));
        return command;
    }
}
