using System.CommandLine;
using System.Text.Json;
using DaprPlatform.Cli.Audit;
using DaprPlatform.Cli.Control;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

/// <summary>What operators did, and whether the record of it is whole.</summary>
internal static class AuditCommand
{
    public static Command Create() => new("audit", "Shows and verifies what operators did on a running stack, and its refunds.") { List(), Verify() };

    private static Command List()
    {
        var limit = new Option<int>("--limit") { DefaultValueFactory = _ => 50, Description = "Of each service." };
        var json = StackOptions.Json();
        var command = new Command("list", "The last acts of operators and refunds, the newest first.") { limit, json };
        var options = StackOptions.AddTo(command);
        limit.Validators.Add(result => { if (result.GetValue(limit) < 1) result.AddError("--limit must be at least 1"); });
        command.SetAction(async (parsed, cancel) =>
        {
            var reader = (await RunningStack.FindAsync(options, parsed, cancel)).Audit();
            var entries = new List<AuditEntry>();
            foreach (var service in AuditReader.Services)
                entries.AddRange(await reader.ListAsync(service, parsed.GetValue(limit), cancel));
            entries.Sort(static (a, b) => b.At.CompareTo(a.At));
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(entries, ControlJson.Options));
                return 0;
            }

            var table = new Table().Border(TableBorder.Rounded).AddColumns("at", "service", "id", "who", "what", "to what", "details");
            foreach (var e in entries)
                table.AddRow(((string[])[$"{e.At:u}", e.Service, $"{e.Id}", e.Actor, e.Action, e.Subject, e.Data]).Select(Markup.Escape).ToArray());
            AnsiConsole.Write(table);
            return 0;
        });
        return command;
    }

    private static Command Verify()
    {
        var json = StackOptions.Json();
        var command = new Command("verify", "Recomputes the chain of hashes; fails when an entry was changed or taken out.") { json };
        var options = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var reader = (await RunningStack.FindAsync(options, parsed, cancel)).Audit();
            var verdicts = new List<AuditVerdict>();
            foreach (var service in AuditReader.Services)
                verdicts.Add(await reader.VerifyAsync(service, cancel));
            if (parsed.GetValue(json))
                Console.Out.WriteLine(JsonSerializer.Serialize(verdicts, ControlJson.Options));
            else
                foreach (var v in verdicts)
                    Console.Out.WriteLine(v.Broken is { } broken ? $"{v.Service}: broken at entry {broken} of {v.Entries}" : $"{v.Service}: {v.Entries} entries, whole; head {v.Head}");
            return verdicts.All(v => v.Broken is null) ? 0 : 1;
        });
        return command;
    }
}
