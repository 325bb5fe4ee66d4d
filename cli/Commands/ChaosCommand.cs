using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using DaprPlatform.Cli.Bench;
using DaprPlatform.Cli.Chaos;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Settings;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

internal static class ChaosCommand
{
    private const int PortOffset = 13_000;
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var orders = new Option<int>("--orders") { DefaultValueFactory = _ => 1000, Description = "Orders to place; more until something was killed." };
        var seed = new Option<int?>("--seed") { Description = "Repeats what is ordered and what is killed; a new one by default." };
        var clients = new Option<int>("--clients", "-c") { DefaultValueFactory = _ => 16, Description = "Customers that order at the same time." };
        var pause = new Option<double>("--pause") { DefaultValueFactory = _ => 4, Description = "Seconds from one kill to the next, on average." };
        var patience = new Option<int>("--patience") { DefaultValueFactory = _ => 300, Description = "Seconds to go on trying, and to wait for an order's decision." };
        var json = StackOptions.Json();
        var command = new Command("chaos", "Places orders on a stack of its own while its processes are killed, and counts what was lost, doubled, oversold, leaked or stuck.")
        {
            orders, seed, clients, pause, patience, json,
        };
        orders.Validators.Add(result => { if (result.GetValue(orders) < 1) result.AddError("--orders must be at least 1"); });
        clients.Validators.Add(result => { if (result.GetValue(clients) is < 1 or > 256) result.AddError("--clients must be 1 to 256"); });
        pause.Validators.Add(result => { if (result.GetValue(pause) is not > 0) result.AddError("--pause must be above 0"); });
        command.SetAction(async (parsed, cancel) =>
        {
            var printer = new StackPrinter(ConsoleSetup.Error());
            var repository = Repository.Find();
            var runFile = Path.Combine(repository.Root, "dapr.yaml");
            var options = new ChaosOptions(parsed.GetValue(orders), parsed.GetValue(seed) ?? Random.Shared.Next(1_000_000), parsed.GetValue(clients),
                TimeSpan.FromSeconds(parsed.GetValue(pause)), TimeSpan.FromSeconds(parsed.GetValue(patience)));
            var report = await RunAsync(repository, runFile, options, printer, cancel);
            if (parsed.GetValue(json))
                Console.Out.WriteLine(JsonSerializer.Serialize(report, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));
            else
                Print(report);
            return report.Succeeded ? 0 : 1;
        });
        return command;
    }

    private static async Task<ChaosReport> RunAsync(Repository repository, string runFile, ChaosOptions options, StackPrinter printer, CancellationToken cancel)
    {
        var placed = 0;
        try
        {
            await using var stack = await BenchStack.StartAsync(repository, runFile, PortOffset, printer.Progress, cancel, measured: false);
            var file = RunFileReader.Read(runFile, PortOffset);
            using var gateway = new GatewayClient(RunningStack.GatewayOf(stack.Status), options.Patience, TimeProvider.System);
            using var oper = RunningStack.OperatorOf(file, gateway);
            printer.Progress($"seed {options.Seed}");
            var tell = ProgressTo(printer);
            return await new ChaosRun(gateway, oper, new Target(stack, file), options, TimeProvider.System).RunAsync((done, all, what) =>
            {
                placed = Math.Max(placed, done);
                tell(done, all, what);
            }, cancel);
        }
        catch (OperationCanceledException e) when (cancel.IsCancellationRequested || e is CalledOffException)
        {
            throw new CalledOffException($"Called off after {placed} of {options.Orders} orders: nothing is counted. The stack of the run is stopped and its data are gone; --seed {options.Seed} repeats it.", e);
        }
    }

    private static Action<int, int, string> ProgressTo(StackPrinter printer)
    {
        var said = Stopwatch.StartNew();
        var turn = new Lock();
        return (done, all, what) =>
        {
            lock (turn)
            {
                if (done != all && said.Elapsed < ProgressInterval)
                    return;
                said.Restart();
            }

            printer.Progress($"{done} of {all} {what}");
        };
    }

    private static void Print(ChaosReport report)
    {
        var table = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumns("what", "figure");
        void Row(string what, object figure) => table.AddRow(Markup.Escape(what), Markup.Escape($"{figure}"));
        Row("seed", report.Seed);
        Row("orders", report.Orders);
        Row("accepted", report.Accepted);
        Row("confirmed", report.Confirmed);
        foreach (var (reason, count) in report.Cancelled)
            Row($"cancelled: {reason}", count);
        foreach (var (reason, count) in report.Refused)
            Row($"not accepted: {reason}", count);
        foreach (var (victim, count) in report.Kills)
            Row($"killed: {victim}", count);
        Row("sent again", report.Retries);
        Row("driven by events", report.Choreographed);
        Row("time", $"{report.ElapsedSeconds} s");
        Row("lost", report.Lost);
        Row("doubled", report.Doubled);
        Row("oversold", report.Oversold);
        Row("leaked", report.Leaked);
        Row("stuck", report.Stuck);
        AnsiConsole.Write(table);
        foreach (var undecided in report.Undecided)
            AnsiConsole.MarkupLine($"[red]![/] {Markup.Escape(undecided)}");
    }

    private sealed class Target(BenchStack stack, RunFile file) : IChaosTarget
    {
        public Task<StackStatus> StatusAsync(CancellationToken cancel) => stack.RefreshAsync(cancel);

        public Task UpAsync(CancellationToken cancel) => stack.UpAsync(PortOffset, cancel);

        public Invariants Invariants() => RunningStack.InvariantsOf(file, stack.Status);

        public async Task SetOrderModeAsync(string mode, CancellationToken cancel)
        {
            using var settings = new PlatformSettings(stack.Status);
            await settings.SetAsync("order-mode", mode, cancel);
        }
    }
}
