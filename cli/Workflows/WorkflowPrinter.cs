using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Spectre.Console;

namespace DaprPlatform.Cli.Workflows;

/// <summary>Workflows for people, and as JSON for programs.</summary>
internal sealed class WorkflowPrinter(IAnsiConsole console)
{
    private const int ShortText = 60;
    private static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Json(object value) => Console.Out.WriteLine(JsonSerializer.Serialize(value, Indented));

    public static object ToJson(WorkflowState state) => new
    {
        id = state.InstanceId,
        workflow = state.Name,
        status = Words.Status(state.WorkflowStatus),
        customStatus = Payload(state.CustomStatus),
        created = Time(state.CreatedTimestamp),
        updated = Time(state.LastUpdatedTimestamp),
        input = Payload(state.Input),
        output = Payload(state.Output),
        failure = state.FailureDetails is { } failure ? new { type = failure.ErrorType, message = failure.ErrorMessage, stackTrace = failure.StackTrace } : null,
    };

    public static object ToJson(TimelineStep step) => new
    {
        id = step.Id,
        kind = step.Kind,
        what = step.What,
        at = step.At.UtcDateTime,
        startMs = Math.Round(step.Start.TotalMilliseconds, 3),
        durationMs = step.Duration is { } duration ? Math.Round(duration.TotalMilliseconds, 3) : (double?)null,
        state = step.State.ToString().ToLowerInvariant(),
        input = Payload(step.Input),
        outcome = Payload(step.Outcome),
    };

    public void List(IReadOnlyList<WorkflowState> states)
    {
        if (states.Count == 0)
        {
            console.WriteLine("There are none.");
            return;
        }

        var table = new Table().Border(TableBorder.Rounded).AddColumns("instance", "workflow", "status", "started", "took", "custom status");
        foreach (var state in states)
        {
            var took = IsOver(state) ? Duration(state.LastUpdatedTimestamp.ToDateTime() - state.CreatedTimestamp.ToDateTime()) : "";
            table.AddRow(Markup.Escape(state.InstanceId), Markup.Escape(state.Name), Colored(state.WorkflowStatus), Clock(state.CreatedTimestamp), took, Markup.Escape(Short(state.CustomStatus)));
        }

        console.Write(table);
    }

    public void Show(WorkflowState state, IReadOnlyList<TimelineStep> steps)
    {
        var grid = new Grid().AddColumn(new GridColumn().NoWrap()).AddColumn();
        void Row(string name, string value) => grid.AddRow($"[grey]{name}[/]", value);
        Row("instance", Markup.Escape(state.InstanceId));
        Row("workflow", Markup.Escape(state.Name));
        Row("status", Colored(state.WorkflowStatus));
        if (!string.IsNullOrEmpty(state.CustomStatus))
            Row("custom status", Markup.Escape(state.CustomStatus));
        Row("started", Clock(state.CreatedTimestamp));
        Row(IsOver(state) ? "ended" : "last turn", Clock(state.LastUpdatedTimestamp));
        if (!string.IsNullOrEmpty(state.Input))
            Row("input", Markup.Escape(Pretty(state.Input)));
        if (!string.IsNullOrEmpty(state.Output))
            Row("output", Markup.Escape(Pretty(state.Output)));
        if (state.FailureDetails is { } failure)
            Row("failure", $"[red]{Markup.Escape(Words.Failure(failure))}[/]{(string.IsNullOrEmpty(failure.StackTrace) ? "" : "\n" + Markup.Escape(failure.StackTrace))}");
        foreach (var open in steps.Where(s => s.State == StepState.Open))
            Row("waits for", Markup.Escape($"{open.Kind} {open.What} since {Duration(open.Start)} after the start"));
        console.Write(grid);
    }

    public void History(string id, IReadOnlyList<TimelineStep> steps)
    {
        var table = new Table().Border(TableBorder.Rounded).Title(Markup.Escape(id)).AddColumns("at", "took", "#", "", "what", "input", "outcome");
        table.Columns[0].RightAligned();
        table.Columns[1].RightAligned();
        table.Columns[2].RightAligned();
        foreach (var step in steps)
        {
            var mark = step.State switch
            {
                StepState.Succeeded => "[green]✓[/]",
                StepState.Failed => "[red]✗[/]",
                StepState.Open => "[yellow]…[/]",
                _ => "[grey]•[/]",
            };
            table.AddRow(
                $"[grey]+{Duration(step.Start)}[/]",
                step.Duration is { } duration ? Duration(duration) : step.State == StepState.Open ? "[yellow]open[/]" : "",
                step.Id?.ToString(CultureInfo.InvariantCulture) ?? "",
                mark,
                $"[bold]{Markup.Escape(step.Kind)}[/] {Markup.Escape(step.What)}",
                Markup.Escape(Short(step.Input)),
                step.State == StepState.Failed ? $"[red]{Markup.Escape(Short(step.Outcome))}[/]" : Markup.Escape(Short(step.Outcome)));
        }

        console.Write(table);
    }

    /// <summary>Such as 1.2 ms, 3.45 s, 2 h 5 min.</summary>
    public static string Duration(TimeSpan time) => time.TotalMilliseconds switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.#} ms"),
        < 60_000 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.##} s"),
        < 3_600_000 => string.Create(CultureInfo.InvariantCulture, $"{time.Minutes} min {time.Seconds} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours} h {time.Minutes} min"),
    };

    private static bool IsOver(WorkflowState state) =>
        state.WorkflowStatus is OrchestrationStatus.Completed or OrchestrationStatus.Failed or OrchestrationStatus.Terminated or OrchestrationStatus.Canceled;

    private static string Colored(OrchestrationStatus status)
    {
        var color = status switch
        {
            OrchestrationStatus.Completed => "green",
            OrchestrationStatus.Failed or OrchestrationStatus.Stalled => "red",
            OrchestrationStatus.Terminated or OrchestrationStatus.Canceled => "maroon",
            OrchestrationStatus.Suspended => "yellow",
            _ => "blue",
        };
        return $"[{color}]{Words.Status(status)}[/]";
    }

    // Before the first turn an instance has no times.
    private static DateTime? Time(Timestamp? time) => time is null || time.Seconds < 0 ? null : time.ToDateTime();

    private static string Clock(Timestamp? time) => Time(time) is { } at ? at.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture) : "not yet";

    private static JsonNode? Payload(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }

    private static string Pretty(string text) => Payload(text) is { } node and not JsonValue ? node.ToJsonString(Indented) : text;

    private static string Short(string? text) => text is null ? "" : text.Length <= ShortText ? text : string.Concat(text.AsSpan(0, ShortText - 1), "…");
}
