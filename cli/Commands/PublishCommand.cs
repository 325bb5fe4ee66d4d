using System.CommandLine;
using DaprPlatform.Cli.Building;

namespace DaprPlatform.Cli.Commands;

internal static class PublishCommand
{
    public static Command Create()
    {
        var output = new Option<string?>("--output", "-o") { Description = "The folder; made when missing." };
        var daprd = new Command("daprd", "The sidecar as one executable for linux-x64, with the flags of Dapr's own.") { output };
        daprd.SetAction((parsed, cancel) => RunAsync(parsed, output, (repository, folder, report) => DaprdPublication.PublishAsync(repository, folder, report, cancel)));
        var command = new Command("publish", "Everything, into a folder that runs on linux-x64 without this clone and without .NET: services, command, runtime, daprd, PostgreSQL, end-to-end tests.") { output, daprd };
        command.SetAction((parsed, cancel) => RunAsync(parsed, output, async (repository, folder, report) =>
        {
            await new Publication(repository, report).MakeAsync(folder, cancel);
            return Path.Combine(folder, "platform");
        }));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Option<string?> output, Func<Repository, string, Action<string>, Task<string>> publish)
    {
        var repository = Repository.Find();
        repository.NeedsClone("publish");
        var folder = parsed.GetValue(output) ?? throw new CommandException("Where to? Give --output DIR.");
        var executable = await publish(repository, Path.GetFullPath(folder), new StackPrinter(ConsoleSetup.Error()).Progress);
        await Console.Out.WriteLineAsync(executable);
        return 0;
    }
}
