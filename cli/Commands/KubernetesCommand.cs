using System.CommandLine;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Kubernetes;

namespace DaprPlatform.Cli.Commands;

internal static class KubernetesCommand
{
    public static Command Create() => new("k8s", "The deployment to Kubernetes.") { LintOf() };

    private static Command LintOf()
    {
        var json = StackOptions.Json();
        var command = new Command("lint", "Renders k8s/generated, k8s/refined and k8s/helm and checks every document offline: schemas of Kubernetes and Dapr, security, references.") { json };
        command.SetAction(async (parsed, cancel) =>
        {
            var printer = new StackPrinter(ConsoleSetup.Error());
            var repository = Repository.Find();
            repository.NeedsClone("k8s lint");
            var report = await Lint.RunAsync(repository, printer.Progress, cancel);
            if (parsed.GetValue(json))
            {
                await Console.Out.WriteLineAsync(JsonSerializer.Serialize(report, ControlJson.Options));
                return report.Problems.Count == 0 ? 0 : 1;
            }

            foreach (var problem in report.Problems)
                await Console.Out.WriteLineAsync($"{problem.Rendering}: {problem.Document} {problem.Problem}");
            foreach (var missing in report.NotChecked)
                await Console.Out.WriteLineAsync($"not checked: {missing}");
            await Console.Out.WriteLineAsync($"{report.Documents} documents of {report.Renderings.Count} renderings, {report.Problems.Count} problems");
            return report.Problems.Count == 0 ? 0 : 1;
        });
        return command;
    }
}
