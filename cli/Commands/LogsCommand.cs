using System.CommandLine;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Postgres;

namespace DaprPlatform.Cli.Commands;

internal static class LogsCommand
{
    public static Command Create()
    {
        var app = new Argument<string?>("app") { Arity = ArgumentArity.ZeroOrOne, Description = "An app, APP.daprd for its sidecar, postgres or platform; without it all of them." };
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with what is written from now." };
        var lines = new Option<int>("--lines", "-n") { DefaultValueFactory = _ => 50, Description = "How many lines of the past." };
        var command = new Command("logs", "Shows what the apps wrote.") { app, follow, lines };
        var stack = StackOptions.AddTo(command, shortFile: false);
        command.SetAction(async (parsed, cancel) =>
        {
            var files = Files(stack.Data(parsed, Repository.Find()));
            if (parsed.GetValue(app) is { } name)
            {
                if (!files.TryGetValue(name, out var file))
                    throw new CommandException($"There is no log of {name}; there are {string.Join(", ", files.Keys)}.");
                files = new SortedDictionary<string, string> { [name] = file };
            }

            if (files.Count == 0)
                throw new CommandException("There are no logs yet.");
            await new LogReader(files, Console.Out).RunAsync(parsed.GetValue(lines), parsed.GetValue(follow), cancel);
            return 0;
        });
        return command;
    }

    private static SortedDictionary<string, string> Files(DataFolder data)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (Directory.Exists(data.Logs))
        {
            foreach (var file in Directory.GetFiles(data.Logs, "*.log"))
                files[Path.GetFileNameWithoutExtension(file)] = file;
        }

        if (PostgresServer.FindLog(data.Path) is { } postgres)
            files[PostgresServer.ProgramName] = postgres;
        return files;
    }
}
