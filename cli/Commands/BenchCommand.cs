using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using DaprPlatform.Cli.Bench;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Cli.RunFiles;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

internal static class BenchCommand
{
    private const int PortOffset = 12_000;
    private const int ReferenceClients = 8;
    private const double BytesPerMegabyte = 1024 * 1024;
    private static readonly int[] ClientCounts = [1, ReferenceClients, 32];

    public static Command Create() => new("bench", "Measures, on a stack of its own that is gone afterwards.") { Orders(), Workflow(), Login() };

    private static Command Orders()
    {
        var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 20, Description = "For each number of clients." };
        var json = StackOptions.Json();
        var orders = new Option<int?>("--orders") { Description = "So many in a row, cut into slices, in place of some seconds for each number of clients." };
        var clientCount = new Option<int>("--clients") { DefaultValueFactory = _ => ReferenceClients, Description = "For --orders: clients, each with one order at a time." };
        orders.Validators.Add(static result => AtLeast(result, 4));
        clientCount.Validators.Add(static result => AtLeast(result, 1));
        var command = new Command("orders", "Orders/s and the time from placed to confirmed with 1, 8 and 32 clients; memory; start time. With --orders: whether they stay as fast, and memory steady.")
        {
            seconds, orders, clientCount, json,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            var printer = new StackPrinter(ConsoleSetup.Error());
            var repository = Repository.Find();
            var runFile = Path.Combine(repository.Root, "dapr.yaml");
            await using var stack = await BenchStack.StartAsync(repository, runFile, PortOffset, printer.Progress, cancel);
            var file = RunFileReader.Read(runFile, PortOffset);
            using var gateway = new GatewayClient(RunningStack.GatewayOf(stack.Status), TimeSpan.FromMinutes(1), TimeProvider.System);
            using var oper = RunningStack.OperatorOf(file, gateway);
            var bench = new OrdersBench(gateway, oper, stack, TimeProvider.System);
            await bench.PrepareAsync(cancel);
            if (parsed.GetValue(orders) is { } count)
            {
                var inARow = await InARowAsync(bench, count, parsed.GetValue(clientCount), printer.Progress, cancel);
                if (parsed.GetValue(json))
                    Json(inARow);
                else
                    Print(inARow);
                return inARow.Failures.Count == 0 ? 0 : 1;
            }

            var warm = await bench.RunAsync(ClientCounts[^1], TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancel);
            printer.Progress($"warmed up with {warm.Orders} orders");
            var figures = new List<OrdersFigure>();
            foreach (var clients in ClientCounts)
            {
                figures.Add(await bench.RunAsync(clients, TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancel));
                printer.Progress($"{clients} clients: {figures[^1].OrdersPerSecond} orders/s, p50 {figures[^1].P50Ms} ms, {figures[^1].ProcessorMsPerOrder} ms of processor an order");
            }

            var status = await stack.RefreshAsync(cancel);
            var reference = figures.Single(f => f.Clients == ReferenceClients);
            var report = new OrdersReport(reference.OrdersPerSecond, reference.P50Ms, reference.P95Ms, reference.P99Ms, stack.StartSeconds,
                Math.Round(status.ResidentBytes / BytesPerMegabyte), Math.Round(status.RuntimeResidentBytes / BytesPerMegabyte), Environment.ProcessorCount, figures, bench.Failures);
            if (parsed.GetValue(json))
                Json(report);
            else
                Print(report);
            return report.Failures.Count == 0 ? 0 : 1;
        });
        return command;
    }

    private static async Task<OrdersInARow> InARowAsync(OrdersBench bench, int orders, int clients, Action<string> progress, CancellationToken cancel)
    {
        var done = 0;
        var every = OrderSlices.SizeFor(orders);
        return await bench.RunAsync(clients, orders, _ =>
        {
            if (Interlocked.Increment(ref done) is var now && now % every == 0)
                progress($"{now} orders");
        }, cancel);
    }

    private static void AtLeast(OptionResult result, int least)
    {
        if (result.Tokens is [var token] && int.TryParse(token.Value, out var value) && value < least)
            result.AddError($"{result.Option.Name} must be at least {least}.");
    }

    private static Command Login()
    {
        var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 10, Description = "For each number of clients." };
        var json = StackOptions.Json();
        var command = new Command("login", "Logins/s with 1, 8 and 32 clients, what the hash of the password costs, and how fast the same way is without it.") { seconds, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var printer = new StackPrinter(ConsoleSetup.Error());
            var repository = Repository.Find();
            var runFile = Path.Combine(repository.Root, "dapr.yaml");
            await using var stack = await BenchStack.StartAsync(repository, runFile, PortOffset, printer.Progress, cancel, measured: false);
            var users = RunFileReader.Read(runFile, PortOffset).Apps.Single(a => a.AppId == "users");
            var iterations = users.Environment.TryGetValue("PASSWORD_ITERATIONS", out var set) ? int.Parse(set, System.Globalization.CultureInfo.InvariantCulture) : LoginBench.DefaultIterations;
            using var gateway = new GatewayClient(RunningStack.GatewayOf(stack.Status), TimeSpan.FromMinutes(1), TimeProvider.System);
            var bench = new LoginBench(gateway, stack);
            await bench.PrepareAsync(ClientCounts[^1], cancel);
            var duration = TimeSpan.FromSeconds(parsed.GetValue(seconds));
            await bench.LoginsAsync(ReferenceClients, duration, cancel);
            var figures = new List<LoginFigure>();
            foreach (var clients in ClientCounts)
            {
                figures.Add(await bench.LoginsAsync(clients, duration, cancel));
                printer.Progress($"{clients} clients: {figures[^1].LoginsPerSecond} logins/s, p50 {figures[^1].P50Ms} ms");
            }

            var refreshes = await bench.RefreshesAsync(ReferenceClients, duration, cancel);
            var reference = figures.Single(f => f.Clients == ReferenceClients);
            var hash = LoginBench.HashMs(iterations);
            var report = new LoginReport(reference.LoginsPerSecond, reference.P50Ms, reference.P95Ms, reference.P99Ms, refreshes.LoginsPerSecond, iterations, hash,
                Math.Round(Math.Min(100, 100 * hash / reference.ProcessorMsPerLogin), 1), LoginBench.DefaultIterations, LoginBench.HashMs(LoginBench.DefaultIterations),
                Environment.ProcessorCount, LoginBench.Why, figures, bench.Failures);
            if (parsed.GetValue(json))
                Json(report);
            else
                Print(report);
            return report.Failures.Count == 0 ? 0 : 1;
        });
        return command;
    }

    private static Command Workflow()
    {
        var runs = new Option<int>("--runs") { DefaultValueFactory = _ => 5, Description = "Runs in a row for each shape." };
        var count = new Option<int>("--count") { DefaultValueFactory = _ => 3000, Description = "Workflows in each run." };
        var clients = new Option<int>("--clients") { DefaultValueFactory = _ => 32, Description = "Clients that start workflows and wait for them." };
        var json = StackOptions.Json();
        var command = new Command("workflow", "Workflows/s with five chained and with five parallel activities.") { runs, count, clients, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var printer = new StackPrinter(ConsoleSetup.Error());
            var repository = Repository.Find();
            await using var stack = await BenchStack.StartAsync(repository, Path.Combine(repository.Root, "benchmarks", "Workflow", "dapr.yaml"), 0, printer.Progress, cancel);
            using var bench = new WorkflowBench(stack.Status.Apps[0].Url!);
            var shapes = new List<WorkflowShape>();
            foreach (var shape in (string[])["chained", "parallel"])
                shapes.Add(await bench.RunAsync(shape, parsed.GetValue(runs), parsed.GetValue(count), parsed.GetValue(clients), printer.Progress, cancel));
            var status = await stack.RefreshAsync(cancel);
            var report = new WorkflowReport(shapes[0].WorkflowsPerSecond, shapes[0].P50Ms, shapes[0].P95Ms, shapes[0].P99Ms, parsed.GetValue(clients), parsed.GetValue(count),
                Math.Round(status.RuntimeResidentBytes / BytesPerMegabyte), Environment.ProcessorCount, shapes);
            if (parsed.GetValue(json))
                Json(report);
            else
                Print(report);
            return 0;
        });
        return command;
    }

    private static void Json<T>(T report) => Console.Out.WriteLine(JsonSerializer.Serialize(report, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));

    private static void Print(OrdersReport report)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("clients", "orders/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "processor ms an order");
        foreach (var f in report.Clients)
            table.AddRow($"{f.Clients}", $"{f.OrdersPerSecond}", $"{f.P50Ms}", $"{f.P95Ms}", $"{f.P99Ms}", $"{f.MaxMs}", $"{f.ProcessorMsPerOrder}");
        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"start {report.StartSeconds} s, memory of the whole stack {report.ResidentMegabytes} MB (runtime {report.RuntimeResidentMegabytes} MB), {report.Processors} processors");
        foreach (var (failure, orders) in report.Failures)
            AnsiConsole.MarkupLine($"[red]![/] {orders} orders {Markup.Escape(failure)}");
    }

    private static void Print(OrdersInARow report)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("orders", "orders/s", "p50 ms", "p95 ms", "p99 ms", "processor ms an order", "MB");
        var placed = 0;
        foreach (var s in report.Slices)
            table.AddRow($"{placed += s.Orders}", $"{s.OrdersPerSecond}", $"{s.P50Ms}", $"{s.P95Ms}", $"{s.P99Ms}", $"{s.ProcessorMsPerOrder}", $"{s.ResidentMegabytes}");
        AnsiConsole.Write(table);
        var memory = new Table().Border(TableBorder.Rounded).AddColumns("process", "MB before", "MB after");
        foreach (var (process, change) in report.Memory.OrderByDescending(m => m.Value.EndMegabytes))
            memory.AddRow(Markup.Escape(process), $"{change.StartMegabytes}", $"{change.EndMegabytes}");
        AnsiConsole.Write(memory);
        AnsiConsole.WriteLine($"{report.Orders} orders by {report.Clients} clients: {report.OrdersPerSecond} orders/s, p50 {report.P50Ms} ms, {report.ProcessorMsPerOrder} ms of processor an order; "
            + $"from the second quarter to the last {report.DecayPercent} % slower, {report.CostGrowthPercent} % dearer; {report.Processors} processors");
        foreach (var (failure, orders) in report.Failures)
            AnsiConsole.MarkupLine($"[red]![/] {orders} orders {Markup.Escape(failure)}");
    }

    private static void Print(LoginReport report)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("clients", "logins/s", "p50 ms", "p95 ms", "p99 ms", "processor ms a login");
        foreach (var f in report.Clients)
            table.AddRow($"{f.Clients}", $"{f.LoginsPerSecond}", $"{f.P50Ms}", $"{f.P95Ms}", $"{f.P99Ms}", $"{f.ProcessorMsPerLogin}");
        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"the hash (PBKDF2-SHA512, {report.Iterations} iterations) costs {report.HashMs} ms of processor, {report.HashPercent} % of a login; "
            + $"with the {report.DefaultIterations} iterations of a deployment that sets nothing {report.DefaultHashMs} ms");
        AnsiConsole.WriteLine($"the same way without a password: {report.RefreshesPerSecond} refreshes/s; {report.Processors} processors");
        AnsiConsole.WriteLine(report.Why);
        foreach (var (failure, logins) in report.Failures)
            AnsiConsole.MarkupLine($"[red]![/] {logins} logins {Markup.Escape(failure)}");
    }

    private static void Print(WorkflowReport report)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("shape", "workflows/s", "p50 ms", "p95 ms", "p99 ms", "runs", "decay %");
        foreach (var s in report.Shapes)
            table.AddRow(s.Shape, $"{s.WorkflowsPerSecond}", $"{s.P50Ms}", $"{s.P95Ms}", $"{s.P99Ms}", string.Join(", ", s.Runs.Select(r => r.WorkflowsPerSecond)), $"{s.DecayPercent}");
        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"{report.Clients} clients, {report.WorkflowsPerRun} workflows a run, runtime {report.RuntimeResidentMegabytes} MB, {report.Processors} processors");
    }
}
