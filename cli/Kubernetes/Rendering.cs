namespace DaprPlatform.Cli.Kubernetes;

/// <summary>What one way of deploying makes of the sources.</summary>
/// <param name="Name">Such as <c>helm prod</c> or <c>refined/overlays/dev</c>.</param>
/// <param name="Environment">A whole installation, to which every rule applies; false for starting points and parts.</param>
/// <param name="Text">YAML documents.</param>
internal sealed record Rendering(string Name, bool Environment, string Text)
{
    public static readonly IReadOnlyList<string> Environments = ["dev", "stage", "prod"];

    private const string Namespace = "distributed-systems";

    /// <exception cref="CommandException">A source cannot be rendered; the message is what the tool says.</exception>
    public static async Task<IReadOnlyList<Rendering>> AllAsync(Repository repository, KubernetesTools tools, CancellationToken cancel)
    {
        var root = Path.Combine(repository.Root, "k8s");
        var renderings = new List<Rendering>();
        foreach (var file in Directory.GetFiles(Path.Combine(root, "generated"), "*.yaml").Order(StringComparer.Ordinal))
            renderings.Add(new Rendering($"generated/{Path.GetFileName(file)}", false, await File.ReadAllTextAsync(file, cancel)));
        if (tools.Kubectl is { } kubectl)
        {
            renderings.Add(await KustomizeAsync(kubectl, root, "refined/base", false, cancel));
            foreach (var environment in Environments)
                renderings.Add(await KustomizeAsync(kubectl, root, $"refined/overlays/{environment}", true, cancel));
        }
        else
        {
            foreach (var file in Directory.GetFiles(Path.Combine(root, "refined", "base"), "*.yaml").Where(f => Path.GetFileName(f) != "kustomization.yaml").Order(StringComparer.Ordinal))
                renderings.Add(new Rendering($"refined/base/{Path.GetFileName(file)}", false, await File.ReadAllTextAsync(file, cancel)));
        }

        if (tools.Helm is { } helm)
        {
            await RunAsync(helm, ["lint", ".", "--strict", "--quiet"], Path.Combine(root, "helm"), "helm lint", cancel);
            renderings.Add(await HelmAsync(helm, root, null, cancel));
            foreach (var environment in Environments)
                renderings.Add(await HelmAsync(helm, root, environment, cancel));
        }

        return renderings;
    }

    private static async Task<Rendering> KustomizeAsync(string kubectl, string root, string folder, bool environment, CancellationToken cancel) =>
        new(folder, environment, await RunAsync(kubectl, ["kustomize", folder], root, folder, cancel));

    private static async Task<Rendering> HelmAsync(string helm, string root, string? environment, CancellationToken cancel)
    {
        var name = environment is null ? "helm" : $"helm {environment}";
        string[] values = environment is null ? [] : ["--values", $"values-{environment}.yaml"];
        return new Rendering(name, environment is not null, await RunAsync(helm, ["template", "daprplatform", ".", "--namespace", Namespace, .. values], Path.Combine(root, "helm"), name, cancel));
    }

    private static async Task<string> RunAsync(string tool, string[] arguments, string folder, string what, CancellationToken cancel)
    {
        var result = await KubernetesTools.RunAsync(tool, arguments, folder, cancel);
        return result.Succeeded ? result.Output : throw new CommandException($"{what} cannot be rendered (exit code {result.ExitCode}):\n{result.Output.TrimEnd()}");
    }
}
