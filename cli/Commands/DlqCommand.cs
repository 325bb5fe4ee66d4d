using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.DeadLetters;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

/// <summary>Events that a consumer could not process: what they are, why, and back to their topic.</summary>
internal static class DlqCommand
{
    public static Command Create() => new("dlq", "Shows and replays the events in the dead-letter topics of a running stack.") { List(), Show(), Replay() };

    private static Command List()
    {
        var all = new Option<bool>("--all") { Description = "Also those that were replayed." };
        var json = StackOptions.Json();
        var command = new Command("list", "Dead letters that were not replayed, the oldest first.") { all, json };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            using var client = new ControlClient(stack.Data(parsed, Repository.Find()).Socket);
            var letters = await client.DeadLettersAsync(parsed.GetValue(all), cancel);
            if (parsed.GetValue(json))
            {
                Json(letters);
                return 0;
            }

            if (letters.Count == 0)
                AnsiConsole.WriteLine("No dead letters.");
            var table = new Table().Border(TableBorder.Rounded).AddColumns("id", "type", "subject", "consumer", "attempts", "cause", "since", "replayed");
            foreach (var letter in letters)
                table.AddRow(((string?[])[letter.Id, letter.Type, letter.Subject, letter.Consumer, $"{letter.Attempts}", letter.Cause, $"{letter.At:u}", letter.ReplayedAt is { } at ? $"{at:u}" : "-"])
                    .Select(t => Markup.Escape(t ?? "-")).ToArray());
            if (letters.Count > 0)
                AnsiConsole.Write(table);
            return 0;
        });
        return command;
    }

    private static Command Show()
    {
        var id = new Argument<string>("id") { Description = "As dlq list says it: topic/partition/offset." };
        var json = StackOptions.Json();
        var command = new Command("show", "One dead letter: who could not process it, why, after how many attempts, and the event itself.") { id, json };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            using var client = new ControlClient(stack.Data(parsed, Repository.Find()).Socket);
            var letter = await client.GetAsync<DeadLetter>($"api/v1/dead-letters/{Uri.EscapeDataString(parsed.GetRequiredValue(id))}", cancel);
            if (parsed.GetValue(json))
            {
                Json(letter);
                return 0;
            }

            var grid = new Grid().AddColumn(new GridColumn().NoWrap()).AddColumn();
            foreach (var (name, value) in ((string, string?)[])
                [("id", letter.Id), ("consumer", letter.Consumer), ("cause", letter.Cause), ("attempts", letter.Attempts?.ToString(CultureInfo.InvariantCulture)), ("read at", letter.From), ("since", $"{letter.At:u}"),
                    ("replayed", letter.ReplayedAt is { } at ? $"{at:u}" : "no"), ("event", letter.EventId), ("type", letter.Type), ("published by", letter.Source), ("subject", letter.Subject)])
                grid.AddRow(Markup.Escape(name), Markup.Escape(value ?? "-"));
            AnsiConsole.Write(grid);
            Json(letter.Event);
            return 0;
        });
        return command;
    }

    private static Command Replay()
    {
        var ids = new Argument<string[]>("ids") { Arity = ArgumentArity.ZeroOrMore, Description = "As dlq list says them." };
        var all = new Option<bool>("--all") { Description = "Every dead letter that was not replayed." };
        var json = StackOptions.Json();
        var command = new Command("replay", "Publishes dead letters again, each to its own topic under its own id.") { ids, all, json };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var wanted = parsed.GetValue(ids) ?? [];
            if (wanted.Length > 0 == parsed.GetValue(all))
                throw new CommandException("Name dead letters, or say --all.");
            using var client = new ControlClient(stack.Data(parsed, Repository.Find()).Socket);
            var count = await client.ReplayAsync(wanted, cancel);
            if (parsed.GetValue(json))
                Json(new { Replayed = count });
            else
                AnsiConsole.WriteLine($"{count} replayed");
            return 0;
        });
        return command;
    }

    private static void Json<T>(T value) => Console.Out.WriteLine(JsonSerializer.Serialize(value, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));
}
