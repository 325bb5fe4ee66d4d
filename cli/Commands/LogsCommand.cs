using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.OpsConsole;
using DaprPlatform.Cli.OpsConsole.Logs;

namespace DaprPlatform.Cli.Commands;

/// <summary>Logs through the console's API; those of a stack that does not run are read from its folder by the same code.</summary>
internal sealed class LogsCommand
{
    private const string SidecarSuffix = ".daprd";
    private const int PageSize = 1000;
    private readonly Argument<string?> _app = new("app") { Arity = ArgumentArity.ZeroOrOne, Description = "An app, APP.daprd for its sidecar, postgres or platform; without it all of them." };
    private readonly Option<bool> _follow = new("--follow", "-f") { Description = "Go on with what is written from now." };
    private readonly Option<int> _lines = new("--lines", "-n") { DefaultValueFactory = _ => 50, Description = "How many lines of the past." };
    private readonly Option<string> _level = new("--level") { DefaultValueFactory = _ => "debug", Description = "The least level: debug, info, warn or error." };
    private readonly Option<string?> _text = new("--text") { Description = "Only lines with this text, in any case." };
    private readonly Option<string?> _trace = new("--trace") { Description = "Only lines of this trace." };
    private readonly Option<bool> _json = StackOptions.Json();

    public static Command Create()
    {
        var own = new LogsCommand();
        own._level.AcceptOnlyFromAmong("debug", "info", "warn", "error");
        own._lines.Validators.Add(result => { if (result.GetValue(own._lines) < 0) result.AddError("--lines is not negative"); });
        var command = new Command("logs", "Shows what the apps wrote.") { own._app, own._follow, own._lines, own._level, own._text, own._trace, own._json };
        var stack = StackOptions.AddTo(command, shortFile: false);
        command.SetAction(async (parsed, cancel) =>
        {
            await own.RunAsync(stack.Data(parsed, Repository.Find()), parsed, cancel);
            return 0;
        });
        return command;
    }

    private async Task RunAsync(DataFolder data, ParseResult parsed, CancellationToken cancel)
    {
        var query = Query(data, parsed);
        var filter = LogFilter.Parse(new StreamFilter(query));
        var text = string.Join('&', query.SelectMany(q => q.Value.Select(v => $"{q.Key}={Uri.EscapeDataString(v)}")));
        using var client = new ControlClient(data.Socket);
        var running = await client.StatusAsync(cancel) is not null;
        var book = new LogBook(data);
        // The stream first: what is written between the two is in both, and printed once.
        using var stream = running && parsed.GetValue(_follow) ? await client.OpenStreamAsync($"topics=logs&{text}", cancel) : null;
        var printed = new HashSet<string>(StringComparer.Ordinal);
        var past = await PastAsync(parsed.GetValue(_lines), (before, limit) => running
            ? client.GetAsync<Page<LogLine>>($"api/v1/logs?limit={limit.ToString(CultureInfo.InvariantCulture)}&{text}{(before is null ? "" : $"&before={Uri.EscapeDataString(before)}")}", cancel)
            : Task.FromResult(book.Read(filter, before, limit)));
        foreach (var line in past)
        {
            printed.Add(line.Id);
            Print(line, parsed);
        }

        if (stream is null)
        {
            if (past.Count == 0 && LogFile.All(data).Count == 0)
                throw new CommandException("There are no logs yet.");
            if (parsed.GetValue(_follow) && !running)
                throw new CommandException("Nothing runs there that would write more.");
            return;
        }

        await foreach (var (topic, message) in stream.ReadAsync(cancel))
        {
            if (topic != StreamTopics.Logs)
                continue;
            foreach (var line in JsonSerializer.Deserialize<LogLine[]>(message, ControlJson.Options)!)
            {
                if (!printed.Remove(line.Id))
                    Print(line, parsed);
            }
        }
    }

    private static async Task<List<LogLine>> PastAsync(int lines, Func<string?, int, Task<Page<LogLine>>> page)
    {
        var past = new List<LogLine>();
        string? next = null;
        while (past.Count < lines)
        {
            var found = await page(next, Math.Min(lines - past.Count, PageSize));
            past.InsertRange(0, found.Items);
            if ((next = found.Next) is null)
                break;
        }

        return past;
    }

    /// <exception cref="CommandException">There is no such log.</exception>
    private Dictionary<string, IReadOnlyList<string>> Query(DataFolder data, ParseResult parsed)
    {
        var query = new Dictionary<string, IReadOnlyList<string>> { ["level"] = [parsed.GetRequiredValue(_level)] };
        if (parsed.GetValue(_app) is { } name)
        {
            var sidecar = name.EndsWith(SidecarSuffix, StringComparison.Ordinal);
            var (app, source) = sidecar ? (name[..^SidecarSuffix.Length], LogSource.Sidecar) : (name, (LogSource?)null);
            var files = LogFile.All(data);
            if (!files.Any(f => f.App == app && (sidecar ? f.Source == LogSource.Sidecar : f.Source != LogSource.Sidecar)))
            {
                var names = files.Select(f => f.Source == LogSource.Sidecar ? f.App + SidecarSuffix : f.App).Distinct().Order(StringComparer.Ordinal);
                throw new CommandException($"There is no log of {name}; there are {string.Join(", ", names)}.");
            }

            query["app"] = [app];
            source ??= files.First(f => f.App == app && f.Source != LogSource.Sidecar).Source;
            query["source"] = [source.Value.ToString().ToLowerInvariant()];
        }

        if (parsed.GetValue(_text) is { Length: > 0 } text)
            query["text"] = [text];
        if (parsed.GetValue(_trace) is { Length: > 0 } trace)
            query["trace"] = [trace];
        return query;
    }

    private void Print(LogLine line, ParseResult parsed)
    {
        if (parsed.GetValue(_json))
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(line, ConsoleJson.Options));
            return;
        }

        var who = line.Source == LogSource.Sidecar ? line.App + SidecarSuffix : line.App;
        var fields = line.Fields is { Count: > 0 } some ? $"  {string.Join(' ', some.Where(f => f.Key is not ("category" or "scope" or "app_id")).Select(f => $"{f.Key}={f.Value}"))}".TrimEnd() : "";
        var trace = line.TraceId is { } id ? $"  trace={id}" : "";
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{line.At.UtcDateTime:yyyy-MM-dd HH:mm:ss.fff}Z {who,-20} {line.Level.ToString().ToLowerInvariant(),-5} {line.Text}{fields}{trace}"));
    }
}
