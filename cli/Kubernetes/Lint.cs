using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Kubernetes;

/// <summary>What is wrong with a document.</summary>
internal sealed record LintProblem(string Rendering, string Document, string Problem);

/// <param name="Renderings">What was rendered and checked.</param>
/// <param name="Documents">How many documents in all.</param>
/// <param name="NotChecked">What could not be rendered here, and why.</param>
internal sealed record LintReport(IReadOnlyList<string> Renderings, int Documents, IReadOnlyList<LintProblem> Problems, IReadOnlyList<string> NotChecked);

/// <summary>Renders everything below k8s/ and checks each document offline: against the schemas of Kubernetes, of the Prometheus operator and of Dapr, and against our own rules.</summary>
internal static class Lint
{
    /// <exception cref="CommandException">Something cannot be rendered, or the checker cannot run.</exception>
    public static async Task<LintReport> RunAsync(Repository repository, Action<string> report, CancellationToken cancel)
    {
        var tools = await KubernetesTools.PrepareAsync(repository, report, cancel);
        var renderings = await Rendering.AllAsync(repository, tools, cancel);
        var problems = new List<LintProblem>();
        var documents = 0;
        foreach (var rendering in renderings)
        {
            var parsed = Document.Parse(rendering.Text, rendering.Name);
            documents += parsed.Count;
            if (parsed.Count == 0)
                problems.Add(new LintProblem(rendering.Name, "", "has no documents"));
            if (rendering.Environment)
                problems.AddRange(InstallationPolicy.Check(parsed).Select(p => new LintProblem(rendering.Name, "", p)));
        }

        problems.AddRange(await SchemaAsync(repository, tools, renderings, cancel));
        return new LintReport([.. renderings.Select(r => r.Name)], documents, problems, tools.Missing);
    }

    /// <summary>Checks texts against the schemas alone.</summary>
    public static async Task<IReadOnlyList<LintProblem>> SchemaAsync(Repository repository, KubernetesTools tools, IReadOnlyList<Rendering> renderings, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("platform-k8s-lint-");
        try
        {
            var files = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var rendering in renderings)
            {
                var file = Path.Combine(folder.FullName, $"{files.Count}.yaml");
                await File.WriteAllTextAsync(file, rendering.Text, cancel);
                files[file] = rendering.Name;
            }

            var result = await ToolRun.RunAsync("node",
                [Path.Combine(tools.Folder, "validate.mjs"), "--schemas", Path.Combine(repository.Root, "k8s", "schemas", "dapr"), .. files.Keys], tools.Folder, cancel, limit: TimeSpan.FromMinutes(5));
            var lines = result.Output.Split('\n').Where(l => l.StartsWith('{')).Select(l => JsonNode.Parse(l)!).ToList();
            if (result.ExitCode is not (0 or 1) || (result.ExitCode == 1 && lines.Count == 0))
                throw new CommandException($"The schemas cannot be checked (exit code {result.ExitCode}):\n{result.Output.TrimEnd()}");
            return [.. lines.Select(l => new LintProblem(files[(string)l["file"]!], (string)l["document"]!, $"{l["path"]} {l["problem"]}"))];
        }
        catch (JsonException e)
        {
            throw new CommandException($"The schemas cannot be checked: {e.Message}", e);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
