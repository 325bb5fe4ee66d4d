using System.CommandLine;
using System.Text.Json;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Postgres;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

/// <summary>Looks at everything that <c>up</c> needs, without changing anything.</summary>
internal static class DoctorCommand
{
    private const double Gigabyte = 1024 * 1024 * 1024;
    private const double NeededMemoryGigabytes = 2;
    private const double NeededDiskGigabytes = 2;

    private sealed record Finding(string Check, bool Ok, string Text);

    public static Command Create()
    {
        var json = StackOptions.Json();
        var offset = new Option<int>("--port-offset") { Description = "Look at the ports shifted by this." };
        var command = new Command("doctor", "Checks what the platform needs: SDK, Node.js, PostgreSQL, ports and who holds them, memory, disk.") { json, offset };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var repository = Repository.Find();
            var findings = new List<Finding>();
            Add(findings, ".NET SDK", repository.IsPublication ? ($"not needed: .NET {Environment.Version} came along", null) : await Prerequisites.SdkAsync(cancel));
            Add(findings, "Node.js", await Prerequisites.NodeAsync(cancel, repository.Node));
            findings.Add(await PostgresAsync(repository, cancel));
            var data = stack.Data(parsed, repository);
            findings.AddRange(await PortsAsync(stack.RunFile(parsed, repository), parsed.GetValue(offset), data, cancel));
            findings.Add(Memory());
            findings.Add(Disk(data));
            if (parsed.GetValue(json))
                Console.Out.WriteLine(JsonSerializer.Serialize(findings, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));
            else
                Print(findings);
            return findings.TrueForAll(f => f.Ok) ? 0 : 1;
        });
        return command;
    }

    private static void Add(List<Finding> findings, string check, (string? Version, string? Problem) answer) =>
        findings.Add(new Finding(check, answer.Problem is null, answer.Problem ?? answer.Version!));

    private static async Task<Finding> PostgresAsync(Repository repository, CancellationToken cancel)
    {
        try
        {
            var binaries = await PostgresBinaries.LocateAsync(repository, static _ => { }, cancel);
            return new Finding("PostgreSQL", true, $"{binaries.Version} from {binaries.Origin}");
        }
        catch (CommandException e)
        {
            return new Finding("PostgreSQL", false, e.Message);
        }
    }

    private static async Task<List<Finding>> PortsAsync(string path, int offset, DataFolder data, CancellationToken cancel)
    {
        RunFile file;
        IReadOnlyList<TakenPort> taken;
        try
        {
            file = RunFileReader.Read(path, offset);
            taken = PortCheck.Find(file);
        }
        catch (Exception e) when (e is RunFileException or CommandException)
        {
            return [new Finding("run file", false, e.Message)];
        }

        using var client = new ControlClient(data.Socket);
        var own = await client.StatusAsync(cancel) is { } status
            ? ((int?[])[status.Pid, status.Postgres?.Pid, .. status.Apps.Select(a => a.Pid)]).OfType<int>().SelectMany(ProcessTable.Tree).ToHashSet()
            : [];
        var foreign = taken.Where(t => t.Owner.Pid is null || !own.Contains(t.Owner.Pid.Value)).ToList();
        var findings = new List<Finding> { new("run file", true, $"{file.Apps.Count} apps in {path}") };
        findings.AddRange(foreign.Select(t => new Finding($"port {t.Port.Number}", false, $"{t.Use} ({t.Port.Setting?.Field}, line {t.Port.Setting?.Line}) is held by {t.Owner}")));
        if (foreign.Count == 0)
            findings.Add(new Finding("ports", true, own.Count > 0 ? "all held by the running stack or free" : "all free"));
        return findings;
    }

    private static Finding Memory()
    {
        var available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / Gigabyte;
        if (File.Exists("/proc/meminfo") && File.ReadLines("/proc/meminfo").FirstOrDefault(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal)) is { } line)
            available = long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) * 1024 / Gigabyte;
        return new Finding("memory", available >= NeededMemoryGigabytes, $"{available:F1} GB available, {NeededMemoryGigabytes:F0} GB wanted");
    }

    private static Finding Disk(DataFolder data)
    {
        var folder = new DirectoryInfo(data.Path);
        while (!folder.Exists && folder.Parent is not null)
            folder = folder.Parent;
        var free = new DriveInfo(folder.FullName).AvailableFreeSpace / Gigabyte;
        return new Finding("disk", free >= NeededDiskGigabytes, $"{free:F1} GB free for {data.Path}, {NeededDiskGigabytes:F0} GB wanted");
    }

    private static void Print(List<Finding> findings)
    {
        foreach (var finding in findings)
            AnsiConsole.MarkupLine($"{(finding.Ok ? "[green]✓[/]" : "[red]![/]")} {Markup.Escape(finding.Check)}: {Markup.Escape(finding.Text)}");
    }
}
