using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Retail;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

/// <summary>Real input: the Online Retail data as catalogue and as orders.</summary>
internal static class RetailCommands
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan InvariantPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan InvariantInterval = TimeSpan.FromMilliseconds(500);

    public static IEnumerable<Command> Create() => [Import(), ReplayOrders()];

    private static Command Import()
    {
        var file = new Argument<string>("file") { Description = "The Online Retail data as CSV." };
        var stock = new Option<long?>("--stock") { Description = "Units of each new product; by default enough for every order of the file." };
        var json = StackOptions.Json();
        var command = new Command("import-catalog", "Loads the products of the Online Retail data. Importing again changes nothing.") { file, stock, json };
        var options = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var retail = RetailFile.Read(parsed.GetValue(file)!);
            var stack = await RunningStack.FindAsync(options, parsed, cancel);
            using var gateway = new GatewayClient(stack.GatewayUrl, TimeSpan.FromMinutes(1), TimeProvider.System);
            using var oper = stack.Operator(gateway);
            var printer = new StackPrinter(ConsoleSetup.Error());
            var report = await CatalogueImport.RunAsync(oper, retail, parsed.GetValue(stock), printer.Progress, cancel);
            if (parsed.GetValue(json))
                Console.Out.WriteLine(JsonSerializer.Serialize(report, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));
            else
                Print(report);
            return 0;
        });
        return command;
    }

    private static Command ReplayOrders()
    {
        var file = new Argument<string>("file") { Description = "The Online Retail data as CSV." };
        var concurrency = new Option<int>("--concurrency", "-c") { DefaultValueFactory = _ => 8, Description = "Customers that order at the same time." };
        var limit = new Option<int?>("--limit") { Description = "Only the first N invoices." };
        var run = new Option<string?>("--run") { Description = "A label in the idempotency keys: with a new one the invoices are ordered again, with the same one they are found again." };
        var patience = new Option<int>("--patience") { DefaultValueFactory = _ => 180, Description = "Seconds to go on trying, and to wait for the decision on an order." };
        var json = StackOptions.Json();
        var command = new Command("replay", "Places the invoices of the Online Retail data as orders, waits for the end of each, and checks the books.") { file, concurrency, limit, run, patience, json };
        var options = StackOptions.AddTo(command);
        concurrency.Validators.Add(result => { if (result.GetValue(concurrency) is < 1 or > 256) result.AddError("--concurrency must be 1 to 256"); });
        limit.Validators.Add(result => { if (result.GetValue(limit) is < 1) result.AddError("--limit must be at least 1"); });
        command.SetAction(async (parsed, cancel) =>
        {
            var retail = RetailFile.Read(parsed.GetValue(file)!);
            var stack = await RunningStack.FindAsync(options, parsed, cancel);
            var replay = new ReplayOptions(parsed.GetValue(concurrency), parsed.GetValue(limit), parsed.GetValue(run), TimeSpan.FromSeconds(parsed.GetValue(patience)));
            var report = await RunAsync(stack, retail, replay, cancel);
            if (parsed.GetValue(json))
                Console.Out.WriteLine(JsonSerializer.Serialize(report, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));
            else
                Print(report);
            return report.Succeeded ? 0 : 1;
        });
        return command;
    }

    private static async Task<ReplayReport> RunAsync(RunningStack stack, RetailFile retail, ReplayOptions options, CancellationToken cancel)
    {
        using var gateway = new GatewayClient(stack.GatewayUrl, options.Patience, TimeProvider.System);
        using var oper = stack.Operator(gateway);
        var invariants = stack.Invariants();
        var start = await invariants.StockAsync(cancel);
        var report = await new Replay(gateway, oper, options, TimeProvider.System).RunAsync(retail, ProgressTo(new StackPrinter(ConsoleSetup.Error())), cancel);
        return report with { Invariants = await CheckAsync(invariants, start, cancel) };
    }

    // The last compensation may still be on its way when its order is decided.
    private static async Task<IReadOnlyList<InvariantResult>> CheckAsync(Invariants invariants, IReadOnlyDictionary<string, StockLevel> start, CancellationToken cancel)
    {
        var watch = Stopwatch.StartNew();
        using var interval = new PeriodicTimer(InvariantInterval);
        while (true)
        {
            var results = await invariants.CheckAsync(start, cancel);
            if (results.All(r => r.Holds) || watch.Elapsed > InvariantPatience)
                return results;
            await interval.WaitForNextTickAsync(cancel);
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
                if (done < all && said.Elapsed < ProgressInterval)
                    return;
                said.Restart();
            }

            printer.Progress($"{done} of {all} {what}");
        };
    }

    private static void Print(CatalogueReport report)
    {
        AnsiConsole.WriteLine($"{report.Products} products: {report.Created} new, {report.Updated} updated, {report.Unchanged} unchanged");
        Print(report.Problems);
    }

    private static void Print(ReplayReport report)
    {
        Print(report.Problems);
        var table = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumns("what", "figure");
        void Row(string what, object figure) => table.AddRow(Markup.Escape(what), Markup.Escape($"{figure}"));
        Row("invoices", report.Invoices);
        Row("customers", report.Customers);
        Row("accepted", report.AcceptedBefore > 0 ? $"{report.Accepted} ({report.AcceptedBefore} of them by an earlier replay)" : report.Accepted);
        Row("confirmed", report.Confirmed);
        foreach (var (reason, count) in report.Cancelled)
            Row($"rejected: {reason}", count);
        foreach (var (reason, count) in report.Refused)
            Row($"not accepted: {reason}", count);
        if (report.Undecided.Count > 0)
            Row("without a decision", report.Undecided.Count);
        Row("approved by the operator", report.Approved);
        Row("sent again", report.Retries);
        Row("time", $"{report.ElapsedSeconds:F1} s");
        Row("orders/s", report.OrdersPerSecond);
        Row("accepted to confirmed", $"p50 {report.AcceptedToConfirmed.P50Ms} ms, p95 {report.AcceptedToConfirmed.P95Ms} ms, p99 {report.AcceptedToConfirmed.P99Ms} ms");
        AnsiConsole.Write(table);
        foreach (var refused in report.RefusedInvoices)
            AnsiConsole.WriteLine($"not accepted: invoice {refused}");
        foreach (var undecided in report.Undecided)
            AnsiConsole.MarkupLine($"[red]![/] {Markup.Escape(undecided)}");
        foreach (var invariant in report.Invariants)
            AnsiConsole.MarkupLine($"{(invariant.Holds ? "[green]✓[/]" : "[red]![/]")} {Markup.Escape(invariant.Name)} ({Markup.Escape(invariant.Detail)})");
        if (report.Refused.ContainsKey("unknown-product"))
            AnsiConsole.WriteLine("Unknown products: has the catalogue been loaded (./platform import-catalog FILE)?");
    }

    // Every line is there: the numbers of those with the same reason in ranges, the particulars of the rarer ones.
    private static void Print(IReadOnlyList<RetailProblem> problems)
    {
        const int few = 20;
        foreach (var reason in problems.GroupBy(p => p.Reason).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            AnsiConsole.WriteLine($"{reason.Key}: {reason.Count()} lines: {LineRanges.Of(reason.Select(p => p.Line))}");
            if (reason.Count() > few)
                continue;
            foreach (var problem in reason)
                AnsiConsole.WriteLine($"  line {problem.Line}{(problem.Invoice.Length > 0 ? $", invoice {problem.Invoice}" : "")}: {problem.Detail}");
        }
    }
}
