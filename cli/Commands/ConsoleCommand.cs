using System.CommandLine;
using DaprPlatform.Cli.OpsConsole;

namespace DaprPlatform.Cli.Commands;

/// <summary>Who may sign in to the operations console, and what its users did.</summary>
internal static class ConsoleCommand
{
    public static Command Create() => new("console", "The accounts of the operations console, and its audit log.")
    {
        new Command("user", "Who may sign in. Without an account nobody signs in on this machine, and the console listens nowhere else.") { Add(), List(), Remove() },
        VerifyAudit(),
    };

    private static Command Add()
    {
        var name = new Argument<string>("name");
        var role = new Option<string>("--role") { Required = true, Description = "viewer looks; operator acts on apps, dead letters, workflows and settings; admin changes state and purges too." };
        role.AcceptOnlyFromAmong(["viewer", "operator", "admin"]);
        var command = new Command("add", "Adds an account, or gives one another password and role. The password is read from the standard input.") { name, role };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var accounts = AccountsOf(stack, parsed);
            var password = await PasswordAsync(cancel) ?? throw new CommandException("The password is read from the standard input: one line.");
            accounts.Set(parsed.GetRequiredValue(name), Enum.Parse<ConsoleRole>(parsed.GetRequiredValue(role), ignoreCase: true), password);
            Console.Out.WriteLine($"{parsed.GetValue(name)} may sign in as {parsed.GetValue(role)}");
            return 0;
        });
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", "Every account with its role.");
        var stack = StackOptions.AddTo(command);
        command.SetAction(parsed =>
        {
            foreach (var user in AccountsOf(stack, parsed).All())
                Console.Out.WriteLine($"{user.Name} {user.Role.ToString().ToLowerInvariant()}");
            return 0;
        });
        return command;
    }

    private static Command Remove()
    {
        var name = new Argument<string>("name");
        var command = new Command("remove", "Takes an account away; who is signed in with it is signed out.") { name };
        var stack = StackOptions.AddTo(command);
        command.SetAction(parsed => AccountsOf(stack, parsed).Remove(parsed.GetRequiredValue(name)) ? 0 : throw new CommandException($"There is no account {parsed.GetValue(name)}."));
        return command;
    }

    private static Command VerifyAudit()
    {
        var command = new Command("verify-audit", "Checks that no line of the console's audit log was changed or taken out.");
        var stack = StackOptions.AddTo(command);
        command.SetAction(parsed =>
        {
            var log = Path.Combine(stack.Data(parsed, Repository.Find()).Path, AuditLog.FileName);
            if (!File.Exists(log))
                throw new CommandException($"There is no audit log {log} yet.");
            if (AuditLog.FirstBroken(log) is { } line)
                throw new CommandException($"Line {line} of {log} does not follow from the one before it.");
            Console.Out.WriteLine("every line follows from the one before it");
            return 0;
        });
        return command;
    }

    private static Accounts AccountsOf(StackOptions stack, ParseResult parsed) => new(Path.Combine(stack.Data(parsed, Repository.Find()).Path, Accounts.FileName));

    private static async Task<string?> PasswordAsync(CancellationToken cancel)
    {
        if (Console.IsInputRedirected)
            return await Console.In.ReadLineAsync(cancel);
        var prompt = new Spectre.Console.TextPrompt<string>("Password:") { IsSecret = true };
        return await prompt.ShowAsync(Spectre.Console.AnsiConsole.Console, cancel);
    }
}
