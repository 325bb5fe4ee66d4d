using System.CommandLine;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Postgres;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.Supervision;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

/// <summary>The verbs that talk to a running stack.</summary>
internal static class ControlCommands
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LeftoverGrace = TimeSpan.FromSeconds(3);

    public static IEnumerable<Command> Create() => [Status(), Stop(), Restart(), Down(), Reset()];

    private static Command Status()
    {
        var json = StackOptions.Json();
        var command = new Command("status", "Shows what runs, where, and how it is; exit code 1 when something does not serve.") { json };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            using var client = new ControlClient(stack.Data(parsed, Repository.Find()).Socket);
            var status = await client.StatusAsync(cancel) ?? StackStatus.None;
            if (parsed.GetValue(json))
                StackPrinter.Json(status);
            else
                new StackPrinter(AnsiConsole.Console).Status(status);
            return status.Healthy ? 0 : 1;
        });
        return command;
    }

    private static Command Stop()
    {
        var app = new Argument<string?>("app") { Arity = ArgumentArity.ZeroOrOne, Description = "The app to stop with its sidecar; without it everything is stopped." };
        var command = new Command("stop", "Stops one app, or everything. Data stays.") { app };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var data = stack.Data(parsed, Repository.Find());
            if (parsed.GetValue(app) is { } name)
                await AppAsync(data, name, "stop", cancel);
            else if (!await StopAllAsync(data, cancel))
                AnsiConsole.WriteLine("Nothing runs.");
            return 0;
        });
        return command;
    }

    private static Command Restart()
    {
        var app = new Argument<string>("app") { Description = "The app." };
        var command = new Command("restart", "Starts an app again, also one that was stopped.") { app };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await AppAsync(stack.Data(parsed, Repository.Find()), parsed.GetValue(app)!, "restart", cancel);
            return 0;
        });
        return command;
    }

    private static Command Down()
    {
        var command = new Command("down", "Stops everything, also what a platform that was killed has left behind. Data stays.");
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            await DownAsync(stack.Data(parsed, Repository.Find()), cancel);
            return 0;
        });
        return command;
    }

    private static Command Reset()
    {
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask." };
        var command = new Command("reset", "Stops everything and throws all its data away: databases, messages, workflows, logs.") { yes };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var data = stack.Data(parsed, Repository.Find());
            if (!parsed.GetValue(yes))
            {
                if (Console.IsInputRedirected)
                    throw new CommandException("reset throws data away; without a terminal to ask on it needs --yes.");
                if (!await new ConfirmationPrompt($"Throw away everything in {data.Path}?") { DefaultValue = false }.ShowAsync(AnsiConsole.Console, cancel))
                    return 1;
            }

            await DownAsync(data, cancel);
            PostgresServer.Delete(data.Path);
            if (Directory.Exists(data.Path))
                Directory.Delete(data.Path, recursive: true);
            AnsiConsole.WriteLine($"{data.Path} is gone.");
            return 0;
        });
        return command;
    }

    private static async Task DownAsync(DataFolder data, CancellationToken cancel)
    {
        var stopped = await StopAllAsync(data, cancel);
        if (!Directory.Exists(data.Path))
        {
            AnsiConsole.WriteLine("Nothing runs.");
            return;
        }

        using var held = data.TryLock() ?? throw new CommandException($"A platform is still starting or stopping on {data.Path}.");
        var state = new RunState(data.Path);
        var ended = await state.EndLeftoversAsync(LeftoverGrace, cancel);
        await PostgresServer.EndLeftoverAsync(data.Path, cancel);
        state.Delete();
        foreach (var (name, process) in ended)
            AnsiConsole.WriteLine($"ended {name} (pid {process.Pid}), left behind by a platform that was killed");
        if (!stopped && ended.Count == 0)
            AnsiConsole.WriteLine("Nothing runs.");
    }

    /// <returns>False when nothing ran.</returns>
    private static async Task<bool> StopAllAsync(DataFolder data, CancellationToken cancel)
    {
        using var client = new ControlClient(data.Socket);
        if (await client.StatusAsync(cancel) is not { Pid: { } pid })
            return false;
        var platform = ProcessTable.Find(pid);
        await client.StopAsync(cancel);
        var printer = new StackPrinter(AnsiConsole.Console);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(StopLimit);
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(30));
        try
        {
            while (platform is { } identity && ProcessTable.IsAlive(identity))
                await interval.WaitForNextTickAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new CommandException($"The platform (pid {pid}) has not stopped within {StopLimit.TotalSeconds:F0} s; its log: {data.PlatformLog}");
        }

        printer.Progress("everything is stopped");
        return true;
    }

    private static async Task AppAsync(DataFolder data, string app, string verb, CancellationToken cancel)
    {
        using var client = new ControlClient(data.Socket);
        try
        {
            await client.AppAsync(app, verb, cancel);
        }
        catch (HttpRequestException e)
        {
            throw new CommandException($"No platform runs on {data.Path} (./platform up starts one): {e.Message}", e);
        }

        new StackPrinter(AnsiConsole.Console).Progress(verb == "stop" ? $"{app} is stopped" : $"{app} is started");
    }
}
