using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.LoadTest;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

internal static class LoadTestCommand
{
    /// <summary>What k6 ends with, too, when a limit was not kept.</summary>
    private const int Missed = 99;

    private const int ShortUsers = 10;
    private const double ShortDuration = 0.1;

    public static Command Create()
    {
        var stages = new Option<string?>("--stages") { Description = "Other stages than the scenario's: durations and users, as in 20s:10,1m:50." };
        var users = new Option<int?>("--users") { Description = "Scales the stages to this peak, as USERS does for the script." };
        var duration = new Option<double?>("--scale") { Description = "Stretches the stages, as DURATION_SCALE does for the script: 0.5 halves them." };
        var brief = new Option<bool>("--short") { Description = $"Some ten seconds: --users {ShortUsers} --scale {ShortDuration.ToString(CultureInfo.InvariantCulture)}." };
        var gateway = new Option<string?>("--gateway") { Description = "Another gateway than the running stack's; OPERATOR_EMAIL and OPERATOR_PASSWORD name an operator there, who brings products." };
        var scenario = new Option<string?>("--scenario") { Description = "The stages and limits; loadtest/scenario.json by default, which the script for k6 reads as well." };
        var json = StackOptions.Json();
        var command = new Command("loadtest", "The load test of loadtest/script.js without k6: same scenario, stages and limits. Exit code 99: a limit was not kept.")
        {
            stages, users, duration, brief, gateway, scenario, json,
        };
        users.Validators.Add(result => { if (result.GetValue(users) is < 1 or > 5000) result.AddError("--users must be 1 to 5000"); });
        duration.Validators.Add(result => { if (result.GetValue(duration) is <= 0 or > 100) result.AddError("--scale must be above 0 and at most 100"); });
        var options = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var repository = Repository.Find();
            var chosen = LoadScenario.Read(parsed.GetValue(scenario) ?? Path.Combine(repository.Root, "loadtest", "scenario.json"));
            if (parsed.GetValue(stages) is { } given)
                chosen = chosen with { Stages = LoadScenario.ParseStages(given) };
            chosen = chosen.Scaled(parsed.GetValue(users) ?? (parsed.GetValue(brief) ? ShortUsers : null), parsed.GetValue(duration) ?? (parsed.GetValue(brief) ? ShortDuration : null));
            var (url, operatorAccount) = parsed.GetValue(gateway) is { } elsewhere
                ? (elsewhere, FromEnvironment())
                : OfStack(await RunningStack.FindAsync(options, parsed, cancel));
            var printer = new StackPrinter(ConsoleSetup.Error());
            using var driver = new LoadDriver(url, chosen, TimeProvider.System);
            if (operatorAccount is var (email, password))
                await driver.BringProductsAsync(email, password, cancel);
            printer.Progress($"up to {chosen.Peak} users for {chosen.Seconds:F0} s on {url}");
            var report = await driver.RunAsync(cancel);
            if (parsed.GetValue(json))
                Console.Out.WriteLine(JsonSerializer.Serialize(report, new JsonSerializerOptions(ControlJson.Options) { WriteIndented = true }));
            else
                Print(report);
            return report.Passed ? 0 : Missed;
        });
        return command;
    }

    private static (string, (string, string)?) OfStack(RunningStack stack) => (stack.GatewayUrl, stack.OperatorAccount());

    private static (string, string)? FromEnvironment() =>
        Environment.GetEnvironmentVariable("OPERATOR_EMAIL") is { Length: > 0 } email ? (email, Environment.GetEnvironmentVariable("OPERATOR_PASSWORD") ?? "") : null;

    private static void Print(LoadReport report)
    {
        AnsiConsole.WriteLine($"{report.Iterations} iterations, {report.Orders} orders confirmed, {report.Requests} requests ({report.FailedRequests} failed) in {report.Seconds:F1} s");
        foreach (var (name, sample) in new[] { ("http_req_duration", report.RequestMs), ("order_decided", report.OrderDecidedMs), ("event_latency", report.EventMs) })
            AnsiConsole.WriteLine($"{name,-18} p50 {sample.P50Ms,8:F1} ms  p95 {sample.P95Ms,8:F1} ms  p99 {sample.P99Ms,8:F1} ms  max {sample.MaxMs,8:F1} ms  ({sample.Count})");
        foreach (var (name, check) in report.Checks)
            AnsiConsole.WriteLine($"{(check.Failed == 0 ? "✓" : "✗")} {name}: {check.Passed} of {check.Passed + check.Failed}");
        foreach (var verdict in report.Thresholds)
            AnsiConsole.WriteLine($"{(verdict.Passed ? "✓" : "✗")} {verdict.Metric} < {verdict.Limit}: {verdict.Measured?.ToString(CultureInfo.InvariantCulture) ?? "not measured"}");
    }
}
