using System.Globalization;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Supervision;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

/// <summary>What a person sees of a stack: the lines while it starts, and the table.</summary>
/// <param name="console">Where to.</param>
/// <param name="timed">Each line with its time: for a log.</param>
internal sealed class StackPrinter(IAnsiConsole console, bool timed = false)
{
    private const double BytesPerMegabyte = 1024 * 1024;

    public void Event(StackEvent item)
    {
        var (mark, style) = item.Kind switch
        {
            EventKind.Done => ("✓", "green"),
            EventKind.Problem => ("!", "red"),
            _ => ("·", "grey"),
        };
        var time = timed ? item.At.ToString("yyyy-MM-dd HH:mm:ss.fff'Z' ", CultureInfo.InvariantCulture) : "";
        console.MarkupLine($"{time}[{style}]{mark}[/] {Markup.Escape(item.Text)}");
    }

    public void Progress(string text) => Event(new StackEvent(default, EventKind.Progress, text));

    public static void Json(StackStatus status) => Console.Out.WriteLine(JsonSerializer.Serialize(status, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));

    public void Status(StackStatus status)
    {
        if (!status.Running)
        {
            console.WriteLine("Nothing runs. Start it with ./platform up");
            return;
        }

        var apps = new Table().Border(TableBorder.Rounded).AddColumns("app", "URL", "Swagger UI", "Dapr HTTP", "Dapr gRPC", "memory", "health");
        foreach (var app in status.Apps)
            apps.AddRow(Markup.Escape(app.App), app.Url ?? "-", app.SwaggerUrl ?? "-", $"{app.DaprHttpPort}", $"{app.DaprGrpcPort}", Megabytes(app.ResidentBytes), Health(app));
        if (status.Postgres is { } postgres)
        {
            apps.AddRow("postgres", $"localhost:{postgres.Port}", $"[grey]{postgres.Version}[/]", "-", "-", Megabytes(postgres.ResidentBytes),
                State(postgres.State, postgres.Restarts, postgres.Note));
        }

        console.Write(apps);
        if (status.Components.Count > 0)
        {
            var components = new Table().Border(TableBorder.Rounded).AddColumns("component", "type → what stands for it", "apps");
            foreach (var component in status.Components)
            {
                components.AddRow(Markup.Escape(component.Name), Markup.Escape(component.StandsFor is { } stand ? $"{component.Type} → {stand}" : component.Type),
                    Markup.Escape(string.Join(", ", component.Apps)));
            }

            console.Write(components);
        }

        if (status.ConsoleUrl is { } url)
            console.WriteLine($"operations console {url}");
        console.WriteLine($"pid {status.Pid}, up {TimeSpan.FromSeconds(status.UptimeSeconds):d\\.hh\\:mm\\:ss}, memory {Megabytes(status.ResidentBytes)} "
            + $"(runtime with every sidecar {Megabytes(status.RuntimeResidentBytes)})");
    }

    private static string Health(AppStatus app) => app is { State: UnitState.Healthy, SidecarHealthy: false }
        ? "[yellow]sidecar not healthy[/]"
        : State(app.State, app.Restarts, app.Note);

    private static string State(UnitState state, int restarts, string? note)
    {
        var (text, style) = state switch
        {
            UnitState.Healthy => ("healthy", "green"),
            UnitState.Starting => ("starting", "yellow"),
            UnitState.Waiting => ("restarting", "red"),
            UnitState.Stopping => ("stopping", "yellow"),
            _ => ("stopped", "grey"),
        };
        var history = restarts == 0 ? "" : $", restarted {restarts}×: {Markup.Escape(FirstLine(note ?? ""))}";
        return $"[{style}]{text}[/]{history}";
    }

    private static string FirstLine(string text)
    {
        const int longest = 80;
        var line = text.Split('\n')[0];
        return line.Length > longest ? line[..longest] + "…" : line;
    }

    private static string Megabytes(long bytes) => $"{bytes / BytesPerMegabyte:F0} MB";
}
