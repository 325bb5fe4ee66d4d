using System.CommandLine;
using DaprPlatform.Cli.Building;

namespace DaprPlatform.Cli.Commands;

internal static class PublishCommand
{
    public static Command Create() => new("publish", "Makes programs that run without this clone and without .NET.") { Daprd() };

    private static Command Daprd()
    {
        var output = new Option<string>("--output", "-o") { Required = true, Description = "The folder that daprd is put into; made when missing." };
        var command = new Command("daprd", "The sidecar as one executable for linux-x64, with the flags of Dapr's own.") { output };
        command.SetAction(async (parsed, cancel) =>
        {
            var printer = new StackPrinter(ConsoleSetup.Error());
            var executable = await DaprdPublication.PublishAsync(Repository.Find(), Path.GetFullPath(parsed.GetRequiredValue(output)), printer.Progress, cancel);
            await Console.Out.WriteLineAsync(executable);
            return 0;
        });
        return command;
    }
}
