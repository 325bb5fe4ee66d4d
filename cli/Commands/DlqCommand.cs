using System.CommandLine;
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
            var table = new Table().Border(TableBorder.Rounded).AddColumns("id", "event", "type", "subject", "since", "replayed");
            foreach (var letter in letters)
                table.AddRow(((string?[])[letter.Id, letter.EventId, letter.Type, letter.Subject, $"{letter.At:u}", letter.ReplayedAt is { } at ? $"{at:u}" : "-"])
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
        var command = new Command("show", "One dead letter with its event, and what the logs say of it.") { id };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var data = stack.Data(parsed, Repository.Find());
            using var client = new ControlClient(data.Socket);
            var letter = (await client.DeadLettersAsync(all: true, cancel)).FirstOrDefault(l => l.Id == parsed.GetValue(id))
                ?? throw new CommandException($"There is no dead letter {parsed.GetValue(id)}.");
            Json(letter);
            foreach (var line in Mentions(data.Logs, letter.EventId))
                Console.Out.WriteLine(line);
            return 0;
        });
        return command;
    }

    private static Command Replay()
    {
        var ids = new Argument<string[]>("ids") { Arity = ArgumentArity.ZeroOrMore, Description = "As dlq list says them." };
        var all = new Option<bool>("--all") { Description = "Every dead letter that was not replayed." };
        var command = new Command("replay", "Publishes dead letters again, each to its own topic under its own id.") { ids, all };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var wanted = parsed.GetValue(ids) ?? [];
            if (wanted.Length > 0 == parsed.GetValue(all))
                throw new CommandException("Name dead letters, or say --all.");
            using var client = new ControlClient(stack.Data(parsed, Repository.Find()).Socket);
            AnsiConsole.WriteLine($"{await client.ReplayAsync(wanted, cancel)} replayed");
            return 0;
        });
        return command;
    }

    // The consumer says why when it refuses an event, with its id.
    private static IEnumerable<string> Mentions(string logs, string? eventId)
    {
        const int most = 20;
        if (eventId is not { Length: > 0 } || !Directory.Exists(logs))
            return [];
        return Directory.GetFiles(logs, "*.log").Order(StringComparer.Ordinal)
            .SelectMany(file => Lines(file).Where(line => line.Contains(eventId, StringComparison.Ordinal)).Select(line => $"{Path.GetFileNameWithoutExtension(file)}: {line}"))
            .TakeLast(most);
    }

    private static IEnumerable<string> Lines(string file)
    {
        using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        while (reader.ReadLine() is { } line)
            yield return line;
    }

    private static void Json<T>(T value) => Console.Out.WriteLine(JsonSerializer.Serialize(value, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));
}
