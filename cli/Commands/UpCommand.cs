using System.CommandLine;
using System.Net;
using DaprPlatform.Cli.Building;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.DaprEngine;
using DaprPlatform.Cli.OpsConsole;
using DaprPlatform.Cli.OpsConsole.Traces;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

internal sealed class UpCommand
{
    private const string Embedded = "embedded";
    private const string Dapr = "dapr";
    private const string ChildOption = "--in-background";
    private readonly Repository _repository;
    private readonly RunFile _file;
    private readonly DataFolder _data;
    private readonly StackPrinter _printer;
    private readonly bool _json;
    private readonly int _metricsPort;
    private readonly string _engine;
    private readonly (ConsoleDoor Door, int Port) _console;
    private readonly bool _observed;

    private UpCommand(Repository repository, RunFile file, DataFolder data, bool json, bool background, int offset, string engine, (ConsoleDoor, int) console, bool observed)
    {
        (_console, _observed) = (console, observed);
        (_repository, _file, _data, _json, _metricsPort, _engine) = (repository, file, data, json, MetricsServer.DefaultPort + offset, engine);
        // With --json the standard output holds the JSON and nothing else.
        _printer = new StackPrinter(json ? ConsoleSetup.Error() : AnsiConsole.Console, timed: background);
    }

    public static Command Create()
    {
        var detach = new Option<bool>("--detach", "-d") { Description = "Leave it running in the background once everything is healthy." };
        var offset = new Option<int>("--port-offset") { Description = "Added to every port of the run file, so that two stacks can run side by side." };
        var noBuild = new Option<bool>("--no-build") { Description = "Run what is built." };
        var json = StackOptions.Json();
        var engine = new Option<string>("--engine") { DefaultValueFactory = _ => Embedded, Description = $"{Embedded}: the runtime of this program. {Dapr}: daprd, placement and scheduler of this machine, on real servers." };
        engine.AcceptOnlyFromAmong(Embedded, Dapr);
        var consolePort = new Option<int?>("--console-port") { Description = $"Where the operations console listens; {ConsoleServer.DefaultPort} plus the offset by default." };
        var consoleAddress = new Option<string>("--console-address")
        {
            DefaultValueFactory = _ => "127.0.0.1",
            Description = "The address that it listens on. On any other than the loopback interface everybody signs in: ./platform console user add NAME --role ROLE.",
        };
        var consoleHost = new Option<string?>("--console-host") { Description = "The name that the console has for its users, where that is neither localhost nor an address." };
        consoleAddress.Validators.Add(result =>
        {
            if (!IPAddress.TryParse(result.GetValue(consoleAddress), out _))
                result.AddError("--console-address is an IP address, as 127.0.0.1 or 0.0.0.0.");
        });
        var unobserved = new Option<bool>("--unobserved") { Description = "Collect neither traces nor metrics in the console: for measurements of the apps alone." };
        var child = new Option<bool>(ChildOption) { Hidden = true };
        var command = new Command("up", "Builds and starts everything, and prints what runs where. Ctrl-C stops it.") { detach, offset, noBuild, engine, consolePort, consoleAddress, consoleHost, unobserved, json, child };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var repository = Repository.Find();
            var path = stack.RunFile(parsed, repository);
            var chosen = parsed.GetRequiredValue(engine);
            var file = RunFileReader.Read(path, parsed.GetValue(offset));
            // Said before anything is built.
            if (chosen == Dapr && DaprPrograms.Find() is null)
                throw new CommandException(DaprPrograms.Hint);
            if (chosen == Dapr)
                file = DatabaseUrl.Apply(file, Environment.GetEnvironmentVariable("DATABASE_URL"));
            var up = new UpCommand(repository, file, stack.Data(parsed, repository), parsed.GetValue(json), parsed.GetValue(child), parsed.GetValue(offset), chosen,
                (new ConsoleDoor(false, IPAddress.Parse(parsed.GetRequiredValue(consoleAddress)), parsed.GetValue(consoleHost)), parsed.GetValue(consolePort) ?? ConsoleServer.DefaultPort + parsed.GetValue(offset)), !parsed.GetValue(unobserved));
            await up.RefuseSecondAsync(cancel);
            if (repository.IsPublication)
                await Prerequisites.CheckAsync(file, cancel);
            else if (!parsed.GetValue(noBuild))
                await up.BuildAsync(cancel);
            if (!parsed.GetValue(detach))
                return await up.RunAsync(parsed.GetValue(child), cancel);
            string[] options = ["--file", path, "--data-dir", up._data.Path, "--port-offset", $"{parsed.GetValue(offset)}", "--engine", chosen, "--console-address", parsed.GetRequiredValue(consoleAddress), "--console-port", $"{up._console.Port}"];
            if (parsed.GetValue(unobserved))
                options = [.. options, "--unobserved"];
            if (parsed.GetValue(consoleHost) is { } host)
                options = [.. options, "--console-host", host];
            return await up.DetachAsync(options, cancel);
        });
        return command;
    }

    private async Task RefuseSecondAsync(CancellationToken cancel)
    {
        using var client = new ControlClient(_data.Socket);
        if (await client.StatusAsync(cancel) is { } running)
            throw new CommandException($"A stack already runs on {_data.Path} (pid {running.Pid}): ./platform status shows it, ./platform down ends it.");
        // Before the build, unless the ports may be held by what a killed platform left: that is ended first.
        if (new RunState(_data.Path).Leftovers().Count == 0)
            PortCheck.Verify(_file);
    }

    private async Task BuildAsync(CancellationToken cancel)
    {
        await Prerequisites.CheckAsync(_file, cancel);
        await AppBuild.PrepareAsync(_repository, _file, _printer.Progress, cancel);
        await WebBuild.PrepareAsync(_repository, _printer.Progress, cancel);
        var own = typeof(UpCommand).Assembly.Location;
        var native = new NativeCode(_repository, _printer.Progress);
        await native.PrepareAsync([.. AppBuild.Programs(_file), own], cancel);
        native.PointTo(own);
    }

    private async Task<int> RunAsync(bool background, CancellationToken cancel)
    {
        await using var held = _data.TryLock() ?? throw new CommandException($"Another platform is starting or stopping on {_data.Path}.");
        // Paths in components are relative to the folder of the run file, as under `dapr run -f`.
        Environment.CurrentDirectory = _file.Folder;
        Stack? own = null;
        ISidecarHost host = _engine == Dapr
            ? DaprRuntime.Open(_file, _data, text => own?.Events.Add(EventKind.Progress, text))
            : await EmbeddedRuntime.OpenAsync(_data, cancel);
        var collector = new TraceCollector();
        var file = _file with { Apps = [.. _file.Apps.Select(a => a with { Collector = collector })] };
        await using var stack = own = new Stack(_repository, file, _data, host, TimeProvider.System);
        await using var console = ConsoleSystem.Open(_repository, file, _data, stack, TimeProvider.System);
        // The pages first: who finds the socket finds them too.
        await using var pages = await ConsoleServer.StartAsync(console, _console.Door, _console.Port, cancel);
        stack.ConsoleUrl = pages?.Url;
        // Only now: a port that could not be had is somebody else's.
        collector.Endpoint = _observed ? pages?.CollectorUrl : null;
        if (_observed)
            console.StartScraping();
        await using var control = await ConsoleServer.StartOnSocketAsync(console, _data.Socket, cancel);
        await using var metrics = await MetricsServer.StartAsync(_metricsPort, stack, cancel);
        var printing = PrintAsync(stack.Events);
        var exitCode = 0;
        try
        {
            using (var starting = CancellationTokenSource.CreateLinkedTokenSource(cancel))
            {
                var start = stack.StartAsync(starting.Token);
                // `down` does not wait for a start that takes its time.
                if (await Task.WhenAny(start, stack.StopRequested) != start)
                    await starting.CancelAsync();
                await start;
            }

            await Task.WhenAny(stack.WaitSettledAsync(cancel), stack.StopRequested, Task.Delay(Timeout.Infinite, cancel));
            if (!background && !cancel.IsCancellationRequested && !stack.StopRequested.IsCompleted)
                PrintStatus(stack.Status(), "Ctrl-C stops everything.");
            await stack.StopRequested.WaitAsync(cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested || stack.StopRequested.IsCompleted)
        {
            exitCode = 0;
        }
        catch (CommandException e)
        {
            stack.Events.Add(EventKind.Problem, e.Message);
            exitCode = 1;
        }

        stack.Events.Add(EventKind.Progress, "stopping");
        await stack.StopAsync();
        await printing;
        return exitCode;
    }

    private async Task PrintAsync(StackEvents events)
    {
        await foreach (var item in events.ReadAsync(CancellationToken.None))
            _printer.Event(item);
    }

    private void PrintStatus(StackStatus status, string hint)
    {
        if (_json)
        {
            StackPrinter.Json(status);
            return;
        }

        _printer.Status(status);
        if (WebBuild.IsBuilt(_repository, WebBuild.Storefront) && status.Apps.FirstOrDefault(a => a.App == "gateway")?.Url is { } shop)
            _printer.Progress($"the shop is open at {shop}");
        _printer.Progress(hint);
    }

    private async Task<int> DetachAsync(string[] options, CancellationToken cancel)
    {
        Directory.CreateDirectory(_data.Logs);
        File.Delete(_data.PlatformLog);
        var assembly = NativeCode.Of(_repository, typeof(UpCommand).Assembly.Location);
        using var child = ChildProcess.Start(new ChildStart(Repository.DotnetHost, [assembly, "up", "--no-build", ChildOption, .. options], _file.Folder, _data.PlatformLog)
        {
            Environment = new Dictionary<string, string> { [Repository.RootVariable] = _repository.Root },
        });
        using var client = new ControlClient(_data.Socket);
        using var interval = new PeriodicTimer(TimeSpan.FromMilliseconds(30));
        while (await client.StatusAsync(cancel) is null)
        {
            if (child.Exited.IsCompleted)
                throw Ended(child);
            await interval.WaitForNextTickAsync(cancel);
        }

        using var settled = new CancellationTokenSource();
        var printing = PrintUntilAsync(client, settled.Token);
        bool healthy;
        try
        {
            healthy = await client.WaitSettledAsync(cancel);
        }
        catch (HttpRequestException)
        {
            await printing;
            await child.Exited.WaitAsync(cancel);
            throw Ended(child);
        }

        // The last events are on their way.
        settled.CancelAfter(TimeSpan.FromMilliseconds(100));
        await printing;
        if (await client.StatusAsync(cancel) is { } status)
            PrintStatus(status, "It runs in the background: ./platform status, logs, restart APP, down.");
        return healthy ? 0 : 1;
    }

    private CommandException Ended(ChildProcess child)
    {
        const int enough = 20;
        return new CommandException($"The platform ended while it started (exit code {child.Exited.Result}). The end of its log:\n{string.Join('\n', File.ReadLines(_data.PlatformLog).TakeLast(enough))}");
    }

    private async Task PrintUntilAsync(ControlClient client, CancellationToken cancel)
    {
        try
        {
            await foreach (var item in client.EventsAsync(cancel))
                _printer.Event(item);
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && cancel.IsCancellationRequested))
        {
            return;
        }
    }
}
