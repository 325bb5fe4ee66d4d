using System.Text.Json;
using DaprPlatform.Cli.Postgres;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Supervision;

/// <summary>A process that a platform started, as its run file of <c>.platform/run.json</c> has it.</summary>
internal sealed record RecordedProcess(string Name, int Pid, long Started);

/// <summary>
/// Which processes belong to the stack of a data folder, kept on disk so that the next start finds what a killed platform left behind.
/// On Linux the children also carry <see cref="Mark"/> in their environment: one started a moment before the kill, and not yet recorded, is found by it.
/// </summary>
internal sealed class RunState(string dataFolder)
{
    public const string Mark = "DAPR_PLATFORM_DATA";

    private readonly string _file = Path.Combine(dataFolder, "run.json");
    private readonly Lock _lock = new();
    private readonly Dictionary<string, RecordedProcess> _processes = [];

    /// <summary>For the environment of every child.</summary>
    public IReadOnlyDictionary<string, string> ChildEnvironment { get; } = new Dictionary<string, string> { [Mark] = dataFolder };

    /// <summary>Records the process of a program; null when it has none any more.</summary>
    public void Set(string name, ProcessIdentity? process)
    {
        lock (_lock)
        {
            if (process is { } identity)
                _processes[name] = new RecordedProcess(name, identity.Pid, identity.Started);
            else
                _processes.Remove(name);
            var draft = _file + ".new";
            File.WriteAllText(draft, JsonSerializer.Serialize(_processes.Values, JsonSerializerOptions.Web));
            File.Move(draft, _file, overwrite: true);
        }
    }

    public void Delete()
    {
        lock (_lock)
        {
            _processes.Clear();
            File.Delete(_file);
        }
    }

    /// <summary>What an earlier platform of this folder started and what still runs.</summary>
    public IReadOnlyList<(string Name, ProcessIdentity Process)> Leftovers()
    {
        var found = new Dictionary<int, (string, ProcessIdentity)>();
        foreach (var recorded in Recorded())
        {
            var identity = new ProcessIdentity(recorded.Pid, recorded.Started);
            if (ProcessTable.IsAlive(identity))
                found[recorded.Pid] = (recorded.Name, identity);
        }

        foreach (var pid in ProcessTable.Pids())
        {
            if (pid != Environment.ProcessId && !found.ContainsKey(pid) && ProcessTable.HasEnvironment(pid, Mark, dataFolder) && ProcessTable.Find(pid) is { } identity)
                found[pid] = (Path.GetFileName(ProcessTable.Command(pid)?.Split(' ')[0] ?? "?"), identity);
        }

        return [.. found.Values];
    }

    /// <summary>Ends the leftovers: asked first, killed after <paramref name="grace"/>.</summary>
    /// <returns>What was ended.</returns>
    public async Task<IReadOnlyList<(string Name, ProcessIdentity Process)>> EndLeftoversAsync(TimeSpan grace, CancellationToken cancel)
    {
        var leftovers = Leftovers();
        var servers = leftovers.Where(l => l.Name == PostgresServer.ProgramName).Select(l => l.Process).ToList();
        // The database last: what still writes to it gets to finish.
        await Processes.Leftovers.EndAsync([.. leftovers.Select(l => l.Process).Except(servers)], Signal.Terminate, grace, cancel);
        await Processes.Leftovers.EndAsync(servers, Signal.Interrupt, grace, cancel);
        return leftovers;
    }

    private RecordedProcess[] Recorded()
    {
        if (!File.Exists(_file))
            return [];
        try
        {
            return JsonSerializer.Deserialize<RecordedProcess[]>(File.ReadAllText(_file), JsonSerializerOptions.Web) ?? [];
        }
        catch (JsonException)
        {
            // Half-written by a machine that went down: its processes are gone with it, and the mark finds any that are not.
            return [];
        }
    }
}
