using System.CommandLine;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Retail;
using DaprPlatform.Cli.Settings;
using DaprPlatform.Cli.Simulation;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

internal static class SimulateCommand
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var rate = new Option<double>("--rate") { DefaultValueFactory = _ => 60, Description = "Visits a minute, of all customers together." };
        var customers = new Option<int>("--customers") { DefaultValueFactory = _ => 10, Description = "Virtual customers." };
        var workers = new Option<int>("--workers") { DefaultValueFactory = _ => 2, Description = "Virtual warehouse workers." };
        var decline = new Option<int>("--decline") { DefaultValueFactory = _ => 5, Description = "Percent of the cards that are declined." };
        var cancelled = new Option<int>("--cancel") { DefaultValueFactory = _ => 5, Description = "Percent of the confirmed orders that their customers cancel." };
        var seconds = new Option<int?>("--seconds") { Description = "How long; by default until Ctrl+C." };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = "Decides who orders what." };
        var failPayments = new Option<int?>("--fail-payments") { Description = "Percent of the charges that the processor fails to process, while it runs." };
        var slowStock = new Option<int?>("--slow-stock") { Description = "Milliseconds before inventory takes up a call, while it runs." };
        var brokerLag = new Option<int?>("--broker-lag") { Description = "Milliseconds before events are published, while it runs." };
        var json = StackOptions.Json();
        var command = new Command("simulate", "Virtual customers and warehouse workers on a running stack, at a chosen rate.") 
        {
            rate, customers, workers, decline, cancelled, seconds, seed, failPayments, slowStock, brokerLag, json,
        };
        var options = StackOptions.AddTo(command);
        rate.Validators.Add(result => { if (result.GetValue(rate) is not > 0) result.AddError("--rate must be above 0"); });
        customers.Validators.Add(result => { if (result.GetValue(customers) is < 1 or > 1000) result.AddError("--customers must be 1 to 1000"); });
        workers.Validators.Add(result => { if (result.GetValue(workers) is < 0 or > 100) result.AddError("--workers must be 0 to 100"); });
        foreach (var percent in (Option<int>[])[decline, cancelled])
            percent.Validators.Add(result => { if (result.GetValue(percent) is < 0 or > 100) result.AddError($"{percent.Name} must be 0 to 100"); });
        failPayments.Validators.Add(result => { if (result.GetValue(failPayments) is < 0 or > 100) result.AddError("--fail-payments must be 0 to 100"); });
        foreach (var delay in (Option<int?>[])[slowStock, brokerLag])
            delay.Validators.Add(result => { if (result.GetValue(delay) is < 0 or > 60_000) result.AddError($"{delay.Name} must be 0 to 60000"); });
        command.SetAction(async (parsed, cancel) =>
        {
            var stack = await RunningStack.FindAsync(options, parsed, cancel);
            using var gateway = new GatewayClient(stack.GatewayUrl, TimeSpan.FromMinutes(1), TimeProvider.System);
            using var oper = stack.Operator(gateway);
            var printer = new StackPrinter(ConsoleSetup.Error());
            var simulation = new VirtualShop(gateway, oper, new SimulationOptions(parsed.GetValue(customers), parsed.GetValue(rate), parsed.GetValue(workers),
                parsed.GetValue(decline), parsed.GetValue(cancelled), parsed.GetValue(seconds) is { } s ? TimeSpan.FromSeconds(s) : null, parsed.GetValue(seed)), TimeProvider.System);
            var faults = new SimulatedFaults(parsed.GetValue(failPayments), parsed.GetValue(slowStock), parsed.GetValue(brokerLag));
            using var settings = new PlatformSettings(stack.Status);
            await using var injected = await InjectedFaults.SetAsync(settings, faults, cancel);
            foreach (var (key, value) in faults.Flags())
                printer.Progress($"{key} is {value} until the end; ./platform config set changes it meanwhile");
            await using (new Timer(_ => printer.Progress(Line(simulation)), null, ProgressInterval, ProgressInterval))
                await simulation.RunAsync(printer.Progress, cancel);
            if (parsed.GetValue(json))
                Console.Out.WriteLine(JsonSerializer.Serialize(simulation.Seen, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));
            else
                AnsiConsole.WriteLine(Line(simulation));
            return 0;
        });
        return command;
    }

    private static string Line(VirtualShop shop) => string.Join(", ", shop.Seen.Select(s => $"{s.Key} {s.Value}"));
}
