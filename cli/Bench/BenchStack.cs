using System.Diagnostics;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Bench;

/// <summary>A stack of its own for one measurement: fresh data, other ports than a developer's stack, gone afterwards.</summary>
internal sealed class BenchStack : IAsyncDisposable
{
    private const int InterruptedExitCode = 130;
    private readonly Repository _repository;
    private readonly string _runFile;
    private readonly string _data;

    private BenchStack(Repository repository, string runFile, string data) => (_repository, _runFile, _data) = (repository, runFile, data);

    /// <summary>From the start of the command on what is built to everything healthy.</summary>
    public double StartSeconds { get; private set; }

    public StackStatus Status { get; private set; } = StackStatus.None;

    /// <exception cref="CommandException">It does not start.</exception>
    public static async Task<BenchStack> StartAsync(
        Repository repository, string runFile, int portOffset, Action<string> report, CancellationToken cancel, bool measured = true)
    {
        var data = Path.Combine(repository.Artifacts, "bench", $"{Environment.ProcessId}");
        var stack = new BenchStack(repository, runFile, data);
        try
        {
            report("building and starting once, so that the start that is measured builds nothing");
            await stack.UpAsync(portOffset, cancel);
            if (!measured)
                return stack;
            await stack.RunAsync(["down"], cancel);
            var watch = Stopwatch.StartNew();
            await stack.UpAsync(portOffset, cancel);
            stack.StartSeconds = Math.Round(watch.Elapsed.TotalSeconds, 2);
            report($"healthy after {stack.StartSeconds} s");
            return stack;
        }
        catch
        {
            await stack.DisposeAsync();
            throw;
        }
    }

    public async Task<StackStatus> RefreshAsync(CancellationToken cancel)
    {
        using var client = new ControlClient(new DataFolder(_data).Socket);
        return Status = await client.StatusAsync(cancel) ?? throw new CommandException("The stack is gone.");
    }

    /// <summary>Processor time since its start of each part of the stack: "runtime" is the platform with every sidecar.</summary>
    public IReadOnlyDictionary<string, TimeSpan> ProcessorTimes()
    {
        var times = Parts().ToDictionary(p => p.Key, p => ProcessTable.ProcessorTime(p.Value));
        var children = times.Values.Aggregate(TimeSpan.Zero, (sum, t) => sum + t);
        if (Status.Pid is { } platform)
            times["runtime"] = ProcessTable.ProcessorTime(platform) - children;
        return times;
    }

    /// <summary>What each part of the stack has used; resident memory is counted once where processes share it.</summary>
    public StackUsage Usage()
    {
        var memory = Parts().ToDictionary(p => p.Key, p => ProcessTable.Tree(p.Value).Sum(ProcessTable.ResidentBytes));
        if (Status.Pid is { } platform)
            memory["runtime"] = ProcessTable.ResidentBytes(platform);
        return new StackUsage(ProcessorTimes(), memory);
    }

    public async ValueTask DisposeAsync() => await RunAsync(["reset", "--yes"], CancellationToken.None);

    /// <summary>Starts it, also after the platform itself was killed.</summary>
    public async Task UpAsync(int portOffset, CancellationToken cancel)
    {
        var output = await RunAsync(["up", "-d", "--json", "--unobserved", "--port-offset", $"{portOffset}"], cancel);
        var json = output[output.IndexOf('{', StringComparison.Ordinal)..(output.LastIndexOf('}') + 1)];
        Status = JsonSerializer.Deserialize<StackStatus>(json, ControlJson.Options)!;
    }

    private Dictionary<string, int> Parts() =>
        Status.Apps.Select(a => (Name: a.App, a.Pid)).Append((Name: "postgres", Status.Postgres?.Pid)).Where(p => p.Pid is not null).ToDictionary(p => p.Name, p => p.Pid!.Value);

    private async Task<string> RunAsync(string[] arguments, CancellationToken cancel)
    {
        var result = await ToolRun.RunAsync(Repository.DotnetHost,
            [typeof(BenchStack).Assembly.Location, .. arguments, "--file", _runFile, "--data-dir", _data], _repository.Root, cancel,
            new Dictionary<string, string> { [Repository.RootVariable] = _repository.Root });
        return OutputOf(arguments[0], result, cancel.IsCancellationRequested);
    }

    /// <exception cref="CalledOffException">It was interrupted, and not by its own fault: Ctrl-C reaches what was started here too, which may end before it is known here.</exception>
    /// <exception cref="CommandException">It failed; the message says how.</exception>
    internal static string OutputOf(string command, ToolResult result, bool isCalledOff)
    {
        if (result.Succeeded && !isCalledOff)
            return result.Output;
        if (isCalledOff || result.ExitCode == InterruptedExitCode)
            throw new CalledOffException($"Called off while `platform {command}` was at work. The stack of the run is stopped and its data are gone.");
        var said = result.Output.Trim();
        throw new CommandException($"platform {command} failed with exit code {result.ExitCode}{(said.Length == 0 ? " and said nothing" : $":\n{said}")}");
    }
}
